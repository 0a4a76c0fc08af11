"""How bad things are: the rates of every fault, and the dice that decide."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass


@dataclass(slots=True)
class Weather:
    """Chances of faults, each per call (or event, or wake). All zero: fine weather."""

    latency: float = 0.02
    """Usual seconds of one half of a call; exponentially distributed."""
    slow: float = 0.0
    """Chance that half a call takes up to `slowness` seconds."""
    slowness: float = 20.0
    refused: float = 0.0
    """429, 500, 503, no connection: an error, and nothing was done."""
    unanswered: float = 0.0
    """An error, though it was done."""
    conflict: float = 0.0
    hang: float = 0.0
    """A backend's call that does not come back by itself."""
    crash: float = 0.0
    """The operator dies within the call, before or after the effect."""
    lost: float = 0.0
    doubled: float = 0.0
    gap: float = 0.0
    """Per event: the watch breaks off; half of the breaks end in 410."""
    lag: float = 0.02
    """Usual seconds by which watches and wakes are late."""


def storm(rng: random.Random) -> Weather:
    """Bad weather of a random kind: some seeds have a little of everything, some much of one thing."""
    scale = rng.choice((0.0, 0.3, 1.0, 1.0, 2.5))

    def often(chance: float) -> float:
        return chance * scale * rng.choice((0.0, 1.0, 1.0, 3.0))

    return Weather(
        latency=rng.choice((0.002, 0.02, 0.02, 0.1)),
        slow=often(0.01),
        slowness=rng.choice((3.0, 20.0, 45.0)),
        refused=often(0.02),
        unanswered=often(0.02),
        conflict=often(0.01),
        hang=often(0.004),
        crash=often(0.002),
        lost=often(0.04),
        doubled=often(0.03),
        gap=often(0.02),
        lag=rng.choice((0.0, 0.02, 0.3, 2.0)),
    )


class Dice:
    """Draws for one process."""

    def __init__(self, weather: Weather, rng: random.Random) -> None:
        self.weather = weather
        self.random = rng

    def falls(self, chance: float) -> bool:
        """Whether something of this chance happens now."""
        return chance > 0 and self.random.random() < chance

    async def half_a_call(self) -> None:
        """Wait as long as a request or an answer is on its way."""
        weather = self.weather
        if self.falls(weather.slow):
            await asyncio.sleep(self.random.random() * weather.slowness)
        else:
            await asyncio.sleep(self.random.expovariate(1 / weather.latency))

    def late(self) -> float:
        """Seconds by which news is late."""
        return self.random.expovariate(1 / self.weather.lag) if self.weather.lag else 0.0
