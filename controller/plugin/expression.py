"""What can be told of a Nix expression without evaluating it: the files that it names, and its attributes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PATH = re.compile(
    r"(?<![\w./+~<>-])(\.{1,2}/[\w.+/-]*|[\w+-][\w.+-]*(?:/[\w.+-]+)+|/[\w.+-]+(?:/[\w.+-]+)+)"
)
_NAME = re.compile(r"[A-Za-z_][\w'-]*")
_HEAD = re.compile(r"\s*(?:@\s*[A-Za-z_][\w'-]*\s*)?:\s*")


@dataclass(frozen=True, slots=True)
class Reference:
    """A path literal, as it is written, and its line, counted from 1."""

    path: str
    line: int


def blanked(text: str) -> str:
    """The expression with its comments and strings blanked; what strings interpolate stays. As long as the text."""
    out: list[str] = []
    modes = ["code"]  # innermost last: code, in braces of a kind; text; "indented" text
    at = 0

    def blank(end: int) -> None:
        nonlocal at
        out.append("".join(c if c == "\n" else " " for c in text[at:end]))
        at = end

    while at < len(text):
        mode, rest = modes[-1], text[at : at + 3]
        if mode in ("text", "indented"):
            if rest.startswith("$$"):
                blank(at + 2)
            elif rest.startswith("${"):
                modes.append("interpolation")
                blank(at + 2)
            elif mode == "text" and rest[0] == "\\":
                blank(at + 2)
            elif mode == "indented" and rest in ("'''", "''$", "''\\"):
                blank(at + (4 if rest == "''\\" else 3))
            elif rest.startswith('"' if mode == "text" else "''"):
                blank(at + (1 if mode == "text" else 2))
                modes.pop()
            else:
                blank(at + 1)
        elif rest[0] == "#":
            end = text.find("\n", at)
            blank(len(text) if end < 0 else end)
        elif rest.startswith("/*"):
            end = text.find("*/", at + 2)
            blank(len(text) if end < 0 else end + 2)
        elif rest[0] == '"' or rest.startswith("''"):
            modes.append("text" if rest[0] == '"' else "indented")
            blank(at + (1 if rest[0] == '"' else 2))
        elif rest[0] == "}" and mode == "interpolation":
            modes.pop()
            blank(at + 1)
        else:
            if rest[0] == "{":
                modes.append("braces")
            elif rest[0] == "}" and mode == "braces":
                modes.pop()
            out.append(rest[0])
            at += 1
    return "".join(out)


def references(text: str) -> Iterator[Reference]:
    """Every path literal of an expression, in order; `<nixpkgs>` is none."""
    code = blanked(text)
    for found in _PATH.finditer(code):
        yield Reference(found[1].rstrip("/") or found[1], code.count("\n", 0, found.start()) + 1)


def attributes(text: str) -> tuple[str, ...] | None:
    """The attributes of the set that an expression is, or that the function gives which it is; `None` where that
    cannot be told."""
    code = blanked(text).strip()
    while True:
        if code.startswith("{"):
            end = _closing(code)
            if (head := _HEAD.match(code, end)) is None:
                return tuple(_names(code[1 : end - 1]))
            code = code[head.end() :]
        elif re.match(r"let\b", code):
            if (body := _after_let(code)) is None:
                return None
            code = body
        elif (
            head := re.match(r"(?:rec\b\s*(?={)|\((?=\s*{)|[A-Za-z_][\w'-]*\s*(?:@\s*(?={)|:\s*))", code)
        ) is not None:
            code = code[head.end() :].lstrip()
        else:
            return None


def _closing(code: str) -> int:
    """Where the bracket that the code begins with is closed, and one further."""
    depth = 0
    for at, sign in enumerate(code):
        depth += (sign in "{[(") - (sign in "}])")
        if not depth:
            return at + 1
    return len(code)


def _after_let(code: str) -> str | None:
    depth, lets = 0, 0
    for found in re.finditer(r"[{[(]|[}\])]|\b(?:let|in)\b(?!')", code):
        word = found[0]
        if word in "{[(":
            depth += 1
        elif word in "}])":
            depth -= 1
        elif not depth:
            lets += 1 if word == "let" else -1
            if not lets:
                return code[found.end() :].lstrip()
    return None


def _names(body: str) -> Iterator[str]:
    """The first name of each binding of a set."""
    at = 0
    seen: dict[str, None] = {}
    while (found := _NAME.search(body, at)) is not None:
        at = end = found.end()
        while end < len(body) and body[end] != ";":
            end += _closing(body[end:]) if body[end] in "{[(" else 1
        inherited = re.sub(r"\(.*?\)", " ", body[at:end], flags=re.S)
        seen |= dict.fromkeys(_NAME.findall(inherited) if found[0] == "inherit" else [found[0]])
        at = end
    yield from seen
