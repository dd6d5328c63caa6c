"""The three kinds of network that everybody knows, drawn from the numbers that flow through them (review, Figs. 1-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import ArrayLike, NDArray

from eqlib.viz.pictures import colours

POSITIVE, NEGATIVE = "#E69F00", "#0072B2"
Array = NDArray[np.float64]


def plot_dense(
    networks: Mapping[str, tuple[Sequence[ArrayLike], Sequence[ArrayLike]]], size: tuple[float, float] = (7.2, 2.9)
) -> Figure:
    """Dense networks side by side: a circle for each unit, coloured by its value, a line for each weight.

    networks: name -> (values, weights): one array (units,) a layer, and between two layers a matrix (units after, units
    before). Orange is positive, blue negative; a thicker line is a larger weight. The names of units run down a layer.
    """
    figure = Figure(figsize=size, layout="constrained")
    for axes, (name, (values, weights)) in zip(_row(figure, len(networks)), networks.items(), strict=True):
        layers = [np.asarray(v, dtype=np.float64) for v in values]
        matrices = [np.asarray(w, dtype=np.float64) for w in weights]
        wanted = [(len(after), len(before)) for before, after in zip(layers[:-1], layers[1:], strict=True)]
        if [w.shape for w in matrices] != wanted:
            raise ValueError(
                f"networks[{name!r}]: weights must have shapes {wanted}, got {[w.shape for w in matrices]}"
            )
        places = [(column, np.arange(len(v)) - (len(v) - 1) / 2) for column, v in enumerate(layers)]
        strongest = max(float(np.abs(w).max()) for w in matrices)
        for (x, before), (_, after), matrix in zip(places[:-1], places[1:], matrices, strict=True):
            for (j, i), weight in np.ndenumerate(matrix):
                ink, width = POSITIVE if weight > 0 else NEGATIVE, 0.3 + 2.2 * abs(weight) / strongest
                axes.plot([2 * x, 2 * x + 2], [-before[i], -after[j]], color=ink, linewidth=width, alpha=0.7, zorder=1)
        largest = max(float(np.abs(v).max()) for v in layers)
        for (x, heights), layer in zip(places, layers, strict=True):
            for y, value in zip(heights, layer, strict=True):
                _unit(axes, (2 * x, -y), value, largest, f"{round(value, 1) + 0.0:.1f}")  # never "-0.0"
        _frame(axes, name)
    return figure


def plot_convolutional(
    stages: Sequence[ArrayLike],
    windows: Sequence[tuple[int, int, int]],
    names: Sequence[str],
    scores: ArrayLike,
    size: tuple[float, float] = (7.2, 2.3),
) -> Figure:
    """A convolutional network at work: the maps of each stage as a stack, then the scores as bars.

    stages: arrays (channels, height, width), the image first, then what each layer makes of it.
    windows: for each stage, row and column of a window's upper left pixel, and its side; the window is joined to the middle of
    the next stage's window, which should be the pixel that is computed from it. The last one is best a single pixel.
    names: one for each stage and one for the scores. scores: (classes,).
    """
    maps = [np.asarray(s, dtype=np.float64) for s in stages]
    if any(m.ndim != 3 for m in maps):
        raise ValueError(f"stages must have shape (channels, height, width), got {[m.shape for m in maps]}")
    if len(windows) != len(maps) or len(names) != len(maps) + 1:
        raise ValueError(f"{len(maps)} stages need {len(maps)} windows and {len(maps) + 1} names")
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    left, step = 0.0, 0.12 * maps[0].shape[1]
    points: list[tuple[float, float, float]] = []  # of each window or pixel: left, top, side
    top = maps[0].shape[1] / 2
    for number, (stage, name) in enumerate(zip(maps, names, strict=False)):
        channels, height, width = stage.shape
        limit = float(np.abs(stage).max()) or 1.0
        for back in reversed(range(channels)):
            x, y = left + back * step, height / 2 + back * step
            pixels = colours(stage[back], "grey" if number == 0 else "diverging", (0 if number == 0 else -limit, limit))
            order = 2 * (channels - back)
            axes.imshow(pixels, extent=(x, x + width, y - height, y), interpolation="nearest", zorder=order)
            axes.add_patch(
                Rectangle((x, y - height), width, height, fill=False, edgecolor="black", lw=0.6, zorder=order)
            )
        row, column, side = windows[number]
        points.append((left + column, height / 2 - row, side))
        top = max(top, height / 2 + (channels - 1) * step)
        axes.text(
            left + (width + (channels - 1) * step) / 2,
            -maps[0].shape[1] / 2 - 1,
            name,
            ha="center",
            va="top",
            fontsize=9,
        )
        left += width + (channels - 1) * step + 0.45 * maps[0].shape[2]
    box: dict[str, Any] = {"fill": False, "edgecolor": "#D55E00", "linewidth": 1.3, "zorder": 40}
    for index, (west, north, extent) in enumerate(points):
        axes.add_patch(Rectangle((west, north - extent), extent, extent, **box))
        if index + 1 < len(points):
            a, b, inner = points[index + 1]
            end = (a + inner / 2, b - inner / 2)
            for corner in ((west + extent, north), (west + extent, north - extent)):
                axes.plot(*zip(corner, end, strict=True), color="#D55E00", linewidth=0.8, zorder=39)
    _bars(axes, np.asarray(scores, dtype=np.float64), left, maps[0].shape[1], names[-1])
    axes.set(xlim=(-1, left + 0.75 * maps[0].shape[2]), ylim=(-maps[0].shape[1] / 2 - 4.5, top + 1), aspect="equal")
    axes.axis("off")
    return figure


def plot_graphs(
    graphs: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], size: tuple[float, float] = (7.2, 2.6)
) -> Figure:
    """Graphs side by side on one scale of colours, each node with its number and, as its colour, its value.

    graphs: name -> (places (nodes, 2), adjacency (nodes, nodes), values (nodes,)).
    """
    figure = Figure(figsize=size, layout="constrained")
    largest = max((float(np.abs(np.asarray(values)).max()) for _, _, values in graphs.values()), default=0.0)
    for axes, (name, (places, adjacency, values)) in zip(_row(figure, len(graphs)), graphs.items(), strict=True):
        at, joined, numbers = (np.asarray(a, dtype=np.float64) for a in (places, adjacency, values))
        if at.shape != (len(at), 2) or joined.shape != (len(at), len(at)) or numbers.shape != (len(at),):
            raise ValueError(
                f"graphs[{name!r}] must have shapes (n, 2), (n, n) and (n,), got {at.shape}, {joined.shape}, {numbers.shape}"
            )
        for i, j in np.argwhere(np.triu(joined)):
            axes.plot(*at[[i, j]].T, color="#777777", linewidth=1.2, zorder=1)
        for number, (place, value) in enumerate(zip(at, numbers, strict=True)):
            _unit(axes, (place[0], place[1]), value, largest, str(number + 1), radius=0.17 * float(np.abs(at).max()))
        _frame(axes, name)
    return figure


def _row(figure: Figure, count: int) -> list[Axes]:
    if not count:
        raise ValueError("there must be at least one panel, got none")
    return list(np.atleast_1d(figure.subplots(1, count)))


def _unit(axes: Axes, at: tuple[float, float], value: float, largest: float, text: str, radius: float = 0.36) -> None:
    """A circle coloured by its value, with a text that can be read on it."""
    red, green, blue = (int(c) for c in colours([[value]], limits=(-(largest or 1.0), largest or 1.0))[0, 0])
    dark = red + green + blue < 380
    fill = f"#{red:02x}{green:02x}{blue:02x}"
    axes.add_patch(Circle(at, radius, facecolor=fill, edgecolor="black", linewidth=0.8, zorder=2))
    axes.text(*at, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "black", zorder=3)


def _frame(axes: Axes, name: str) -> None:
    axes.set_title(name, fontsize=10)
    axes.set_aspect("equal")
    axes.margins(0.08)
    axes.axis("off")


def _bars(axes: Axes, scores: Array, left: float, height: float, name: str) -> None:
    """Horizontal bars, class 0 on top, from a common zero; the highest in orange."""
    room = 0.6 * height
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    scale, thick = room / ((high - low) or 1.0), height / len(scores)
    zero = left - low * scale
    for label, score in enumerate(scores):
        y = height / 2 - (label + 0.5) * thick
        ink = POSITIVE if label == scores.argmax() else NEGATIVE
        axes.barh(y, score * scale, 0.7 * thick, left=zero, color=ink)
        axes.text(left - 0.6, y, str(label), fontsize=7, va="center", ha="right")
    axes.plot([zero, zero], [-height / 2, height / 2], color="black", linewidth=0.8)
    axes.text(left + room / 2, -height / 2 - 1, name, ha="center", va="top", fontsize=9)
