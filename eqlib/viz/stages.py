"""Networks as diagrams: what comes after what, from left to right (review, Figs. 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eqlib.viz.pictures import PALETTE

APART, HALF = 1.45, 0.56  # from one stage to the next, and half a stage's width


def plot_stages(
    stages: Sequence[tuple[str, Sequence[str], str]], repeat: tuple[int, int] | None = None, width: float = 1.3
) -> Figure:
    """Stages of a network, each (title, texts of its boxes, words below), with arrows from one to the next.

    repeat: (from, to): a line back from one stage to an earlier one, by their places. width: of a stage, inches.
    ValueError without a stage and for places that there are not.
    """
    if not stages:
        raise ValueError("stages: got none, expected at least one")
    if repeat is not None and not 0 <= repeat[1] < repeat[0] < len(stages):
        raise ValueError(f"repeat: got {repeat}, expected a place and an earlier one of {len(stages)} stages")
    figure = Figure(figsize=(width * len(stages), 2.9), layout="constrained")
    axes = figure.add_subplot()
    most = max(len(texts) for _, texts, _ in stages)
    top = 0.2 * max(most, 4) + 0.15
    for i, (title, texts, below) in enumerate(stages):
        _stage(axes, APART * i, top, title, texts, below)
        if i:
            ends = (APART * (i - 1) + HALF, 0.0), (APART * i - HALF, 0.0)
            axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": "#444444"})
    if repeat is not None:
        late, early = (APART * i for i in repeat)
        axes.plot([late, late, early], [top + 0.17, top + 0.43, top + 0.43], color=PALETTE[5], linewidth=1.5)
        arrow = {"arrowstyle": "->", "color": PALETTE[5], "linewidth": 1.5}
        axes.annotate("", (early, top + 0.15), (early, top + 0.45), arrowprops=arrow)
        axes.text((late + early) / 2, top + 0.48, "repeat", ha="center", va="bottom", color="#B34700", fontsize=10)
    axes.set(xlim=(-0.65, APART * (len(stages) - 1) + 0.65), ylim=(-top - 0.35, top + (0.75 if repeat else 0.2)))
    axes.axis("off")
    return figure


def _stage(axes: Axes, x: float, top: float, title: str, texts: Sequence[str], below: str) -> None:
    """A title, boxes under each other, and words below them."""
    axes.text(x, top, title, ha="center", va="center", fontsize=10, weight="bold")
    box = {"boxstyle": "round,pad=0.25", "facecolor": "#eaf2f8", "edgecolor": PALETTE[0]}
    for i, text in enumerate(texts):
        place = 0.4 * ((len(texts) - 1) / 2 - i)
        axes.text(x, place, text, ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    axes.text(x, 0.1 - top, below, ha="center", va="top", fontsize=8, color="#444444")
