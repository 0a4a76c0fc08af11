"""HTTP around the core: who asks, may they, what do they want, how do they want it.

Every answer is an object, a list, a Table or a `Status`; whatever goes wrong becomes a Status as well, and
the server goes on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from controller.local import access, authn, bodies, negotiation, paths, queries
from controller.local.access import Gate
from controller.local.accounts import issue_token
from controller.local.answers import Presenter, answer, refusal
from controller.local.authn import Tokens
from controller.local.core import errors
from controller.local.core.api import ApiCore
from controller.local.core.errors import ApiError
from controller.local.core.request import Request, Result, User
from controller.local.core.resources import Resource
from controller.local.documents import Documents
from controller.local.encoding import Encoder, plain
from controller.local.faults import PATH as FAULTS
from controller.local.faults import Faults, Source
from controller.local.faults import parse as parse_faults
from controller.local.metrics import CONTENT_TYPE, Metrics
from controller.local.negotiation import Representation
from controller.local.paths import Target
from controller.local.watching import Watches, lifetime

log = logging.getLogger(__name__)

HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
BODY_SECONDS = 60.0
MAX_INFLIGHT = 400


@dataclass(slots=True)
class Record:
    """What the log and the metrics say about one request; filled in as it becomes known."""

    user: str = ""
    verb: str = ""
    resource: Resource | None = None
    subresource: str = ""
    code: int = 0


class Edge:
    """The request handler of one server."""

    def __init__(
        self,
        core: ApiCore,
        *,
        gate: Gate,
        tokens: Tokens,
        encoder: Encoder,
        documents: Documents,
        watches: Watches,
        metrics: Metrics,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        faults: Faults | None = None,
    ) -> None:
        """`wake` is called after each write: there may be work in the background now."""
        self._core = core
        self._gate = gate
        self._tokens = tokens
        self._presenter = Presenter(encoder, clock)
        self._documents = documents
        self._watches = watches
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._faults = faults
        self._dice = random.Random()  # noqa: S311  # spreads time-outs, guards nothing
        self._inflight = 0
        metrics.inflight.set_function(lambda: self._inflight)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        record = Record()
        started = time.perf_counter()
        try:
            response = await self._answer(request, record)
            record.code = response.status
        except ApiError as error:
            record.code = error.code
            response = refusal(error)
        except RecursionError:
            log.warning("%s %s: too deep to handle", request.method, request.rel_url.raw_path)
            response = refusal(errors.bad_request("the request nests too deeply to be handled"))
            record.code = 400
        except Exception as error:
            log.exception("%s %s failed", request.method, request.rel_url.raw_path)
            response = refusal(errors.internal(f"{type(error).__name__}: {error}"))
            record.code = 500
        finally:
            self._note(request, record, time.perf_counter() - started)
        return response

    def _note(self, request: web.BaseRequest, record: Record, seconds: float) -> None:
        resource = record.resource
        self._metrics.served(
            verb=record.verb.upper() or "OTHER",
            group=resource.group if resource else "",
            version=resource.version if resource else "",
            resource=resource.plural if resource else "",
            subresource=record.subresource,
            code=record.code,
            seconds=seconds,
        )
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "%s %s %d %.1f ms user=%s agent=%s",
                request.method,
                request.path_qs,
                record.code,
                seconds * 1000,
                record.user,
                request.headers.get("User-Agent", "-"),
            )

    async def _answer(self, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        path = request.rel_url.raw_path
        user = self._user(request)
        record.user = user.name
        target = paths.target(path)
        if target is None:
            return await self._document(request, path, user)
        query = request.query
        verb = paths.verb(request.method, target, watch=queries.flag(query, "watch"))
        if verb is None:
            self._gate.require(user, access.of_path(path, request.method))
            raise errors.method_not_allowed(request.method)
        record.verb = verb
        self._gate.require(user, access.of_resource(target, verb, query))
        resource = self._core.registry.find(target.group, target.version, target.plural)
        if resource is None:
            raise errors.no_such_path()
        record.resource = resource
        if target.subresource in resource.subresources:
            record.subresource = target.subresource
        representation = negotiation.for_objects(request.headers.get("Accept", ""))
        late: ApiError | None = None
        if self._faults is not None:
            versioned = bool(query.get("continue") or query.get("resourceVersion", "0") != "0")
            late = await self._faults.strike(target, verb, versioned=versioned)
        if verb == "watch":
            return await self._watch(request, target, resource, representation, user)
        if self._inflight >= MAX_INFLIGHT:
            raise errors.too_many_requests("the server is busy, please try again later", 1)
        self._inflight += 1
        try:
            body = await self._body(request, verb, typed=not resource.custom or target.subresource == "scale")
            built = queries.build(
                target,
                verb,
                query,
                body=body,
                content_type=request.headers.get("Content-Type"),
                user=user,
                user_agent=request.headers.get("User-Agent", ""),
            )
            result = self._handle(built)
            if late is not None:
                raise late
        finally:
            self._inflight -= 1
        return self._presenter.present(request, resource, result, representation)

    def _user(self, request: web.BaseRequest) -> User:
        peer = request.transport.get_extra_info("peercert") if request.transport is not None else None
        headers = request.headers
        now = self._clock().timestamp()
        try:
            user = authn.authenticate(headers.get("Authorization"), peer, self._tokens, now)
        except ApiError as error:
            log.warning("%s from %s: %s", request.rel_url.raw_path, request.remote, error.message)
            raise
        return self._gate.impersonated(user, headers)

    # ------------------------------------------------------------ resources

    async def _body(self, request: web.BaseRequest, verb: str, *, typed: bool) -> bodies.Body | None:
        """`typed`: of a built-in kind, which strategic merge patches know how to merge."""
        if verb in ("get", "list"):
            return None
        data = await read(request)
        kind = request.headers.get("Content-Type")
        accepted: tuple[str, ...] = bodies.WRITE_TYPES
        if verb == "patch":
            accepted = bodies.PATCH_TYPES if typed else bodies.CUSTOM_PATCH_TYPES
        if bodies.is_slow(data, kind):
            body = await asyncio.to_thread(bodies.decode, data, kind, accepted=accepted)
        else:
            body = bodies.decode(data, kind, accepted=accepted)
        if body.content is None and verb in ("create", "update"):
            raise errors.bad_request("the request has no body, and this one needs an object")
        return body

    def _handle(self, request: Request) -> Result:
        """The one place where a request meets the core; nothing here waits."""
        if request.verb == "create" and request.subresource == "token" and not request.group:
            return Result(issue_token(self._core, self._tokens, request), 201)
        result = self._core.handle(request)
        if request.verb not in ("get", "list"):
            self._wake()
        return result

    async def _watch(
        self,
        request: web.BaseRequest,
        target: Target,
        resource: Resource,
        representation: Representation,
        user: User,
    ) -> web.StreamResponse:
        query = request.query
        self._watches.admit()
        built = queries.build(target, "watch", query, user=user)
        seconds = lifetime(queries.number(query, "timeoutSeconds"), self._dice)
        watch: Source = self._core.watch(built)
        if self._faults is not None:
            watch = self._faults.bend(watch, target)
        gauge = self._metrics.watches.labels("WATCH", resource.group, resource.plural)
        gauge.inc()
        try:
            return await self._watches.stream(
                request,
                watch,
                self._presenter.renderer(resource, representation, query.get("includeObject", "")),
                seconds=seconds,
                bookmarks=built.allow_bookmarks,
            )
        finally:
            gauge.dec()

    # ------------------------------------------------------------ everything else

    async def _document(self, request: web.BaseRequest, path: str, user: User) -> web.Response:
        """A path that is no resource."""
        method = "GET" if request.method == "HEAD" else request.method
        self._gate.require(user, access.of_path(path, method))
        if self._faults is not None and path.startswith(FAULTS):
            return await self._fault(request, method, path.removeprefix(FAULTS), self._faults)
        if method != "GET":
            raise errors.method_not_allowed(method)
        bare = path.rstrip("/")
        if bare in HEALTH or bare.rpartition("/")[0] in HEALTH:
            return answer(b"ok", "text/plain; charset=utf-8")
        if bare == "/metrics":
            return answer(self._metrics.render(), CONTENT_TYPE)
        document = self._documents.answer(
            path, request.headers.get("Accept", ""), hashed="hash" in request.query
        )
        headers = {"Vary": "Accept"} | ({"Etag": document.etag} if document.etag else {})
        if document.immutable:
            headers["Cache-Control"] = "public, immutable"
        if document.etag and document.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return answer(document.data, document.media_type, headers=headers)

    async def _fault(self, request: web.BaseRequest, method: str, path: str, faults: Faults) -> web.Response:
        """The switches of `controller.local.faults`; what they do is for the administrator alone."""
        match method, path:
            case "PUT", "":
                faults.set(parse_faults(bodies.decode(await read(request), negotiation.JSON).content))
            case "POST", "/drop":
                self._watches.drop_all()
            case "POST", "/forget":
                self._core.storage.forget()
            case "GET", "":
                pass
            case _:
                raise errors.method_not_allowed(method)
        return answer(plain(dataclasses.asdict(faults.switches)), negotiation.JSON)


async def read(request: web.BaseRequest) -> bytes:
    """The whole body; raises `ApiError` 413 past the limit and 408 when it does not arrive."""
    limit = bodies.MAX_BYTES
    if (request.content_length or 0) > limit:
        raise errors.too_large(limit)
    if not request.body_exists:
        return b""
    if request.content.is_eof():  # small bodies come with the headers
        data = request.content.read_nowait()
        if len(data) > limit:
            raise errors.too_large(limit)
        return data
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise errors.too_large(limit)
    except TimeoutError:
        message = f"the request's body did not arrive within {BODY_SECONDS:.0f} s"
        raise ApiError(408, "Timeout", message) from None
    return b"".join(parts)
