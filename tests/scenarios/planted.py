"""Bugs that are planted on purpose: each breaks one line of the operator. The scenarios must notice.

`python -m tests.scenarios.planted [NAME…]` tells after how many seeds each is caught, and by what.
"""

from __future__ import annotations
import __future__

import argparse
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from controller.plan import admission, attempt, node, trial, wish
from controller.plan import deployment as plan_deployment
from controller.reconcile import deployment, desk, ledgers, testbed
from controller.reconcile import node as reconcile_node
from controller.runtime import feed, leader, loop, queue, store
from tests.scenarios.fixed import fix_hashes

SEEDS = 40
"""Seeds within which each must be caught."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One line of a function, and what it is replaced by."""

    name: str
    where: Any
    line: str
    broken: str
    seed: int = 1
    """One that noticed it once; tried first, which saves time."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the line for a while."""
        function: FunctionType = self.where
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(self.line) != 1:
            raise ValueError(
                f"{self.name}: {function.__qualname__} has {self.line!r} {source.count(self.line)} times"
            )
        replaced = compile(
            source.replace(self.line, self.broken),
            function.__code__.co_filename,
            "exec",
            flags=__future__.annotations.compiler_flag,
            dont_inherit=True,
        )
        made: dict[str, Any] = {}
        exec(replaced, function.__globals__, made)
        sound, function.__code__ = function.__code__, made[function.__name__].__code__
        try:
            yield
        finally:
            function.__code__ = sound


