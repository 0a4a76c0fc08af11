from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from controller.build.api import BuildContext
from controller.model.composition import Composition, ImageState
from controller.model.errors import Blame
from controller.model.kinds import COMPOSITION, Key
from nxc_simulators import builder
from nxc_simulators.builder import SimulatedBuilder, SimulatedBuilders, read

WEB = Key(COMPOSITION, "lab", "web")
PAPER = """
{ pkgs, ... }: {
  # roles = { not = this; };
  roles = {
    server = { services.nginx = { enable = true; virtualHosts."roles = {" = { }; }; };
    client.environment.systemPackages = [ pkgs.curl ];
  };
  testScript = ''roles = { no = 1; }'';
}
"""


def composition(text: str) -> Composition:
    return Composition.parse(
        {"metadata": {"name": "web", "namespace": "lab"}, "spec": {"source": {"inline": text}}}
    )


def make(woken: list[Key], builders: SimulatedBuilders) -> SimulatedBuilder:
    return builders(BuildContext(wake=woken.append, clock=lambda: datetime.now(UTC)))


async def until_ended(made: SimulatedBuilder, of: Composition) -> ImageState:
    for _ in range(200):
        state = made.want(WEB, of, "simulated").image.state
        if state in (ImageState.READY, ImageState.FAILED):
            return state
        await asyncio.sleep(0.005)
    raise AssertionError("the build did not end")


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        (PAPER, ("server", "client")),
        ("{ nodes = { a = { }; b = { }; }; }", ("a", "b")),
        ("# simulate: roles=x,y\n{ }", ("x", "y")),
        ("import ./somewhere", ("node",)),
    ],
)
def test_roles_are_read_from_the_text(text: str, roles: tuple[str, ...]):
    assert read(composition(text))[1] == roles


async def test_an_image_is_built_once_and_stays_in_the_store():
    woken: list[Key] = []
    builders = SimulatedBuilders(seconds=0.01)
    first = make(woken, builders)
    assert first.want(WEB, composition(PAPER), "simulated").image.state is ImageState.PENDING
    assert await until_ended(first, composition(PAPER)) is ImageState.READY
    assert len(woken) == 3  # evaluating, building, ready
    image = first.want(WEB, composition(PAPER), "simulated").image
    await first.aclose()
    again = make(woken, builders).want(WEB, composition(PAPER), "simulated")
    assert again.image == image
    assert again.roles == ("server", "client")
    assert image.source == composition(PAPER).source_digest


@pytest.mark.parametrize(
    ("directive", "reason"), [("evaluation-fails", "EvaluationFailed"), ("build-fails", "BuildFailed")]
)
async def test_a_build_fails_where_that_is_asked_for(directive: str, reason: str):
    made = make([], SimulatedBuilders(seconds=0.0))
    of = composition(f"# simulate: {directive}\n{PAPER}")
    assert await until_ended(made, of) is ImageState.FAILED
    image = made.want(WEB, of, "simulated").image
    assert (image.reason, image.blame) == (reason, Blame.USER)
    await made.aclose()


async def test_a_builder_s_own_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(builder, "TRY_AGAIN", 0.1)
    made = make([], SimulatedBuilders(seconds=0.0))
    of = composition(f"# simulate: builder-fails=1\n{PAPER}")
    assert await until_ended(made, of) is ImageState.FAILED
    assert made.want(WEB, of, "simulated").image.blame is Blame.CONTROLLER
    await asyncio.sleep(0.3)
    assert await until_ended(made, of) is ImageState.READY
    await made.aclose()


async def test_work_that_nobody_wants_any_more_stops():
    woken: list[Key] = []
    made = make(woken, SimulatedBuilders(seconds=0.01))
    made.want(WEB, composition(PAPER), "simulated")
    made.leave(WEB)
    await asyncio.sleep(0.05)
    assert woken == []
    await made.aclose()
