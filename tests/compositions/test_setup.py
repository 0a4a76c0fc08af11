"""setup.toml: parameters, variants, and overlays for how packages are built."""

from __future__ import annotations

import pytest

from tests.compositions.conftest import Compose
from tests.compositions.evaluation import Refused

COMPOSITION = """{ pkgs, setup, ... }: {
  roles.server = { };
  testScript = with setup;
    "${project.selected}: ${params.a} ${toString (params.b + 1)} ${pkgs.hello.version or ""}";
}"""
TOML = """
[project]

[params]
a = "hello"
b = 10

[dev.params]
a = "dev"

[dev.build.hello.attrs]
version = "9"

[quick.params]
b = 1
"""
FILES = {"composition.nix": COMPOSITION, "setup.toml": TOML}


def test_parameters_come_from_setup_toml(compose: Compose) -> None:
    assert compose(FILES)["testScript"] == ": hello 11 "


def test_a_variant_overrides_them(compose: Compose) -> None:
    assert compose(FILES, variant="quick")["testScript"] == "quick: hello 2 "


def test_the_file_may_select_a_variant_itself(compose: Compose) -> None:
    files = FILES | {"setup.toml": TOML.replace("[project]", '[project]\nselected = "quick"')}
    assert compose(files)["testScript"] == "quick: hello 2 "


def test_given_parameters_win_and_keep_their_type(compose: Compose) -> None:
    assert compose(FILES, variant="quick", parameters={"b": "41", "a": "x"})["testScript"] == "quick: x 42 "


def test_a_variant_changes_how_a_package_is_built(compose: Compose) -> None:
    assert compose(FILES, variant="dev")["testScript"] == "dev: dev 11 9"


def test_parameters_need_no_file(compose: Compose) -> None:
    evaluated = compose({"composition.nix": COMPOSITION}, parameters={"a": "no file", "b": "1"})
    assert evaluated["testScript"] == ": no file 2 "


def test_setup_toml_stands_beside_the_entry(compose: Compose) -> None:
    files = {f"below/{name}": text for name, text in FILES.items()}
    assert compose(files, entry="below/composition.nix", variant="quick")["testScript"] == "quick: hello 2 "


REFUSED = {
    "variant": (FILES, {"variant": "quik"}, "does not exist in setup.toml; it has dev, quick; did you mean `quick`?"),
    "reserved": (FILES, {"variant": "params"}, "setup variant `params`: this name is reserved in setup.toml"),
    "no file": (
        {"composition.nix": COMPOSITION},
        {"variant": "dev"},
        "setup variant `dev` is asked for, but there is no setup.toml",
    ),
    "parameter": (FILES, {"parameters": {"c": "1"}}, "setup parameter `c` does not exist in setup.toml; it has a, b"),
    "type": (FILES, {"parameters": {"b": "x"}}, "parameter `b` must be a whole number, as in setup.toml; it is `x`"),
    "operation": (
        FILES | {"setup.toml": TOML + '[build.hello]\nsource = "x"\n'},
        {},
        "setup.toml: build.hello.source: an operation is one of args, attrs, deps, src",
    ),
    "package": (
        FILES | {"setup.toml": TOML + "[build.helo.attrs]\nx = 1\n"},
        {},
        "setup.toml changes package `helo`, which does not exist",
    ),
    "source outside": (
        FILES | {"setup.toml": TOML + '[build.hello]\nsrc = "/etc"\n'},
        {},
        'src = "/etc": only a path inside the composition\'s source',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "request_", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_with_a_setup_is_named(
    compose: Compose, files: dict[str, str], request_: dict[str, object], message: str
) -> None:
    with pytest.raises(Refused) as refused:
        compose(files, **request_)
    assert message in str(refused.value)
