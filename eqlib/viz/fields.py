"""Fields of arrows in the plane, and kernels whose values are matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from eqlib.viz.pictures import PALETTE, picture


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
    limit = 1.35 * max(float(np.abs(points).max()) for points, _ in pairs.values())
    longest = max(float(np.linalg.norm(vectors, axis=1).max()) for _, vectors in pairs.values())
    columns = columns or len(pairs)
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(columns * panel, rows * (panel + 0.3)), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).ravel():
        axes.axis("off")
    for axes, (name, (points, vectors)) in zip(figure.axes, pairs.items(), strict=False):
        still = np.linalg.norm(vectors, axis=1) <= 1e-9 * longest
        axes.scatter(points[still, 0], points[still, 1], s=3, color="#bbbbbb")
        arrows = vectors[~still] * (0.25 * limit / longest if longest > 0 else 1.0)
        axes.quiver(*points[~still].T, *arrows.T, color=PALETTE[0], angles="xy", scale_units="xy", scale=1, width=0.009)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        axes.set_title(name, fontsize=10)
    return figure


def plot_kernel(kernel: ArrayLike, limit: float | None = None, size: int = 160) -> Image.Image:
    """A kernel (out, in, height, width) as a matrix of pictures, row after row, parted by black lines.

    Orange is positive, blue negative; `limit` is the value of the deepest colour, by default the largest there is.
    size: about the width in pixels.
    """
    values = np.asarray(kernel, dtype=np.float64)
    if values.ndim != 4 or not values.size:
        raise ValueError(f"kernel must have shape (out, in, height, width) and not be empty, got {values.shape}")
    limit = float(np.abs(values).max()) if limit is None else limit
    rows, columns = values.shape[:2]
    each = [[picture(entry, limits=(-limit, limit), size=size // columns) for entry in row] for row in values]
    width, height = each[0][0].size
    sheet = Image.new("RGB", (columns * (width + 1) - 1, rows * (height + 1) - 1), "black")
    for i, row in enumerate(each):
        for j, entry in enumerate(row):
            sheet.paste(entry, (j * (width + 1), i * (height + 1)))
    return sheet
