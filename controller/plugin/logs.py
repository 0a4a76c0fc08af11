"""`kubectl nxc logs` and `console`: what a build, a unit and a machine's console said."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from controller.driver.target import why_not
from controller.driver.terminal import printable
from controller.model.composition import Composition, Image, ImageState
from controller.model.conditions import Condition
from controller.model.deployment import Deployment
from controller.model.node import Node


def build(composition: Composition, deployment: Deployment) -> str:
    """The build of the image of a deployment's flavour, as far as the API has it: of a failure the log's end."""
    flavour = deployment.flavour
    image = composition.image_for(flavour)
    name = f"composition {composition.meta.namespace}/{composition.meta.name}, flavour {flavour}"
    if image is None:
        return f"{name}: nobody has asked for an image yet{_said(composition.conditions['Ready'])}"
    lines = [f"{name}: {image.state.value}{f' ({image.progress})' if image.progress else ''}"]
    lines += _facts(image)
    if (
        (evaluated := composition.conditions["Evaluated"]) is not None
        and evaluated.message
        and evaluated.holds
    ):
        lines.append(f"warnings: {printable(evaluated.message)}")
    if image.message:
        lines.append(f"{image.reason}: {printable(image.message)}")
    if image.state is ImageState.FAILED:
        lines.append("(the end of the log; the whole of it is in the controller's --build-state, logs/)")
    return "\n".join(lines)


def _facts(image: Image) -> list[str]:
    details = image.details or {}
    names = (
        ("image", image.image),
        ("package source", details.get("packageSource")),
        ("pin", details.get("pin")),
        ("derivation", details.get("drv")),
        ("evaluated in", _seconds(details.get("evalSeconds"))),
        ("built in", _seconds(details.get("buildSeconds"))),
        ("size", _mebibytes(details.get("sizeBytes"))),
    )
    return [f"{name}: {value}" for name, value in names if value]


def journal(units: Sequence[str], *, follow: bool, lines: int | None) -> str:
    """The command that reads a node's journal (journalctl(1)); of all units where none is named."""
    command = ["journalctl", "--no-pager"]
    for unit in units:
        command += ["-u", unit]
    if lines is not None:
        command += ["-n", str(lines)]
    if follow:
        command.append("-f")
    return shlex.join(command)


def console(node: Node) -> str | None:
    """What the status has of a node's console: the end of it, while the node is not ready. `None`: nothing."""
    status = node.status
    if not status.evidence:
        return None
    heading = f"{node.spec.host}: {why_not(node)}"
    failure = status.last_failure
    if failure is not None and status.conditions.is_true("Stalled"):
        heading = f"{node.spec.host}: {failure.message} ({failure.blame.value})"
    return f"{heading}\nthe end of its console:\n{printable(status.evidence)}"


KERNEL_LOG = "dmesg 2>/dev/null || journalctl -k --no-pager"
"""What a healthy node has instead: its kernel's messages, most of what stands on its console."""


def _said(condition: Condition | None) -> str:
    return f": {condition.message}" if condition is not None and condition.message else ""


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, int | float) else ""


def _mebibytes(value: object) -> str:
    return f"{value / 2**20:.1f} MiB" if isinstance(value, int | float) else ""