BUGS = (
    Bug(
        "the queue forgets what was added while a worker had it",
        queue.WorkQueue.done,
        "if key in self._dirty:",
        "if self._dirty.pop(key, None) is None or True: return\n    if key in self._dirty:",
        seed=13,
    ),
    Bug(
        "a retry never waits",
        queue.WorkQueue.add_rate_limited,
        "self.add_after(key, delay)",
        "self.add(key)",
        seed=9,
    ),
    Bug(
        "a conflict is swallowed",
        loop.Loop._reconcile,
        'self._again(key, "requeue")',
        "pass",
        seed=8,
    ),
    Bug(
        "an error of the API is swallowed",
        loop.Loop._reconcile,
        'self._again(key, "error", after=error.retry_after)',
        "pass",
        seed=38,
    ),
    Bug(
        "a status is written without the resource version",
        desk.Desk.write_status,
        '{"metadata": {"resourceVersion": entry.meta.resource_version}, "status": difference}',
        '{"status": difference}',
        seed=2,
    ),
    Bug(
        "the attempt is not on record before the boot",
        reconcile_node.NodeReconciler.reconcile,
        "entry = await desk.write_status(key, entry, planned.status.to_dict())",
        "entry = entry if planned.actions else await desk.write_status(key, entry, planned.status.to_dict())",
    ),
    Bug(
        "an attempt's number is used again",
        node._start,
        "number = status.attempt.number + 1 if status.attempt else 1",
        "number = max(1, status.attempt.number) if status.attempt else 1",
        seed=2,
    ),
    Bug(
        "the next attempt does not wait",
        node._recover,
        "if _wait(status, now) > timedelta(0):",
        "if False:",
        seed=3,
    ),
    Bug(
        "a release that failed counts as done",
        reconcile_node.NodeReconciler._let_go,
        "desk.problems[key] = error",
        "released = True",
    ),
    Bug(
        "a release that is not finished counts as done",
        reconcile_node.NodeReconciler._let_go,
        "if released:",
        "if not desk.problems.get(key):",
    ),
    Bug(
        "changed information is not pushed",
        node._observe,
        "if outdated and not world.suspend else ()",
        "if False else ()",
    ),
    Bug(
        "a node is ready before it is informed",
        node._observe,
        "next((condition for condition in stages if not condition.holds), None)",
        'next((c for c in stages if not c.holds and c.type != "Informed"), None)',
    ),
    Bug(
        "the test script goes on when the nodes are taken away",
        deployment.DeploymentReconciler._do,
        "await self._sandbox.stop(key)",
        "pass",
        seed=22,
    ),
    Bug(
        "a test is run before the deployment is ready with what is to be tested",
        trial._stands,
        "return all(",
        "return True or all(",
        seed=3,
    ),
    Bug(
        "the ledger forgets memory",
        admission.Ledger._blocked,
        "memory > self.capacity.memory - self._memory",
        "False",
        seed=16,
    ),
    Bug(
        "a deployment goes before its nodes do",
        plan_deployment._wind_down,
        "elif ours:",
        "elif False:",
    ),
    Bug(
        "a lease never ends",
        wish.lapsed,
        "return end is not None and now >= end",
        "return False",
        seed=10,
    ),
    Bug(
        "what has no owner is not swept up",
        testbed.TestbedReconciler._ownerless,
        "return True",
        "return False",
        seed=27,
    ),
    Bug(
        "a testbed in use may go",
        deployment.DeploymentReconciler._claim,
        "if IN_USE_FINALIZER not in testbed.meta.finalizers:",
        "if False:",
    ),
    Bug(
        "the store takes older versions",
        store.newer,
        "return int(version) > int(than)",
        "return True",
        seed=16,
    ),
    Bug(
        "a composition wakes nobody",
        feed.Feed._concerned,
        "return [(user, 0) for user in self.store.users(key)]",
        "return []",
        seed=6,
    ),
    Bug(
        "a lease is taken before it has expired",
        leader.may_take,
        'return now - observation.since > float(spec.get("leaseDurationSeconds") or 0)',
        "return True",
        seed=4,
    ),
    Bug(
        "a leader goes on after it lost the lease",
        leader.Leadership._lead,
        "job.cancel()",
        "pass",
        seed=16,
    ),
    Bug(
        "a machine that ended is not noticed",
        attempt.over,
        "if machine.phase is Phase.GONE:",
        "if False:",
        seed=3,
    ),
    Bug(
        "an attempt that hangs goes on for ever",
        attempt.over,
        "if reached or left(attempt, machine, now) > timedelta(0):",
        "if True:",
        seed=99,
    ),
    Bug(
        "the machines of orphans are given away",
        ledgers.Ledgers.recount,
        "standing.setdefault(node.spec.testbed, []).append(node)",
        "pass",
        seed=26,
    ),
    Bug(
        "a deployment that expired keeps its nodes",
        plan_deployment._wind_down,
        "actions += [DeleteNode(node) for node in ours if not node.meta.deleting]",
        "actions += [DeleteNode(node) for node in ours if meta.deleting and not node.meta.deleting]",
        seed=10,
    ),
    Bug(
        "news of nodes does not reach their deployment",
        feed.Feed._concerned,
        "return self._around_node(entry, before, after)",
        "return []",
        seed=9,
    ),
    Bug(
        "a worker does not survive a failure",
        loop.Loop._work,
        "await self._reconcile(key)",
        "await (self._reconcile(key) if key not in self._queue._failures else asyncio.Event().wait())",
    ),
)


def hunt(bug: Bug, seeds: int = SEEDS) -> tuple[int, str] | None:
    """The first seed at which the scenarios notice a planted bug, and what they say."""
    from tests.scenarios.scenario import Scenario

    with bug.planted():
        for seed in dict.fromkeys((bug.seed, *range(1, seeds + 1))):
            result = Scenario(seed).run()
            if result.violations:
                return seed, str(result.violations[0]).splitlines()[0]
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; default: all")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    fix_hashes()
    missed = 0
    for bug in BUGS:
        if options.names and not any(name in bug.name for name in options.names):
            continue
        found = hunt(bug, options.seeds)
        missed += found is None
        print(
            f"{bug.name}: {'NOT CAUGHT' if found is None else f'seed {found[0]}: {found[1][:160]}'}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
