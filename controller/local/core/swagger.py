"""/openapi/v2 in protobuf, which kubectl asks for where OpenAPI v3 does not know a kind (a `List`, a typing error).

It has no definitions: kubectl then looks no further, and the server validates. Without this answer kubectl would
stop. The message is gnostic's `openapi.v2.Document` (fields: 1 swagger, 2 info, 8 paths, 9 definitions).
"""

from __future__ import annotations

from controller.local.core.discovery import VERSION

ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""The media type of the answer: what clients ask for has an "@", which is no media type (RFC 9110)."""


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of less than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content


_INFO = _field(1, b"Kubernetes") + _field(2, VERSION["gitVersion"].encode())
DOCUMENT = _field(1, b"2.0") + _field(2, _INFO) + _field(8, b"") + _field(9, b"")
