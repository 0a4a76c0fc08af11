"""A client that tries again, for tests that have the server at its worst."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from controller.kube.api import AlreadyExists, ApiError, NotFound
from controller.kube.client import Client

TRIES = 60
PAUSE = 0.1


class PatientClient(Client):
    """Repeats what was refused for no fault of its own; a write may have been done all the same."""

    async def request(
        self,
        method: str,
        target: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        for tries in range(TRIES):
            try:
                return await super().request(
                    method, target, query=query, body=body, content_type=content_type
                )
            except AlreadyExists:
                if not tries:
                    raise
                return await self.request("GET", f"{target}/{body['metadata']['name']}")
            except NotFound:
                if not tries or method != "DELETE":
                    raise
                return {}
            except ApiError as error:
                if error.code not in (0, 409, 410, 429, 500, 503):
                    raise
            await asyncio.sleep(PAUSE)
        raise AssertionError(f"{method} {target} was refused {TRIES} times")
