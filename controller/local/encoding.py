"""Objects as bytes: each stored version is serialised at most once while it is in use.

Storage never changes an object in place, so the identity of the dict is the identity of its bytes. The
journal, every list and every watcher share them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import orjson
import yaml

from controller.local.core.storage import Object

DEFAULT_BYTES = 16 << 20


class Encoder:
    """A cache of serialised objects, bounded in bytes; the least recently used go first.

    It keeps each object alive as well, so that what is replaced must be forgotten."""

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        self._limit = limit
        self._used = 0
        self._kept: OrderedDict[int, tuple[Object, bytes]] = (
            OrderedDict()
        )  # holding the object keeps its id its own

    def encode(self, obj: Object) -> bytes:
        """The compact JSON of an object that nobody will change."""
        key = id(obj)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found[1]
        data = orjson.dumps(obj)
        self._kept[key] = (obj, data)
        self._used += len(data)
        while self._used > self._limit:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._used -= len(dropped)
        return data

    def forget(self, obj: Object) -> None:
        """Give up the bytes of an object that another has replaced."""
        found = self._kept.pop(id(obj), None)
        if found is not None:
            self._used -= len(found[1])

    def encode_list(self, answer: Object) -> bytes:
        """A list object, joined from the bytes of its items."""
        head = orjson.dumps({key: value for key, value in answer.items() if key != "items"})
        items = b",".join(map(self.encode, answer["items"]))
        return b'%s,"items":[%s]}' % (head[:-1], items)

    def event(self, kind: str, obj: Object) -> bytes:
        """One line of a watch."""
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), self.encode(obj))


def plain(document: Any) -> bytes:
    """JSON of something that is used once."""
    return orjson.dumps(document)


def pretty(document: Any) -> bytes:
    """JSON for a person's eyes (`?pretty=true`)."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_yaml(document: Any) -> bytes:
    # by way of JSON: objects shared within the document must not become YAML aliases
    return yaml.safe_dump(orjson.loads(orjson.dumps(document)), sort_keys=False, allow_unicode=True).encode()
