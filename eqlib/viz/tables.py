"""Finite groups to look at: a multiplication table in colours, and letters, which show how they have been turned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from eqlib.viz.pictures import font

# Light enough for black names; neighbours in the list differ in lightness too.
SHADES = ["#ffffff", "#9ecae1", "#fdd0a2", "#d9d9d9", "#c6dbef", "#fdae6b", "#e7e1ef", "#bdbdbd"]


def plot_table(table: ArrayLike, names: Sequence[str], cell: int = 44) -> Image.Image:
    """Multiplication table of a finite group, each product a coloured cell of `cell` pixels with its name.

    table: (n, n), row g and column h hold the index of g h. names: n words; they also stand above and to the left.
    """
    index = np.asarray(table)
    n = len(names)
    if index.shape != (n, n):
        raise ValueError(f"table must have shape ({n}, {n}) for {n} names, got {index.shape}")
    if not np.issubdtype(index.dtype, np.integer) or index.min() < 0 or index.max() >= n:
        raise ValueError(f"table must hold whole numbers from 0 to {n - 1}")
    sheet = Image.new("RGB", ((n + 1) * cell + 1, (n + 1) * cell + 1), "white")
    draw = ImageDraw.Draw(sheet)

    def write(row: int, column: int, text: str, colour: str) -> None:
        middle = (column * cell + cell // 2, row * cell + cell // 2)
        draw.text(middle, text, fill=colour, font=font(round(0.34 * cell)), anchor="mm")

    for row in range(n):
        write(row + 1, 0, names[row], "#555555")
        write(0, row + 1, names[row], "#555555")
        for column in range(n):
            product = int(index[row, column])
            x, y = (column + 1) * cell, (row + 1) * cell
            draw.rectangle((x, y, x + cell, y + cell), SHADES[product % len(SHADES)], "#888888")
            write(row + 1, column + 1, names[product], "black")
    return sheet


def letters(text: str, size: int = 15) -> NDArray[np.float64]:
    """Each letter as a picture of `size` x `size` pixels, 0 to 1, centred: (len(text), size, size), row 0 at the top.

    Capitals such as F, G, L, P, Q and R have no symmetry, so that each of their eight poses is another picture.
    """
    if not text:
        raise ValueError("text must not be empty")
    if size < 5:
        raise ValueError(f"size must be at least 5 pixels, got {size}")
    drawn = []
    for letter in text:
        sheet = Image.new("L", (4 * size, 4 * size))
        where = (2 * size, 2 * size)
        ImageDraw.Draw(sheet).text(where, letter, fill=255, font=font(round(4.4 * size)), anchor="mm")
        drawn.append(np.asarray(sheet.resize((size, size), Image.Resampling.BOX)) / 255)
    return np.array(drawn)
