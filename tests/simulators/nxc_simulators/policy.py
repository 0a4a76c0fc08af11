"""What becomes of a machine: drawn from the world's seed, or asked for on the node's kernel command line.

| parameter | meaning |
|---|---|
| `sim.latency=SECONDS` | each stage (start, report, first contact, health) takes so long |
| `sim.fail=boot` | the testbed refuses the order |
| `sim.fail=start` | the machine is never started |
| `sim.fail=die` | it dies while it boots |
| `sim.fail=inform` | it never fetches its deployment information |
| `sim.fail=report` | it reports another system than the one asked for |
| `sim.fail=reach` | it does not answer on the network |
| `sim.fail=health` | one of its units fails |
| `sim.fail-attempts=N` | only the first N attempts fail (of `boot`: the first N orders) |
| `sim.vanish-after=SECONDS` | it vanishes so long after it began to run |
| `sim.hosts=A,B` | all this is for these hosts alone |
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.model.machine import Order
from nxc_simulators.life import NEVER, Fate

FAILURES = ("boot", "start", "die", "inform", "report", "reach", "health")


@dataclass(frozen=True, slots=True)
class Policy:
    """How a world treats machines about which nothing is asked for.

    `stage` is the usual length of one stage in seconds; `spread` how much it varies, as a share of it.
    `trouble` is the chance that a machine fails at some stage, `vanishing` that it vanishes later, within
    `lifetime` seconds. `ending` is how long a release takes.
    """

    seed: int = 0
    stage: float = 0.5
    spread: float = 0.5
    trouble: float = 0.0
    vanishing: float = 0.0
    lifetime: float = 600.0
    ending: float = 0.0

    def fate(self, order: Order, pace: float = 1.0) -> Fate:
        """The fate of a machine, the same whenever it is asked. `pace` stretches the usual stages."""
        dice = random.Random(f"{self.seed}/{order.key.node}/{order.key.attempt}")
        asked = parameters(order)
        stage = float(asked["latency"]) if "latency" in asked else self.stage * pace
        moments = []
        age = 0.0
        for _ in range(4):
            age += stage if "latency" in asked else stage * (1 + self.spread * (2 * dice.random() - 1))
            moments.append(age)
        running, reported, reached, healthy = moments
        fate = Fate(running, reported, reached, healthy)
        if "fail" in asked:
            few = order.key.attempt <= int(asked.get("fail-attempts", "1000000"))
            return fail(fate, asked["fail"], 0.5) if few and asked["fail"] != "boot" else fate
        if "vanish-after" in asked:
            return replace(fate, ends=fate.running + float(asked["vanish-after"]), ending="it vanished")
        if dice.random() < self.trouble:
            return fail(fate, dice.choice(FAILURES[1:]), dice.random())
        if dice.random() < self.vanishing:
            return replace(fate, ends=fate.running + self.lifetime * dice.random(), ending="it vanished")
        return fate

    def refuses(self, order: Order, tries: int) -> bool:
        """Whether the testbed refuses an order that it has refused `tries` times before."""
        asked = parameters(order)
        return asked.get("fail") == "boot" and tries < int(asked.get("fail-attempts", "1000000"))


def fail(fate: Fate, how: str, when: float) -> Fate:
    """The same fate, but it fails; `when` (0 to 1) is how far into the stage it dies."""
    match how:
        case "start":
            return replace(fate, running=NEVER, reported=NEVER, reached=NEVER, healthy=NEVER)
        case "die":
            age = fate.running * when if when < 0.5 else fate.running + (fate.reached - fate.running) * when
            return replace(fate, ends=age, ending="Kernel panic - not syncing: simulated")
        case "inform":
            return replace(fate, reported=NEVER, reached=NEVER, healthy=NEVER)
        case "report":
            return replace(fate, wrong=True)
        case "reach":
            return replace(fate, reached=NEVER, healthy=NEVER)
        case "health":
            return replace(fate, healthy=NEVER, broken="simulated.service")
        case _:
            raise ValueError(f"sim.fail={how}: not one of {', '.join(FAILURES)}")


def parameters(order: Order) -> Mapping[str, str]:
    """What the kernel command line asks of the simulation; nothing where it is for other hosts."""
    found = {
        name.removeprefix("sim."): value
        for name, _, value in (text.partition("=") for text in order.kernel_parameters)
        if name.startswith("sim.")
    }
    if "hosts" in found and order.host not in found["hosts"].split(","):
        return {}
    return found
