"""Answers made comparable: what two servers may do differently (times, uids, versions) becomes a rank."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_GENERATED = re.compile(r"\b(gen-|Bad-|gen\.)[bcdfghjklmnpqrstvwxz2456789]{5}\b")
_VERSION_IN_TEXT = re.compile(
    r"((?:ResourceVersion|resourceVersion|resource version|current)[^0-9]{1,40})(\d+)"
)
_TIMES = frozenset(("creationTimestamp", "deletionTimestamp", "lastTransitionTime", "time"))
_TOKEN = "kubernetes.io/service-account-token"
_CA = "kube-root-ca.crt"
_AGE = re.compile(r"^(\d+[smhdy]|<unknown>|<invalid>)+$")


@dataclass(frozen=True)
class Answer:
    """What a server said to one call."""

    code: int
    media_type: str
    warnings: tuple[str, ...]
    body: Any

    def __str__(self) -> str:
        return json.dumps(
            {"code": self.code, "type": self.media_type, "warnings": self.warnings, "body": self.body},
            indent=1,
            sort_keys=True,
        )


@dataclass
class Ranks:
    """The order in which a server showed its values: the first uid is <uid 1>, and so on."""

    _seen: dict[str, dict[str, str]] = field(default_factory=dict)

    def rank(self, what: str, value: str) -> str:
        known = self._seen.setdefault(what, {})
        return known.setdefault(value, f"<{what} {len(known) + 1}>")

    def normal(self, answer: Answer) -> Answer:
        body = self._value(answer.body, "", top=True)
        return Answer(
            answer.code, answer.media_type, tuple(self.text(warning) for warning in answer.warnings), body
        )

    def _value(self, value: Any, key: str, *, top: bool = False) -> Any:
        match value:
            case dict() if value.get("kind") == "Table":
                rows = [
                    row for row in value.get("rows") or [] if not {_TOKEN, _CA} & set(map(str, row["cells"]))
                ]
                return self._table({**value, "rows": rows})
            case dict():
                if top and isinstance(value.get("items"), list):
                    value = {**value, "items": [item for item in value["items"] if not _own(item)]}
                if top and (isinstance(value.get("items"), list) or value.get("kind") == "Status"):
                    value = {**value, "metadata": _of_collection(value.get("metadata"))}
                return {self.text(name): self._value(entry, name) for name, entry in value.items()}
            case list():
                entries = [self._value(entry, key) for entry in value]
                if key == "managedFields":
                    entries.sort(key=lambda entry: json.dumps(entry, sort_keys=True))
                return entries
            case str():
                return self._string(value, key)
        return value

    def _string(self, value: str, key: str) -> str:
        if key == "resourceVersion":
            return self.rank("version", value)
        if key in _TIMES:
            return "<time>"
        return self.text(value)

    def text(self, text: str) -> str:
        """A text with what only this server knows replaced."""
        text = _UID.sub(lambda found: self.rank("uid", found[0]), text)
        text = _GENERATED.sub(lambda found: self.rank("generated", found[0]), text)
        return _VERSION_IN_TEXT.sub(r"\1<version>", text)

    def _cell(self, cell: Any) -> Any:
        if not isinstance(cell, str):
            return cell
        return "<age>" if _AGE.match(cell) else self.text(cell)

    def _table(self, value: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "Table",
            "apiVersion": value["apiVersion"],
            "metadata": _of_collection(value.get("metadata")),
            "columns": [
                [column[key] for key in ("name", "type", "format", "priority")]
                for column in value["columnDefinitions"] or []
            ],
            "rows": [[self._cell(cell) for cell in row["cells"]] for row in value.get("rows") or []],
            "objects": [self._value(row.get("object"), "") for row in value.get("rows") or []],
        }


def _own(item: Any) -> bool:
    """What a namespace has by itself: the CA's certificate and, with an old core, tokens of ServiceAccounts."""
    return item.get("type") == _TOKEN or item.get("metadata", {}).get("name") == _CA


def _of_collection(metadata: Any) -> dict[str, Any]:
    """A list's metadata without its version, which is that of the whole server: other clients raise it, too."""
    shown = {key: value for key, value in (metadata or {}).items() if key != "resourceVersion"}
    return {**shown, "continue": "<continue>"} if shown.get("continue") else shown


def difference(local: Answer, real: Answer, forgive: Callable[[Any], Any] = lambda body: body) -> list[str]:
    """What differs, a line each: `path: local != real`. `forgive` takes away what is known to differ."""
    found: list[str] = []
    if local.code != real.code:
        found.append(f"code: {local.code} != {real.code}")
    if local.media_type != real.media_type:
        found.append(f"media type: {local.media_type} != {real.media_type}")
    if local.warnings != real.warnings:
        found.append(f"warnings: {local.warnings} != {real.warnings}")
    _compare(forgive(local.body), forgive(real.body), "", found)
    return found


def _compare(local: Any, real: Any, path: str, found: list[str]) -> None:
    if isinstance(local, dict) and isinstance(real, dict):
        for key in sorted(local.keys() | real.keys()):
            here = f"{path}.{key}"
            if key not in local:
                found.append(f"{here}: (absent) != {json.dumps(real[key])}")
            elif key not in real:
                found.append(f"{here}: {json.dumps(local[key])} != (absent)")
            else:
                _compare(local[key], real[key], here, found)
    elif isinstance(local, list) and isinstance(real, list) and len(local) == len(real):
        for index, (one, other) in enumerate(zip(local, real, strict=True)):
            _compare(one, other, f"{path}[{index}]", found)
    elif local != real or type(local) is not type(real):
        found.append(f"{path or '.'}: {json.dumps(local)} != {json.dumps(real)}")
