"""Compositions with mistakes, and what is to be said about them: by Nix as it runs, and as it was recorded.

`at` is the place that the message begins with; where Nix 2.8 does not tell it, `at` is what newer ones say.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.build.diagnosis import Kind

ROLE = """\
{{ pkgs, ... }}: {{
  roles.server = {{ pkgs, ... }}: {{
    {0}
  }};
}}
"""


@dataclass(frozen=True)
class Mistake:
    """A composition, and what its author reads. `old`: what Nix 2.8 says otherwise than newer ones."""

    name: str
    text: str
    kind: Kind
    says: str
    at: str = ""
    old_at: str | None = None
    old_says: str | None = None

    def place(self, *, old: bool) -> str:
        return self.old_at if old and self.old_at is not None else self.at

    def words(self, *, old: bool) -> str:
        return self.old_says if old and self.old_says is not None else self.says


def role(
    name: str, text: str, kind: Kind, says: str, column: int | None = None, *, line: int = 3, **others: str
) -> Mistake:
    """A mistake in a line of a role: line 3 of the file, usually."""
    at = "" if column is None else f"composition.nix:{line}:{column}"
    return Mistake(name, ROLE.format(text), kind, says, at, **others)


NOWHERE = "an evaluation sees its own source and the package source, nothing else"

MISTAKES = (
    role(
        "missing-semicolon",
        "environment.etc.a.text = \"a\"\n    environment.etc.b.text = \"b\";",
        Kind.SYNTAX,
        "is the `;` missing at the end of the line before?",
        28,
        line=4,
    ),
    Mistake(
        "unclosed-brace", "{ pkgs, ... }: {\n  roles.server = {\n", Kind.SYNTAX, "the file ends before a bracket",
        "composition.nix:3:1", old_at="composition.nix:2:19",
    ),
    Mistake(
        "defined-twice", "{ pkgs, ... }: {\n  roles.server = { a = 1; a = 2; };\n}\n", Kind.SYNTAX,
        "`a` is defined twice, first at composition.nix:2:20", "composition.nix:2:27",
    ),
    role(
        "undefined-variable", "environment.systemPackages = [ pkgs.jq curll ];", Kind.VARIABLE,
        "undefined variable 'curll'; did you mean pkgs.curl?", 44,
    ),
    role(
        "undefined-variable-with", "environment.systemPackages = with pkgs; [ curll ];", Kind.VARIABLE,
        "undefined variable 'curll'; did you mean pkgs.curl?", 47,
    ),
    role(
        "missing-package", "environment.systemPackages = [ pkgs.curll ];", Kind.ATTRIBUTE,
        "there is no package 'curll'; did you mean curl?", 36,
    ),
    role("missing-attribute", "environment.etc.a.text = { b = 1; }.c;", Kind.ATTRIBUTE, "attribute 'c' missing", 30),
    role("throw", 'environment.etc.a.text = throw "I give up";', Kind.OTHER, "I give up", 30, old_at=""),
    role("abort", 'environment.etc.a.text = abort "I give up";', Kind.OTHER, "abort: I give up", 30, old_at=""),
    role(
        "assert", 'environment.etc.a.text = assert 1 > 2; "a";', Kind.OTHER, "assertion '(__lessThan 2 1)' failed", 30,
    ),
    role(
        "not-a-function", "environment.etc.a.text = 1 2;", Kind.TYPE,
        "attempt to call something which is not a function but an integer", 30,
    ),
    role(
        "string-and-number", 'environment.etc.a.text = "a" + 1;', Kind.TYPE, "cannot coerce an integer to a string", 36,
    ),
    role(
        "set-in-a-string", 'environment.etc.a.text = "${{ b = 1; }}";', Kind.TYPE,
        "cannot coerce a set to a string", 31,
    ),
    role(
        "not-a-boolean", 'environment.etc.a.text = if 1 then "a" else "b";', Kind.TYPE,
        "expected a Boolean but found an integer", 30, old_says="value is an integer while a Boolean was expected",
    ),
    role(
        "missing-argument", "environment.etc.a.text = ({ a, b }: a) { a = 1; };", Kind.TYPE,
        "called without required argument 'b'", 31, old_at="composition.nix:3:30",
    ),
    role(
        "endless-value", "environment.etc.a.text = let a = b; b = a; in a;", Kind.RECURSION,
        "infinite recursion: this value needs itself", 38,
    ),
    role(
        "endless-function", "environment.etc.a.text = let f = n: 1 + f (n + 1); in f 0;", Kind.STACK,
        "does a function call itself without an end?", 45, old_at="",
    ),
    role(
        "import-of-the-host", "environment.etc.a.text = import /etc/passwd;", Kind.OUTSIDE,
        f"may not be read: {NOWHERE}", 30,
    ),
    role(
        "file-beside-the-source", "environment.etc.a.text = builtins.readFile ../other;", Kind.OUTSIDE,
        f"'../other' may not be read: {NOWHERE}", 30,
    ),
    role(
        "nixpkgs-by-name", "environment.etc.a.text = (import <nixpkgs> { }).hello;", Kind.OUTSIDE,
        "<nixpkgs> is not available: packages come by the composition's argument `pkgs`", 38,
    ),
    role(
        "missing-file", "imports = [ ./missing.nix ];", Kind.FILE, "there is no 'missing.nix' in the source",
    ),
    role(
        "missing-text", "environment.etc.a.text = builtins.readFile ./missing.txt;", Kind.FILE,
        "there is no 'missing.txt' in the source", 30,
    ),
    role(
        "fetch", 'environment.etc.a.text = builtins.readFile (builtins.fetchurl "http://127.0.0.1:1/x");', Kind.FETCH,
        "'http://127.0.0.1:1/x' may not be fetched: an evaluation has no network", 49, old_at="composition.nix:3:30",
    ),
    role(
        "import-from-derivation",
        'environment.etc.a.text = builtins.readFile (pkgs.writeTextFile { name = "made"; text = "${pkgs.jq}"; });',
        Kind.FROM_DERIVATION, "import from derivation is switched off: made would have to be built", 30,
    ),
    role(
        "current-time", "environment.etc.a.text = toString builtins.currentTime;", Kind.IMPURE,
        f"builtins.currentTime does not exist here: {NOWHERE}", 39,
    ),
    role(
        "unknown-option", "services.ngnix.enable = true;", Kind.OURS,
        'role "server": the option services.ngnix does not exist; did you mean services.nginx? (composition.nix:3:5)',
    ),
    role(
        "wrong-type", 'services.nginx.enable = "yes";', Kind.OURS,
        'role "server": services.nginx.enable must be a value of type boolean; found the string "yes"',
    ),
    Mistake(
        "no-roles", "{ pkgs, ... }: { rols = { }; }\n", Kind.OURS, "has no roles: write `roles = { server = { … }; };`",
    ),
    Mistake("not-a-composition", "42\n", Kind.OURS, "must be a function or an attribute set with `roles`"),
)  # fmt: skip
