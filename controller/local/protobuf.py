"""Request bodies in protobuf: since 1.32, kubectl sends built-in kinds so (`create namespace`, `auth can-i`, ...).

Only requests: answers are always JSON, which every client takes besides. The envelope is `k8s\\0` and a
`runtime.Unknown` (https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding-idl); the wire
format is https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from controller.local.core.errors import bad_request, unsupported_media_type
from controller.local.protobuf_messages import KINDS, MESSAGES

MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 20


def decode(data: bytes) -> dict[str, Any]:
    """The object in a request's body, as its JSON would be.

    Raises `ApiError` 400 for bytes that are no such envelope, 415 for a kind whose messages are not known here.
    """
    if not data.startswith(MAGIC):
        raise bad_request(
            "the body is not the protobuf encoding of Kubernetes: it must begin with `k8s` and a zero"
        )
    try:
        api_version, kind, raw = _envelope(data[len(MAGIC) :])
        if kind == "DeleteOptions":
            message = kind
        elif (api_version, kind) in KINDS:
            message = f"events.k8s.io/{kind}" if api_version.startswith("events.") else kind
        else:
            raise unsupported_media_type(["application/json", "application/yaml"])
        content = _message(raw, message, 0)
    except (ValueError, OverflowError, OSError) as error:
        raise bad_request(f"the body is not valid protobuf: {error}") from error
    return {"kind": kind, "apiVersion": api_version, **content}


def _envelope(data: bytes) -> tuple[str, str, bytes]:
    api_version = kind = ""
    raw = b""
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            texts = {inner: text.decode() for inner, text in _fields(value) if isinstance(text, bytes)}
            api_version, kind = texts.get(1, ""), texts.get(2, "")
        elif number == 2:
            raw = value
        elif number == 3 and value:
            raise ValueError(f"content encoding {value!r} is not known")
    return api_version, kind, raw


def _message(data: bytes, name: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("it nests too deeply")
    known = MESSAGES[name]
    content: dict[str, Any] = {}
    for number, value in _fields(data):
        field = known.get(number)
        if field is None:
            continue  # a newer client's field, which JSON decoding would prune as well
        key, kind, repeated, keeps_zero = field
        if kind.startswith("map:"):
            name_in_map, entry = _entry(_bytes(value, key), kind.removeprefix("map:"), depth)
            content.setdefault(key, {})[name_in_map] = entry
        elif repeated:
            content.setdefault(key, []).append(_value(value, kind, key, depth))
        else:
            decoded = _value(value, kind, key, depth)
            if decoded or keeps_zero or kind in MESSAGES:
                content[key] = decoded
    return content


def _entry(data: bytes, kind: str, depth: int) -> tuple[str, Any]:
    name, entry = "", _value(b"", kind, "value", depth)
    for number, value in _fields(data):
        if number == 1:
            name = _bytes(value, "key").decode()
        elif number == 2:
            entry = _value(value, kind, "value", depth)
    return name, entry


def _value(value: int | bytes, kind: str, key: str, depth: int) -> Any:
    if kind == "bool":
        return bool(_int(value, key))
    if kind == "int":
        number = _int(value, key)
        return number - (1 << 64) if number >= 1 << 63 else number
    data = _bytes(value, key)
    match kind:
        case "string":
            return data.decode()
        case "bytes":
            return base64.b64encode(data).decode()
        case "Time":
            return _time(data, micro=False)
        case "MicroTime":
            return _time(data, micro=True)
        case "FieldsV1":
            raw = next((inner for number, inner in _fields(data) if number == 1), b"")
            return orjson.loads(_bytes(raw, key)) if raw else {}
        case "ExtraValue":
            return _message(data, kind, depth + 1).get("items", [])
    return _message(data, kind, depth + 1)


def _time(data: bytes, *, micro: bool) -> str | None:
    """An RFC 3339 time; an empty message is Go's zero time, which is null in JSON."""
    parts = {number: _int(value, "time") for number, value in _fields(data)}
    if not parts:
        return None
    seconds = parts.get(1, 0)
    moment = datetime.fromtimestamp(seconds - (1 << 64) if seconds >= 1 << 63 else seconds, UTC)
    if micro:
        return moment.replace(microsecond=parts.get(2, 0) // 1000).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _int(value: int | bytes, key: str) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{key} has the wrong wire type")
    return value


def _bytes(value: int | bytes, key: str) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError(f"{key} has the wrong wire type")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and their raw values, in wire order; raises `ValueError` for a broken message."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _LENGTH:
            size, position = _varint(data, position)
        elif wire == _FIXED64:
            size = 8
        elif wire == _FIXED32:
            size = 4
        else:
            raise ValueError(f"wire type {wire} is not known")
        if position + size > end:
            raise ValueError("it is cut short")
        yield number, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("it is cut short")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise ValueError("a number has too many bytes")
