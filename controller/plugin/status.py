"""`kubectl nxc status NXD`: how far a deployment is, node by node, and why. Text from objects; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controller.model.composition import Image
from controller.model.conditions import Condition, Conditions
from controller.model.deployment import PHASES, Deployment
from controller.model.node import Node

STAGES = ("Booted", "Informed", "Verified", "Reachable", "Healthy")


def render(deployment: Deployment, nodes: Iterable[Node], image: Image | None = None) -> str:
    """The whole page. `image`: the one that is waited for, where it is not there yet."""
    status = deployment.status
    where = f"flavour {deployment.flavour}, testbed {status.testbed or 'none'}"
    summary = status.counts.to_dict()["summary"]
    lines = [
        f"{deployment.meta.namespace}/{deployment.meta.name}: {summary} nodes ready, {where}",
        *([f"image: {image.state.value}{f', {image.progress}' if image.progress else ''}"] if image else []),
        "",
        *table(_condition_rows(status.conditions)),
        "",
        *table(_node_rows(sorted(nodes, key=lambda node: (node.spec.role, node.spec.host)))),
    ]
    if status.timings:
        lines += ["", *table(_phase_rows(deployment))]
    return "\n".join(lines)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as kubectl sets them: three spaces apart, the last one free."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _condition_rows(conditions: Conditions) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("CONDITION", "STATUS", "REASON", "MESSAGE")]
    rows += [(c.type, c.status.value, c.reason, c.message) for c in conditions.by_type.values()]
    return rows


def _node_rows(nodes: Iterable[Node]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("HOST", "ROLE", "MACHINE", "ATTEMPT", *(stage.upper() for stage in STAGES), "WHY NOT READY")
    ]
    for node in nodes:
        conditions = node.status.conditions
        ready = conditions["Ready"]
        attempt = node.status.attempt
        rows.append(
            (
                node.spec.host,
                node.spec.role,
                node.spec.machine,
                str(attempt.number if attempt else 0),
                *(_mark(conditions[stage]) for stage in STAGES),
                "" if ready is None or ready.holds else ready.message,
            )
        )
    return rows


def _mark(condition: Condition | None) -> str:
    if condition is None:
        return "-"
    return {"True": "yes", "False": "no"}.get(condition.status.value, "?")


def _phase_rows(deployment: Deployment) -> list[tuple[str, ...]]:
    """Seconds from one phase to the next (the paper's Figure 8)."""
    rows: list[tuple[str, ...]] = [("PHASE", "AT", "AFTER")]
    reached = [
        (name, deployment.status.timings[name]) for name in PHASES if name in deployment.status.timings
    ]
    before = None
    for name, time in sorted(reached, key=lambda item: item[1]):
        after = "" if before is None else f"{(time - before).total_seconds():.1f} s"
        rows.append((name.removesuffix("At"), time.strftime("%H:%M:%S"), after))
        before = time
    return rows
