"""The bound on loops within loops: no less than they take, and not so much more that real rules fail."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.cel_cost import most_steps, nests
from controller.local.core.cel_syntax import parse

NAMED = [{"name": f"r{n}", "hosts": [f"h{host}" for host in range(1000)]} for n in range(8)]


@pytest.mark.parametrize(
    ("text", "value", "steps"),
    [
        ("self.size() > 3", [1, 2], 0),
        ("self.all(a, a > 0)", [1] * 10, 10),
        ("self.all(a, self.all(b, a == b))", [1] * 10, 100),
        ("self.x.all(a, self.y.all(b, a == b))", {"x": [1] * 10, "y": [1] * 7, "z": [1] * 50}, 70),
        ("self.x.all(a, a > 0) && self.y.all(b, b > 0)", {"x": [1] * 10, "y": [1] * 7}, 10),
        ("self.x.all(k, self.x[k] > 0)", {"x": {"a": 1, "b": 2}}, 2),
        # what is not known before it runs counts as everything there is
        ("self.all(r, r.hosts.all(h, h != ''))", NAMED, 8 * (8 + 8 * 2 + 8 * 1000)),
        ("self.map(r, r.name).all(n, n != '')", NAMED, 8 + 8 * 2 + 8 * 1000),
        # a loop variable hides what it is called after
        ("self.all(self, self.all(b, b > 0))", [[1, 1], [1, 1]], 2 * 6),
        ("self.x.all(a, a > 0)", {}, 0),
        ("oldSelf.all(a, a in self)", [1] * 4, 3),
    ],
)
def test_steps(text: str, value: Any, steps: int) -> None:
    assert (
        most_steps(nests(parse(text)), {"self": value, "oldSelf": [1] * 3 if "oldSelf" in text else None})
        == steps
    )


def test_what_is_looked_up_costs_no_loop() -> None:
    rule = "self.all(a, self.all(b, a.name == b.name || !(b.name in a.hosts)))"
    assert most_steps(nests(parse(rule)), {"self": NAMED}) == 64
