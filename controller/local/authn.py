"""Who asks: client certificates, and bearer tokens of ServiceAccounts.

A certificate that TLS accepted names the user (CN) and groups (O); its dates are judged here and not in the
handshake, so that an expired one gets a sentence instead of a dropped connection. Tokens are JWTs signed with
ES256 by the server's own key, bound to the ServiceAccount's uid: they end with it
(https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from controller.local.core.errors import ApiError, unauthorized
from controller.local.core.request import User

AUTHENTICATED = "system:authenticated"
ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
ISSUER = "https://kubernetes.default.svc.cluster.local"

PeerCertificate = Mapping[str, Any]
"""What `ssl.SSLSocket.getpeercert()` returns."""


@dataclass(frozen=True)
class Claims:
    """What a valid token says; `user` is its ServiceAccount."""

    user: User
    audiences: tuple[str, ...]
    expires: int
    """Seconds since the epoch."""


class Tokens:
    """Signs and checks ServiceAccount tokens."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        *,
        clock: Callable[[], float],
        account_uid: Callable[[str, str], str | None],
        object_uid: Callable[[str, str, str], str | None],
    ) -> None:
        """`clock`: seconds since the epoch. `account_uid(namespace, name)`: the uid of a ServiceAccount that
        exists; `object_uid(kind, namespace, name)`: of the Secret that a token is bound to."""
        self._key = key
        self._public = key.public_key()
        self._clock = clock
        self._account_uid = account_uid
        self._object_uid = object_uid
        public = self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = _encode(hashlib.sha256(public).digest())
        self._verified: dict[str, dict[str, Any]] = {}

    def issue(
        self,
        namespace: str,
        name: str,
        uid: str,
        *,
        seconds: int,
        audiences: Sequence[str] = (),
        bound: Mapping[str, str] | None = None,
    ) -> tuple[str, int]:
        """A token for a ServiceAccount and when it ends (seconds since the epoch).

        `bound`: kind (Secret), name and uid of the object that the token shall not outlive.
        """
        now = int(self._clock())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if bound is not None:
            private[bound["kind"].lower()] = {"name": bound["name"], "uid": bound["uid"]}
        claims = {
            "aud": list(audiences) or [ISSUER],
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        header = {"alg": "ES256", "kid": self._key_id, "typ": "JWT"}
        signed = f"{_encode(orjson.dumps(header))}.{_encode(orjson.dumps(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}", now + seconds

    def check(self, token: str) -> Claims:
        """Who a token speaks for; raises `ApiError` 401 that says what is wrong with it."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified) >= 1024:
                self._verified.clear()
            self._verified[token] = claims
        now = self._clock()
        if now >= claims["exp"]:
            raise unauthorized("the bearer token has expired; make a new one: kubectl create token NAME")
        if now + 60 < claims["nbf"]:
            raise unauthorized("the bearer token is not valid yet: do the clocks agree?")
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        if self._account_uid(namespace, account["name"]) != account["uid"]:
            raise unauthorized(
                f"the ServiceAccount {namespace}/{account['name']} of the bearer token is gone"
            )
        secret = private.get("secret")
        if secret is not None and self._object_uid("Secret", namespace, secret["name"]) != secret["uid"]:
            raise unauthorized(
                f"the Secret {namespace}/{secret['name']} that the bearer token is bound to is gone"
            )
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        user = User(claims["sub"], uid=account["uid"], groups=groups)
        return Claims(user, tuple(claims["aud"]), claims["exp"])

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            head, body, tail = token.split(".")
            header, claims, signature = (
                orjson.loads(_decode(head)),
                orjson.loads(_decode(body)),
                _decode(tail),
            )
            if header["alg"] != "ES256" or header.get("kid") != self._key_id or len(signature) != 64:
                raise unauthorized("the bearer token was not made by this control plane")
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            self._public.verify(
                encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())
            )
        except (ValueError, KeyError, TypeError, binascii.Error, InvalidSignature) as error:
            raise unauthorized("the bearer token is not one of this control plane") from error
        assert isinstance(claims, dict)  # we signed it
        return claims


def certificate_user(peer: PeerCertificate, now: float) -> User:
    """The user of a client certificate; raises `ApiError` 401 when its dates or subject are wrong.

    `now` in seconds since the epoch.
    """
    name, groups, starts, ends = _subject(peer["subject"], peer["notBefore"], peer["notAfter"])
    if now >= ends:
        raise unauthorized(
            f"the client certificate of {name or 'nobody'} expired at {peer['notAfter']}; to renew it, start"
            " `nxc-controller up` again (administrator) or run `nxc-controller user add` (anybody else)"
        )
    if now < starts:
        raise unauthorized(f"the client certificate of {name} is valid only from {peer['notBefore']}")
    if not name:
        raise unauthorized("the client certificate has no common name, which would say who you are")
    return User(name, groups=groups)


@lru_cache(maxsize=1024)
def _subject(
    subject: tuple[tuple[tuple[str, str], ...], ...], starts: str, ends: str
) -> tuple[str, tuple[str, ...], float, float]:
    pairs = [pair for names in subject for pair in names]
    name = next((value for key, value in reversed(pairs) if key == "commonName"), "")
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return name, (*groups, AUTHENTICATED), ssl.cert_time_to_seconds(starts), ssl.cert_time_to_seconds(ends)


def authenticate(authorization: str | None, peer: PeerCertificate | None, tokens: Tokens, now: float) -> User:
    """The user of a request, from its Authorization header and the connection's certificate.

    As on the real server a certificate goes before a token, and nothing at all is anonymous.
    """
    if peer:
        return certificate_user(peer, now)
    if authorization is None:
        return ANONYMOUS
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized()
    return tokens.check(token.strip()).user


def token_review(body: Mapping[str, Any], tokens: Tokens) -> dict[str, Any]:
    """Answer a TokenReview (authentication.k8s.io/v1): whose token this is, or why it is none."""
    spec = body.get("spec") or {}
    wanted = spec.get("audiences") or [ISSUER]
    status: dict[str, Any]
    try:
        claims = tokens.check(str(spec.get("token", "")))
    except ApiError as error:
        status = {"authenticated": False, "user": {}, "error": error.message}
    else:
        shared = [audience for audience in wanted if audience in claims.audiences]
        if shared:
            user = {"username": claims.user.name, "uid": claims.user.uid, "groups": list(claims.user.groups)}
            status = {"authenticated": True, "user": user, "audiences": shared}
        else:
            status = {"authenticated": False, "user": {}, "error": "the token is meant for other audiences"}
    metadata = {"creationTimestamp": None, **(body.get("metadata") or {})}
    return {
        "kind": "TokenReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
