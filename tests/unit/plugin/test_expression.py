from __future__ import annotations

import pytest

from controller.plugin.expression import attributes, blanked, references


def paths(text: str) -> list[tuple[str, int]]:
    return [(reference.path, reference.line) for reference in references(text)]


def test_paths_are_found_with_their_lines_and_not_in_comments_or_texts():
    text = """{ pkgs, ... }: {
  # ./comment.nix
  imports = [ ./one.nix ../two.nix scripts/three.nix /etc/nixos/four.nix <nixpkgs/nixos> ];
  a = "./text.nix ${./in-text} and $${./none} \\${./none}"; /* ./long
  comment.nix */
  b = ''
    ./indented ''${./escaped} ${builtins.readFile ./inside.sh} ''' ./still
  '';
  c = ./folder/; d = ./.;
}
"""
    assert paths(text) == [
        ("./one.nix", 3),
        ("../two.nix", 3),
        ("scripts/three.nix", 3),
        ("/etc/nixos/four.nix", 3),
        ("./in-text", 4),
        ("./inside.sh", 7),
        ("./folder", 9),
        ("./.", 9),
    ]


def test_blanks_keep_every_character_in_its_place():
    text = '{ a = "x${ { b = "}"; }.b }y"; } # end\n'
    assert len(blanked(text)) == len(text)
    assert blanked(text).split() == ["{", "a", "=", "{", "b", "=", ";", "}.b", ";", "}"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{ roles.server = { }; testScript = ''a = 1;''; }", ("roles", "testScript")),
        ("{ pkgs, lib ? { a = 1; }, ... }: { nodes = { x = { }; }; }", ("nodes",)),
        ("args@{ pkgs, ... }: rec { roles = { }; }", ("roles",)),
        ("{ pkgs, ... }@args: let a = { b = let c = 1; in c; }; in { roles = a; }", ("roles",)),
        ("pkgs: { roles = { }; }", ("roles",)),
        ("{ small = import ./small.nix; large = { pkgs, ... }: { roles = { }; }; }", ("small", "large")),
        ("{ inherit (x) y; a.b = 1; a.c = 2; }", ("y", "a")),
        ("import ./other.nix", None),
        ("", None),
    ],
)
def test_the_attributes_of_an_expression(text: str, names: tuple[str, ...] | None):
    found = attributes(text)
    assert found == names if names is None else set(names) <= set(found or ())
    assert found is None or len(found) <= 3
