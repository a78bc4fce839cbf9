"""What was measured, beside what was asked for, as a table and as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.stand import Cost


@dataclass(frozen=True)
class Figure:
    """One line. `target` is a least ratio to the bare view where there is one, else a bound on `ours`."""

    name: str
    unit: str
    ours: float
    target: float
    bare: float | None = None
    at_most: bool = False
    cost: Cost | None = None
    bare_cost: Cost | None = None
    note: str = ""
    paired: float | None = None
    """The ratio, where rounds of both were measured in pairs."""

    @property
    def ratio(self) -> float | None:
        return self.paired or (self.ours / self.bare if self.bare else None)

    @property
    def is_met(self) -> bool:
        measured = self.ours if self.ratio is None else self.ratio
        return measured <= self.target if self.at_most else measured >= self.target

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "is_met": self.is_met}


HEADINGS = ("", "ours", "bare", "ratio", "target", "server CPU s/1000", "PostgreSQL CPU s/1000", "")


def table(figures: Iterable[Figure]) -> str:
    return in_columns([HEADINGS, *(_row(figure) for figure in figures)])


def in_columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns of numbers, set to the right, but for those in `left`."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    sign = "≤" if figure.at_most else "≥"
    bare, ratio = figure.bare, figure.ratio
    bound = f"{figure.target:.0%}" if ratio is not None else f"{figure.target:g} {figure.unit}"
    return (
        figure.name,
        f"{figure.ours:.0f} {figure.unit}",
        f"{bare:.0f} {figure.unit}" if bare is not None else "",
        f"{ratio:.0%}" if ratio is not None else "",
        f"{sign} {bound}",
        _costs(figure, "server"),
        _costs(figure, "postgres"),
        "pass" if figure.is_met else "MISS",
    )


def _costs(figure: Figure, whose: str) -> str:
    costs = [f"{getattr(cost, whose):.2f}" for cost in (figure.cost, figure.bare_cost) if cost]
    return " / ".join(costs)


def write(path: Path, figures: Iterable[Figure], machine: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    content = {**machine, "figures": [figure.as_dict() for figure in figures]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
