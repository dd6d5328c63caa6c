"""Maps of the subject: which group lies in which."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# name: (column, row, what it acts on); arrows run from a subgroup to a group that contains it.
GROUPS = {
    "C_n": (0, 0, "turns of an n-gon"),
    "D_n": (0, 1, "turns and flips"),
    "SO(2)": (1, 0, "turns of the plane"),
    "O(2)": (1, 1, "turns and flips"),
    "SO(3)": (2, 0, "turns of space"),
    "O(3)": (2, 1, "turns and mirrors"),
    "SO(1,3)": (3, 0, "turns and boosts"),
    "SL(2,C)": (3, 1, "its double cover"),
}
CONTAINED = [
    ("C_n", "D_n"),
    ("C_n", "SO(2)"),
    ("D_n", "O(2)"),
    ("SO(2)", "O(2)"),
    ("SO(2)", "SO(3)"),
    ("O(2)", "O(3)"),
    ("SO(3)", "O(3)"),
    ("SO(3)", "SO(1,3)"),
]
COLUMNS = ["finite", "plane", "space", "space-time"]


def plot_group_map() -> Figure:
    """The groups of `eqlib.groups` in four columns, with arrows from subgroups to groups (dashed: a double cover)."""
    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    axes = figure.add_subplot()
    box = {"boxstyle": "round,pad=0.5", "facecolor": "#eaf2f8", "edgecolor": "#0072B2"}
    for name, (column, row, acts_on) in GROUPS.items():
        axes.text(column, row, f"{name}\n{acts_on}", ha="center", va="center", fontsize=9, bbox=box, zorder=3)
    for small, large in CONTAINED:
        _arrow(axes, GROUPS[small][:2], GROUPS[large][:2], "-")
    _arrow(axes, GROUPS["SL(2,C)"][:2], GROUPS["SO(1,3)"][:2], "--")
    for column, title in enumerate(COLUMNS):
        axes.text(column, 1.55, title, ha="center", fontsize=10, weight="bold")
    axes.set(xlim=(-0.5, 3.5), ylim=(-0.35, 1.75))
    axes.axis("off")
    return figure


def _arrow(axes: Axes, start: tuple[int, int], end: tuple[int, int], style: str) -> None:
    """An arrow between two boxes that stops short of them, because a box is wider than it is high."""
    step = (end[0] - start[0], end[1] - start[1])
    gap = (0.39 * step[0], 0.26 * step[1])
    axes.annotate(
        "", (end[0] - gap[0], end[1] - gap[1]), (start[0] + gap[0], start[1] + gap[1]),
        arrowprops={"arrowstyle": "->", "linestyle": style, "color": "#444444"},
    )  # fmt: skip
