"""What Nix says of an evaluation or a build that failed, for somebody who is new to it. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from controller.build import trace
from controller.build.limits import BuildLimits, duration, size
from controller.build.log import Log, plain
from controller.build.nar import name_of
from controller.build.trace import Position, Trace
from controller.model.errors import NxcError, UserError

_STORE_PATH = re.compile(r"/nix/store/[0-9a-z]{32}-([0-9A-Za-z+\-._?=]+)")
_BESIDE = re.compile(r"/nix/store/(?![0-9a-z]{32}-)")
_LONGEST = 4000


class Kind(StrEnum):
    """What sort of mistake it is."""

    SYNTAX = "syntax error"
    VARIABLE = "undefined variable"
    ATTRIBUTE = "missing attribute"
    TYPE = "type error"
    RECURSION = "infinite recursion"
    STACK = "stack overflow"
    MEMORY = "out of memory"
    OUTSIDE = "import from outside"
    FETCH = "fetch"
    IMPURE = "impure"
    FROM_DERIVATION = "import from derivation"
    FILE = "file not found"
    OURS = "nxc"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A mistake, its place in the composition's source if it is known, and the sentence for its author."""

    kind: Kind
    message: str
    position: Position | None = None

    def __str__(self) -> str:
        """`composition.nix:7:9: message`, and the line with a caret below."""
        at = self.position
        if at is None:
            return self.message
        text = f"{at.file}:{at.line}:{at.column}: {self.message}"
        if not at.text.strip():
            return text
        # The caret's line repeats the tabs of the line above, so that both are moved alike.
        before = at.text.encode()[: at.column - 1].decode(errors="ignore")  # Nix counts bytes
        padding = re.sub(r"[^\t]", " ", before)
        margin = str(at.line)
        return f"{text}\n  {margin} | {at.text}\n  {' ' * len(margin)} | {padding}^"


# ---------------------------------------------------------------- evaluation

_ABSENT = (
    r"(?:getting status of|opening file|reading directory|path) '(.*?)'(?:: No such file.*| does not exist)"
)
_PURE = "an evaluation sees its own source and the package source, nothing else"


def _syntax(found: re.Match[str]) -> str:
    if "end of file" in found[1]:
        return "syntax error: the file ends before a bracket, a brace or a quote is closed"
    if "expecting ';'" in found[1]:
        return f"syntax error: {found[1]}: is the `;` missing at the end of the line before?"
    return f"syntax error: {found[1]}"


