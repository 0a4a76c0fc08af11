"""Figures side by side, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of a name, an aim and one cell a control plane."""

    columns: Sequence[str]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def row(self, name: str, aim: str, *cells: str) -> None:
        """A line; cells that are missing are shown as a dash."""
        filled = [*cells, *[""] * (len(self.columns) - len(cells))]
        self.rows.append((name, aim, *(cell or "–" for cell in filled)))

    def heading(self, text: str) -> None:
        """A line of its own."""
        self.rows.append((text,))

    def __str__(self) -> str:
        head = ("", "aim", *self.columns)
        full = [head, *(row for row in self.rows if len(row) > 1)]
        widths = [max(len(row[index]) for row in full) for index in range(len(head))]
        lines = []
        for row in (head, *self.rows):
            if len(row) == 1:
                lines += ["", row[0]]
                continue
            cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)
