"""Roots and weights in the plane, the 240 roots of E8 seen from a direction of choice, and the Fano plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from eqlib.viz.pictures import PALETTE

FINE = 2  # drawn this many times as large, then reduced, so that slanted lines have smooth edges


def plot_roots(systems: Mapping[str, tuple[ArrayLike, ArrayLike]], size: tuple[float, float] = (7.2, 2.7)) -> Figure:
    """Root systems of rank two side by side on one scale: an arrow to each root, simple roots in colour and named.

    systems: name -> (roots (n, 2), simple roots (2, 2)).
    """
    if not systems:
        raise ValueError("systems must not be empty")
    parsed = {
        name: (points(f"systems[{name!r}][0]", roots), points(f"systems[{name!r}][1]", simple))
        for name, (roots, simple) in systems.items()
    }
    limit = 1.32 * max(float(np.linalg.norm(roots, axis=1).max()) for roots, _ in parsed.values())
    figure = Figure(figsize=size, layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(parsed)))
    for axes, (name, (roots, simple)) in zip(panels, parsed.items(), strict=True):
        for root in roots:
            axes.annotate("", root, (0, 0), arrowprops={"arrowstyle": "->", "color": "#888888", "shrinkB": 0})
        for number, root in enumerate(simple):
            colour = PALETTE[[0, 5][number % 2]]
            style = {"arrowstyle": "->", "color": colour, "linewidth": 2.2, "shrinkB": 0}
            axes.annotate("", root, (0, 0), arrowprops=style)
            away = root * (1 + 0.2 * limit / np.linalg.norm(root) / 1.6)
            axes.text(*away, f"α{'₁₂'[number % 2]}", color=colour, ha="center", va="center", fontsize=11)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        axes.set_title(f"{name}: {len(roots)} roots", fontsize=10)
        axes.axis("off")
    return figure


def plot_weights(diagrams: Mapping[str, tuple[ArrayLike, ArrayLike]], size: tuple[float, float] = (7.2, 2.7)) -> Figure:
    """Weights in the plane side by side on one scale, each dot with its multiplicity in it.

    diagrams: name -> (weights (n, 2), multiplicities (n,)).
    """
    if not diagrams:
        raise ValueError("diagrams must not be empty")
    parsed = {}
    for name, (weights, counts) in diagrams.items():
        where, how_often = points(f"diagrams[{name!r}][0]", weights), np.asarray(counts)
        if how_often.shape != (len(where),):
            raise ValueError(
                f"diagrams[{name!r}][1] must have shape ({len(where)},), a multiplicity for each weight, "
                f"got {how_often.shape}"
            )
        parsed[name] = (where, how_often)
    limit = 1.25 * max(float(np.linalg.norm(where, axis=1).max()) for where, _ in parsed.values())
    figure = Figure(figsize=size, layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(parsed)))
    for axes, (name, (where, how_often)) in zip(panels, parsed.items(), strict=True):
        for (x, y), count in zip(where.tolist(), how_often.tolist(), strict=True):
            colour = PALETTE[(int(count) - 1) % 6]
            axes.plot(x, y, "o", color=colour, markersize=12, markeredgecolor="#333333", markeredgewidth=0.6)
            axes.text(x, y, f"{count}", color="white", ha="center", va="center_baseline", fontsize=8)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        axes.set_title(f"{name}: {how_often.sum()} dimensions", fontsize=10)
        axes.axis("off")
    return figure


def plot_projection(
    where: ArrayLike,
    shades: Sequence[int] | NDArray[np.int64],
    edges: ArrayLike = (),
    limit: float = 0.0,
    ink: str = "#d5dde3",
    size: int = 400,
) -> Image.Image:
    """Points in the plane as dots on a square of `size` pixels, x to the right and y up, the origin in the middle.

    where: (n, 2). shades: (n,), a number for each dot's colour, counted round the palette. edges: (m, 2), pairs of points
    that a thin line of the colour `ink` joins. limit: the largest coordinate that is still on the sheet; 0: a little more
    than the largest there is.
    """
    places = points("where", where)
    if len(shades) != len(places):
        raise ValueError(f"shades must be as many as points: got {len(shades)} for {len(places)}")
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    if len(pairs) and not 0 <= pairs.min() <= pairs.max() < len(places):
        raise ValueError(f"edges must point at 0 ... {len(places) - 1}, got {pairs.min()} ... {pairs.max()}")
    if limit < 0:
        raise ValueError(f"limit must not be negative, got {limit}")
    side, reach = FINE * size, limit or 1.06 * float(np.abs(places).max())
    sheet = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(sheet)
    pixels = (side / 2 * (1 + places * [1, -1] / reach)).tolist()
    for i, j in pairs.tolist():
        draw.line((*pixels[i], *pixels[j]), ink, FINE - 1)
    radius = 0.0115 * side
    for (x, y), shade in zip(pixels, shades, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), PALETTE[int(shade) % 6], "#333333", 1)
    return sheet.resize((size, size), Image.Resampling.BOX)


def plot_fano(triples: Sequence[tuple[int, int, int]], size: tuple[float, float] = (3.6, 3.3)) -> Figure:
    """The seven imaginary octonions as the points of the Fano plane; an arrow runs i -> j -> k where e_i e_j = e_k.

    triples: seven (i, j, k), numbers 1 ... 7, such that every two numbers lie in exactly one of them.
    """
    lines = [frozenset(t) for t in triples]
    if sorted(map(len, lines)) != [3] * 7 or any(len(a & b) != 1 for a in lines for b in lines if a != b):
        raise ValueError(f"triples must be the seven lines of a Fano plane, got {list(triples)}")
    if set().union(*lines) != set(range(1, 8)):
        raise ValueError(f"triples must be made of the numbers 1 ... 7, got {sorted(set().union(*lines))}")
    circle = triples[0]
    centre = min(set(range(1, 8)) - set(circle))
    place = {centre: np.zeros(2)}
    for turn, number in enumerate(circle):  # a point of the circle halves a side; the corner lies opposite
        angle = -np.pi / 2 + 2 * np.pi * turn / 3
        place[number] = np.array([np.cos(angle), np.sin(angle)])
        (through,) = (line for line in lines if {number, centre} < line)
        (corner,) = through - {number, centre}
        place[corner] = -2 * place[number]
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.add_patch(Circle((0, 0), 1, fill=False, color="#888888", linewidth=1.2))
    for turn in range(3):
        angle = 2 * np.pi * turn / 3  # beside the corners' lines, which cross the circle at -30 degrees and so on
        _head(axes, np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)]))
    for triple in triples[1:]:
        ends = max(((i, j) for i in triple for j in triple), key=lambda ij: np.linalg.norm(place[ij[0]] - place[ij[1]]))
        (middle,) = set(triple) - set(ends)
        start = triple[triple.index(middle) - 1]  # what stands before the middle in the cycle
        (stop,) = set(ends) - {start}
        axes.plot(*np.transpose([place[start], place[stop]]), color="#888888", linewidth=1.2, zorder=1)
        for one, two in ((start, middle), (middle, stop)):
            _head(axes, (place[one] + place[two]) / 2, place[two] - place[one])
    for number, at in place.items():
        axes.text(at[0], at[1], f"e{'₁₂₃₄₅₆₇'[number - 1]}", ha="center", va="center", fontsize=11, zorder=4,
                  bbox={"boxstyle": "circle,pad=0.25", "facecolor": "#eaf2f8", "edgecolor": PALETTE[0]})  # fmt: skip
    axes.set(xlim=(-2.1, 2.1), ylim=(-1.35, 2.35), aspect="equal")
    axes.axis("off")
    return figure


def _head(axes: Axes, at: NDArray[np.float64], along: NDArray[np.float64]) -> None:
    """An arrow head in the middle of a line."""
    step = 0.12 * along / np.linalg.norm(along)
    style = {"arrowstyle": "-|>", "color": PALETTE[5], "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tuple(at + step), tuple(at - step), arrowprops=style)


def points(name: str, array: ArrayLike) -> NDArray[np.float64]:
    """Finite points of the plane as floats (n, 2), n >= 1; ValueError with the argument's name."""
    found = np.asarray(array, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found):
        raise ValueError(f"{name} must have shape (n, 2) and not be empty, got {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return found