# The first that matches the message says the kind and what to tell: a template, or a function of the match.
_EXPLANATIONS: tuple[tuple[str, Kind, str | Callable[[re.Match[str]], str]], ...] = (
    (r"nxc: ([\s\S]*)", Kind.OURS, r"\1"),
    (r"syntax error, ([\s\S]*)", Kind.SYNTAX, _syntax),
    (r"attribute '(.*)' already defined at (.*)", Kind.SYNTAX, r"`\1` is defined twice, first at \2"),
    (r"undefined variable '(.*)'", Kind.VARIABLE, r"undefined variable '\1'"),
    (
        r"attribute '(currentSystem|currentTime|exec|getFlake|fetchTree)' missing",
        Kind.IMPURE,
        rf"builtins.\1 does not exist here: {_PURE}",
    ),
    (
        r"'(builtins\.\w+)' is not allowed in pure evaluation mode",
        Kind.IMPURE,
        rf"\1 is not allowed: {_PURE}",
    ),
    (
        r"experimental Nix feature '(.*)' is disabled.*",
        Kind.IMPURE,
        r"Nix's feature '\1' is not switched on here",
    ),
    (r"attribute '(.*)' missing", Kind.ATTRIBUTE, r"attribute '\1' missing"),
    (r"infinite recursion encountered", Kind.RECURSION, "infinite recursion: this value needs itself"),
    (
        r"stack overflow.*",
        Kind.STACK,
        "the evaluation nests too deeply: does a function call itself without an end?",
    ),
    (r"(?:out of memory|std::bad_alloc).*", Kind.MEMORY, "the evaluation ran out of memory"),
    (
        r"cannot look up '<(.*?)>' in pure evaluation mode.*",
        Kind.OUTSIDE,
        r"<\1> is not available: packages come by the composition's argument `pkgs`",
    ),
    (
        r"access to (?:absolute )?path '(.*)' is forbidden in (?:pure|restricted).*",
        Kind.OUTSIDE,
        rf"'\1' may not be read: {_PURE}",
    ),
    (r"the path '(~.*)' can not be resolved in pure mode", Kind.OUTSIDE, rf"'\1' may not be read: {_PURE}"),
    (
        r"access to URI '(.*)' is forbidden in restricted mode",
        Kind.FETCH,
        r"'\1' may not be fetched: an evaluation has no network; put what is needed into the source",
    ),
    (
        r"in pure evaluation mode, '?(.*?)'? will not fetch unlocked input '(.*)'.*",
        Kind.FETCH,
        r"'\2' may not be fetched: an evaluation has no network; put what is needed into the source",
    ),
    (
        r"cannot build '(.*?)(?:\^.*)?' during evaluation because .* 'allow-import-from-derivation' is disabled",
        Kind.FROM_DERIVATION,
        lambda found: (
            f"import from derivation is switched off: {name_of(found[1])} would have to be built while the "
            "composition is evaluated; put the file that is read into the source"
        ),
    ),
    (
        _ABSENT.replace("'(", "'(?!/nix/store/)("),
        Kind.OUTSIDE,
        rf"'\1' is not there: {_PURE}",
    ),
    (
        _ABSENT,
        Kind.FILE,
        r"there is no '\1' in the source",
    ),
    (r"evaluation aborted with the following error message: '([\s\S]*)'", Kind.OTHER, r"abort: \1"),
    (
        r"((?:value is|expected|cannot coerce|cannot add|attempt to call|cannot compare)[\s\S]*)",
        Kind.TYPE,
        r"\1",
    ),
    (r"((?:anonymous )?function [\s\S]* called (?:with|without)[\s\S]*)", Kind.TYPE, r"\1"),
)


def evaluation(stderr: str, source: str = "", names: Collection[str] = ()) -> Diagnosis:
    """What is wrong with a composition. `source` is the store path of its source; `names` are known packages."""
    found = trace.read(stderr)
    if found is None:
        said = [line for line in plain(stderr).splitlines() if not line.startswith(("GC Warning", "trace: "))]
        return Diagnosis(Kind.OTHER, _short("\n".join(said[-10:])) or "Nix failed without a message")
    position = _inside(found, source)
    kind, message = _explain(found.message)
    if kind is Kind.ATTRIBUTE and position is not None and (name := _package(position)):
        message = f"there is no package '{name}'"
    message += _suggestion(kind, found, position, names)
    message = _tidy(message, source)
    if kind is Kind.OURS:  # it says itself what is meant
        position = None
    return Diagnosis(kind, _short(message), position)


def _inside(found: Trace, source: str) -> Position | None:
    """The innermost place that the composition's author wrote."""
    places = [found.position, *(frame.position for frame in found.frames)]
    for place in places:
        if place is not None and source and place.file.startswith(f"{source}/"):
            return Position(place.file.removeprefix(f"{source}/"), place.line, place.column, place.text)
    return None


def _explain(message: str) -> tuple[Kind, str]:
    for pattern, kind, told in _EXPLANATIONS:
        found = re.fullmatch(pattern, message)
        if found is not None:
            return kind, found.expand(told) if isinstance(told, str) else told(found)
    return Kind.OTHER, message


def _suggestion(kind: Kind, found: Trace, position: Position | None, names: Collection[str]) -> str:
    """`; did you mean curl?`, from Nix itself or from the names of packages."""
    if kind not in (Kind.ATTRIBUTE, Kind.VARIABLE, Kind.TYPE):
        return ""
    if found.hint:
        return "; " + found.hint[0].lower() + found.hint[1:]
    missing = re.search(r"'(.*)'", found.message)
    if missing is None or kind is Kind.TYPE:
        return ""
    if kind is Kind.ATTRIBUTE and (position is None or not _package(position)):
        return ""
    near = (
        [missing[1]] if missing[1] in names else difflib.get_close_matches(missing[1], names, n=1, cutoff=0.7)
    )
    if not near:
        return ""
    return f"; did you mean pkgs.{near[0]}?" if kind is Kind.VARIABLE else f"; did you mean {near[0]}?"


