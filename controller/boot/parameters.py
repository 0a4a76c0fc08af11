"""The kernel command line of a node: the image's parameters, the user's, and deployment information.

The document stands on the line itself while the whole line fits; else the line says where to fetch it, and
its sha256. x86 keeps 2048 bytes with the closing NUL (COMMAND_LINE_SIZE, arch/x86/include/asm/setup.h): a line
of 2048 characters makes the kernel crash before it can say so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from controller.boot.document import Interface, fingerprint
from controller.model.errors import UserError

X86_LIMIT = 2047
PREFIX = "nxc."


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The whole line. `inline`: it carries the document; else the node has to fetch that."""

    text: str
    inline: bool

    @property
    def sha256(self) -> str:
        """What the node reports of /proc/cmdline without its newline."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()


def command_line(
    image: Sequence[str],
    user: Sequence[str],
    document: bytes,
    *,
    url: str,
    card: Interface | None = None,
    limit: int = X86_LIMIT,
) -> CommandLine:
    """Put the line together: `image`, then `user`, then ours.

    `url` is where the document can be fetched, through `card` where the node cannot find out by itself. Raises
    `UserError` where even the address does not fit, or a parameter is one of ours.
    """
    for parameter in user:
        if parameter.startswith(PREFIX):
            raise UserError(
                "ReservedParameter",
                f"spec.kernelParameters: {parameter!r}: {PREFIX}* belongs to the controller",
            )
    base = [*image, *user]
    encoded = base64.urlsafe_b64encode(document).rstrip(b"=").decode("ascii")
    inline = " ".join([*base, f"nxc.info={encoded}"])
    if len(inline) <= limit:
        return CommandLine(inline, inline=True)
    fetch = [f"nxc.url={url}", f"nxc.sha256={fingerprint(document)}"]
    if card is not None:
        fetch.append(f"nxc.net={card.mac},{card.address}")
    linked = " ".join([*base, *fetch])
    if len(linked) > limit:
        raise UserError(
            "CommandLineTooLong",
            f"the kernel's command line would have {len(linked)} bytes and may have {limit}: "
            f"{len(' '.join(user))} are those of spec.kernelParameters, {len(' '.join(image))} the image's",
        )
    return CommandLine(linked, inline=False)
