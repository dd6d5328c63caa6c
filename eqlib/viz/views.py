"""A picture of a scene of space (scenes.py) from any side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageColor, ImageDraw

from eqlib.viz.pictures import font, table
from eqlib.viz.scenes import Array, Parts, Piece, Scenes, named, places, taken_apart

FINE = 2  # drawn this many times as large, then reduced, so that edges are smooth
LIGHT = np.array([0.36, 0.48, 0.8])  # where light comes from, as the reader sees it: right, up, towards the eye
HEADLINE = 20  # pixels above a panel, for its name


def frame(towards: ArrayLike, up: ArrayLike) -> Array:
    """Rows right, up and towards the eye (3, 3), from the direction to the eye and the axis that stands upright."""
    eye, axis = places("towards", towards, (3,)), places("up", up, (3,))
    right = np.cross(axis, eye)
    if np.linalg.norm(right) < 1e-9 * np.linalg.norm(axis) * np.linalg.norm(eye) or not eye.any() or not axis.any():
        raise ValueError(f"towards: got {towards!r}, expected a direction that does not lie along up, {up!r}")
    right, eye = right / np.linalg.norm(right), eye / np.linalg.norm(eye)
    return np.stack([right, np.cross(eye, right), eye])


def reach_of(parts: Parts) -> float:
    """Half the length that a panel must show, for every scene to fit in however it is turned."""
    balls = dict.fromkeys(range(sum(map(len, parts.vertices))), 0.0) | {i: r for i, r, _ in parts.discs}
    lengths = np.linalg.norm(np.concatenate(parts.vertices), axis=1) + np.array(list(balls.values()))
    return float(1.06 * lengths.max()) or 1.0


def layout(
    scenes: Mapping[str, Sequence[Piece]], size: int, columns: int | None
) -> tuple[tuple[int, int], list[Array]]:
    """Size of the sheet and the panels' centres on it, in pixels; a panel with a name has room for it above."""
    columns = columns or len(scenes)
    rows, head = -(-len(scenes) // columns), HEADLINE if any(scenes) else 0
    centres = [np.array([(i % columns + 0.5) * size, (i // columns + 0.5) * (size + head) + head / 2])
               for i in range(len(scenes))]  # fmt: skip
    return (columns * size, rows * (size + head)), centres


def plot_scene(
    scene: Scenes,
    towards: ArrayLike = (1.0, 0.7, 0.5),
    up: ArrayLike = (0, 0, 1),
    size: int = 320,
    columns: int | None = None,
    reach: float | None = None,
) -> Image.Image:
    """A picture of the scene from the direction `towards` (3,), with `up` upright and the origin in the middle.

    scene: pieces, or several scenes by name, each in a panel of `size` by `size` pixels, `columns` in a row (by default all), its
    name above it. reach: half the length that a panel shows, in the scene's units; by default all fits in from every side.

    >>> from eqlib import viz
    >>> viz.plot_scene([viz.Points([(0, 0, 0)], radius=0.5)], size=100).getpixel((50, 50))
    (0, 114, 178)
    """
    scenes, parts = named(scene), taken_apart(scene)
    sheet_size, centres = layout(scenes, size, columns)
    scale = FINE * size / 2 / (reach or reach_of(parts))
    seen = np.concatenate(parts.vertices) @ frame(towards, up).T
    middle = FINE * np.concatenate([np.tile(centres[panel], (n, 1)) for n, panel in parts.panels])
    flat = seen[:, :2] * [scale, -scale] + middle
    sheet = Image.new("RGB", (FINE * sheet_size[0], FINE * sheet_size[1]), "white")
    draw = ImageDraw.Draw(sheet)
    depths, corners, fills = _quads(parts, seen, flat)
    jobs = [
        (depth, partial(draw.polygon, corner, fill))
        for depth, corner, fill in zip(depths.tolist(), corners, fills, strict=True)
    ]
    for i, radius, colour in parts.discs:
        r, (x, y) = radius * scale, flat[i]
        jobs.append((seen[i, 2] + radius, partial(draw.ellipse, (x - r, y - r, x + r, y + r), colour, "#333333", FINE)))
    for i, j, thick, colour in parts.sticks:
        line, width = (*flat[i], *flat[j]), max(FINE, round(thick * scale))
        jobs.append((seen[[i, j], 2].mean(), partial(draw.line, line, colour, width)))
    for i, j, thick, colour in parts.heads:
        jobs.append((seen[j, 2], partial(draw.polygon, _head(flat[i], flat[j], thick * scale), colour)))
    for _, job in sorted(jobs, key=lambda job: job[0]):
        job()
    for name, (x, y) in zip(scenes, centres, strict=True):
        draw.text((FINE * x, FINE * (y - size / 2 - HEADLINE / 2)), name, "black", font(FINE * 13), "mm")
    for i, word in parts.words:
        draw.text(tuple(flat[i]), word, "black", font(FINE * 13), "mm", stroke_width=FINE, stroke_fill="white")
    return sheet.resize(sheet_size, Image.Resampling.BOX)


def _head(neck: Array, tip: Array, width: float) -> list[tuple[float, float]]:
    """The triangle of an arrow's head on the sheet; a small one where the arrow points at the eye."""
    along = tip - neck
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9) * width / 2
    return [tuple(tip), tuple(neck + across), tuple(neck - across)]


def _quads(parts: Parts, seen: Array, flat: Array) -> tuple[Array, list[list[float]], list[tuple[int, ...]]]:
    """Depths, corners on the sheet and colours of all quads of all grids, lit from the front."""
    numbers, colours, start, shades = [], [], 0, iter(parts.shades)
    for rows, columns, colour in parts.grids:
        index = start + np.arange(rows * columns).reshape(rows, columns)
        numbers.append(np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4))
        if colour is None:
            shade = next(shades).astype(np.float64)[numbers[-1] - start].mean(1)
            colours.append(table("diverging")[shade.astype(np.int64)].astype(np.float64))
        else:
            colours.append(np.tile(np.array(ImageColor.getrgb(colour), dtype=np.float64), (len(numbers[-1]), 1)))
        start += rows * columns
    if not numbers:
        return np.zeros(0), [], []
    quads = np.concatenate(numbers)
    corners = seen[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    lit = np.abs(normals @ LIGHT) / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    fills = (np.concatenate(colours) * (0.65 + 0.35 * lit)[:, None]).round().astype(int)
    return corners[:, :, 2].mean(1), flat[quads].reshape(-1, 8).tolist(), list(map(tuple, fills.tolist()))