def _package(position: Position) -> str:
    """The package that the line asks for at this place, `pkgs.NAME`; empty if it asks for something else."""
    found = re.match(
        r"pkgs\.\"?([\w+.-]+)", position.text.encode()[position.column - 1 :].decode(errors="ignore")
    )
    return "" if found is None else found[1].split(".")[0]


def _tidy(text: str, source: str) -> str:
    """Paths of the store as their readers know them: those of the source relative, others by name."""
    if source:
        text = text.replace(f"{source}/", "")
        text = _BESIDE.sub("../", text)  # where a path leads that begins with `../` in the source's folder
    return _STORE_PATH.sub(r"…-\1", text)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# ---------------------------------------------------------------- builds

_FAILED = re.compile(r"builder for '(/nix/store/\S+\.drv)' failed ([^\n;]*)")
_GOAL = r"building of '(/nix/store/\S+?\.drv)\S*(?: from \.drv file)?"
_SILENT = re.compile(_GOAL + r" timed out after (\d+) seconds of silence")
_SLOW = re.compile(_GOAL + r" timed out after (\d+) seconds")
_LOUD = re.compile(_GOAL + r" killed after writing more than (\d+) bytes of log output")
_FEATURES = re.compile(r"a '(\S+)' with features \{(.*)\} is required to build '(/nix/store/\S+\.drv)'")
_CONSEQUENCE = re.compile(r"\d+ dependenc(?:y|ies) of derivation .* failed to build")
_FULL = re.compile(r"No space left on device|database or disk is full")
_TAIL_LINES = 20


def build(log: Log, status: int, limits: BuildLimits, path: Path) -> NxcError:
    """Why a build failed that Nix ended itself. `path` is where the whole log is."""
    said = "\n".join(log.errors)
    if found := _SILENT.search(said):
        return UserError(
            "BuildSilent",
            f"{name_of(found[1])} printed nothing for {duration(limits.silent)} and was stopped; "
            f"does it wait for something?{_tail(log, found[1], path)}",
        )
    if found := _SLOW.search(said):
        return UserError(
            "BuildTimeout",
            f"{name_of(found[1])} took longer than {duration(limits.seconds)} and was stopped"
            f"{_tail(log, found[1], path)}",
        )
    if found := _LOUD.search(said):
        return too_long(limits, name_of(found[1]))
    if _FULL.search(said):
        return UserError("DiskLimit", f"the disk is full or a file too large{_whole(path)}")
    if found := _FEATURES.search(said):
        return UserError(
            "BuildFailed",
            f"{name_of(found[3])} asks for a builder with {found[2].strip() or found[1]}, which there is not here"
            + _whole(path),
        )
    if found := _FAILED.search(said):
        return UserError(
            "BuildFailed", f"{name_of(found[1])} failed {_how(found[2])}{_tail(log, found[1], path)}"
        )
    reasons = [error for error in log.errors if not _CONSEQUENCE.search(error)]
    message = _tidy("\n".join(reasons), "") or f"Nix ended with exit status {status}"
    return UserError("BuildFailed", _short(message) + _whole(path))


def _how(text: str) -> str:
    """`with exit code 1`; a signal's number says nothing to most."""
    text = text.strip().rstrip(";:,.")
    if text.startswith("to produce output path"):
        return "to write its output: a builder has to make the file or folder $out"
    if "signal 9" in text:
        return f"{text}: for want of memory, or as it closed its output before its end"
    if "signal 25" in text or "signal 31" in text:
        return f"{text}: it wrote a file larger than it may, or did what the sandbox forbids"
    return text


def too_long(limits: BuildLimits, name: str = "the build") -> UserError:
    """The log is longer than it may be."""
    return UserError(
        "LogTooLong",
        f"{name} printed more than {size(limits.log)} and was stopped; let it print less (the log's beginning is kept)",
    )


def _tail(log: Log, derivation: str, path: Path) -> str:
    lines = log.tail(derivation)[-_TAIL_LINES:]
    if not lines:
        return f"; it printed nothing{_whole(path)}"
    return "; its last lines:\n" + "\n".join(f"  {line}" for line in lines) + _whole(path, "\n")


def _whole(path: Path, before: str = " ") -> str:
    return f"{before}(whole log: {path})"
