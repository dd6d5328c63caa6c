"""Fields of arrows in the plane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from eqlib.viz.pictures import PALETTE


def plot_fields(
    fields: Mapping[str, tuple[ArrayLike, ArrayLike]], columns: int | None = None, panel: float = 2.3
) -> Figure:
    """Arrow fields side by side, each (points (n, 2), vectors (n, 2)) in a panel of its own, x to the right and y up.

    All panels have one scale, and the longest arrow of all is as long as a quarter of a panel's half width. A point whose
    vector is zero is a dot. columns: panels in a row, by default all. panel: width of a panel in inches.
    """
    if not fields:
        raise ValueError("fields must not be empty")
    pairs = {name: [np.asarray(x, dtype=np.float64) for x in pair] for name, pair in fields.items()}
    for name, (points, vectors) in pairs.items():
        if points.ndim != 2 or points.shape[1] != 2 or points.shape != vectors.shape:
            raise ValueError(
                f"fields[{name!r}] must be points and vectors of one shape (n, 2), got {points.shape} and {vectors.shape}"
            )
    limit = 1.25 * max(float(np.abs(points).max()) for points, _ in pairs.values())
    longest = max(float(np.linalg.norm(vectors, axis=1).max()) for _, vectors in pairs.values())
    columns = columns or len(pairs)
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(columns * panel, rows * (panel + 0.3)), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).ravel():
        axes.axis("off")
    for axes, (name, (points, vectors)) in zip(figure.axes, pairs.items(), strict=False):
        still = np.linalg.norm(vectors, axis=1) <= 1e-9 * longest
        axes.scatter(*points[still].T, s=3, color="#bbbbbb")
        arrows = vectors[~still] * (0.25 * limit / longest if longest > 0 else 1.0)
        axes.quiver(
            *points[~still].T, *arrows.T, color=PALETTE[0], angles="xy", scale_units="xy", scale=1, width=0.009
        )
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        axes.set_title(name, fontsize=10)
    return figure
