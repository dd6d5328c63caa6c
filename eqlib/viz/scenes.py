"""Scenes of space: points, sticks, arrows, coloured surfaces and words.

    scene = [viz.radial_surface(lambda x: x[:, 2]), viz.Arrows([(0, 0, 0)], [(0, 0, 1.3)]), viz.Labels([(0, 0, 1.5)], ["z"])]
    viz.plot_scene(scene, towards=(1, 0.6, 0.4))    # -> PIL picture, for `viz.show` and `viz.slider` (views.py)
    viz.turntable(scene, alt="...")                 # that picture, and one that the reader turns by hand (turning.py)

Both take several scenes by name, {"l = 1": scene, "l = 2": other}: each has a panel of its own, and all turn in step.

Everything is drawn from the far end to the near one, without perspective; sticks are cut into pieces, so that this order is
right where they run through a surface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageColor

from eqlib.viz.pictures import PALETTE

Array = NDArray[np.float64]
PIECES = 6  # of a stick
HEAD = 0.3  # of an arrow, at most this share of it


@dataclass(frozen=True)
class Points:
    """Balls at `where` (n, 3), of this radius in the scene's units and of one colour, or of one each."""

    where: ArrayLike
    radius: float = 0.07
    colour: str | Sequence[str] = PALETTE[0]


@dataclass(frozen=True)
class Sticks:
    """Straight sticks from `starts` (n, 3) to `ends` (n, 3), `width` thick in the scene's units."""

    starts: ArrayLike
    ends: ArrayLike
    width: float = 0.02
    colour: str | Sequence[str] = "#777777"


@dataclass(frozen=True)
class Arrows:
    """Arrows from `starts` (n, 3) along `vectors` (n, 3), with a head."""

    starts: ArrayLike
    vectors: ArrayLike
    width: float = 0.035
    colour: str | Sequence[str] = PALETTE[5]


@dataclass(frozen=True)
class Surface:
    """A bent sheet of points `grid` (rows, columns, 3), each joined to its neighbours, coloured by `values` (rows, columns).

    Orange is positive, blue negative and white zero, on one scale for all surfaces of a scene; without values it has a colour.
    """

    grid: ArrayLike
    values: ArrayLike | None = None
    colour: str = "#9aa5ad"


@dataclass(frozen=True)
class Labels:
    """Words, one at each place of `where` (n, 3); nothing hides them."""

    where: ArrayLike
    words: Sequence[str]


Piece = Points | Sticks | Arrows | Surface | Labels
Scenes = Sequence[Piece] | Mapping[str, Sequence[Piece]]


def radial_surface(
    function: Callable[[Array], ArrayLike], at: ArrayLike = (0, 0, 0), scale: float = 1.0, fine: int = 20
) -> Surface:
    """The surface whose distance from `at` in each direction is `scale` times |function|, coloured by the function.

    function: unit vectors (n, 3) -> values (n,). fine: steps from pole to pole, and half as many as all round.

    >>> from eqlib import viz
    >>> ball = viz.radial_surface(lambda x: 0 * x[:, 0] + 2.0, fine=8)
    >>> ball.grid.shape, round(float(abs(ball.grid).max()), 3)
    ((9, 17, 3), 2.0)
    """
    tilt, turn = np.meshgrid(np.linspace(0, np.pi, fine + 1), np.linspace(0, 2 * np.pi, 2 * fine + 1), indexing="ij")
    unit = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], axis=-1)
    values = np.asarray(function(unit.reshape(-1, 3)), dtype=np.float64)
    if values.shape != (tilt.size,):
        raise ValueError(f"function: got {values.shape} for {tilt.size} points, expected ({tilt.size},)")
    values = values.reshape(tilt.shape)
    return Surface(np.asarray(at, dtype=np.float64) + scale * np.abs(values)[..., None] * unit, values)


@dataclass
class Parts:
    """Scenes taken apart: vertices (n, 3), and what is drawn between them by their numbers. Lengths are the scene's."""

    vertices: list[Array]
    panels: list[tuple[int, int]]  # how many vertices in a row, and in which panel they are
    grids: list[tuple[int, int, str | None]]  # rows, columns, colour; their vertices come first, grid after grid
    shades: list[NDArray[np.uint8]]  # of the diverging map, for each vertex of a grid that has no colour
    discs: list[tuple[int, float, str]]
    sticks: list[tuple[int, int, float, str]]
    heads: list[tuple[int, int, float, str]]  # from, tip, width
    words: list[tuple[int, str]]

    def add(self, places: Array, panel: int) -> int:
        """The number of the first of these vertices (n, 3)."""
        first = sum(map(len, self.vertices))
        self.vertices.append(places)
        self.panels.append((len(places), panel))
        return first


def places(name: str, where: ArrayLike, shape: tuple[int, ...] = (-1, 3)) -> Array:
    """Finite floats of this shape (-1: any number above zero), or a ValueError with the argument's name."""
    found = np.asarray(where, dtype=np.float64)
    wanted = "(" + ", ".join("n" if n == -1 else str(n) for n in shape) + ")"
    fits = found.ndim == len(shape) and all(n in (-1, m) and m for n, m in zip(shape, found.shape, strict=True))
    if not fits or not np.isfinite(found).all():
        raise ValueError(f"{name}: got {found.shape if not fits else 'NaN or infinity'}, expected {wanted}, finite")
    return found


def colours_of(name: str, colour: str | Sequence[str], count: int) -> list[str]:
    """One colour for each, as #rrggbb."""
    each = [colour] * count if isinstance(colour, str) else list(colour)
    if len(each) != count:
        raise ValueError(f"{name}: got {len(each)} colours, expected one or {count}")
    return ["#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(c)[:3]) for c in each]


def named(scene: Scenes) -> dict[str, Sequence[Piece]]:
    """Scenes by name; a single one has none."""
    scenes = dict(scene) if isinstance(scene, Mapping) else {"": scene}
    if not scenes or not all(len(pieces) for pieces in scenes.values()):
        raise ValueError("scene: got nothing, expected at least one piece")
    for piece in (piece for pieces in scenes.values() for piece in pieces):
        if not isinstance(piece, Piece):
            names = "Points, Sticks, Arrows, Surface or Labels"
            raise ValueError(f"scene: got a {type(piece).__name__}, expected {names}")
    return scenes


def taken_apart(scene: Scenes) -> Parts:
    """The vertices of the scenes and what stands between them; ValueError where a piece is none, or has a wrong shape."""
    parts = Parts([], [], [], [], [], [], [], [])
    pieces = [(panel, piece) for panel, each in enumerate(named(scene).values()) for piece in each]
    surfaces = [(panel, piece) for panel, piece in pieces if isinstance(piece, Surface)]
    largest = max([float(np.abs(s.values).max()) for _, s in surfaces if s.values is not None] or [0.0]) or 1.0
    for panel, surface in surfaces:
        grid = places("Surface.grid", surface.grid, (-1, -1, 3))
        parts.add(grid.reshape(-1, 3), panel)
        if surface.values is None:
            parts.grids.append((*grid.shape[:2], colours_of("Surface.colour", surface.colour, 1)[0]))
            continue
        values = places("Surface.values", surface.values, grid.shape[:2])
        parts.grids.append((*grid.shape[:2], None))
        parts.shades.append((127.5 * (1 + values.ravel() / largest)).round().astype(np.uint8))
    for panel, piece in pieces:
        if isinstance(piece, Points):
            where = places("Points.where", piece.where)
            first = parts.add(where, panel)
            each = colours_of("Points.colour", piece.colour, len(where))
            parts.discs += [(first + i, piece.radius, c) for i, c in enumerate(each)]
        elif isinstance(piece, Sticks):
            starts = places("Sticks.starts", piece.starts)
            ends = places("Sticks.ends", piece.ends, starts.shape)
            _sticks(parts, panel, starts, ends, piece.width, colours_of("Sticks.colour", piece.colour, len(starts)))
        elif isinstance(piece, Arrows):
            _arrows(parts, panel, piece)
        elif isinstance(piece, Labels):
            where = places("Labels.where", piece.where)
            if len(piece.words) != len(where):
                raise ValueError(f"Labels.words: got {len(piece.words)}, expected {len(where)}, one for each place")
            first = parts.add(where, panel)
            parts.words += [(first + i, str(word)) for i, word in enumerate(piece.words)]
    return parts


def _sticks(parts: Parts, panel: int, starts: Array, ends: Array, width: float, colours: Sequence[str]) -> None:
    along = np.linspace(0, 1, PIECES + 1)[:, None]
    for start, end, colour in zip(starts, ends, colours, strict=True):
        first = parts.add(start + along * (end - start), panel)
        parts.sticks += [(first + i, first + i + 1, width, colour) for i in range(PIECES)]


def _arrows(parts: Parts, panel: int, arrows: Arrows) -> None:
    starts = places("Arrows.starts", arrows.starts)
    vectors = places("Arrows.vectors", arrows.vectors, starts.shape)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    necks = starts + vectors * (1 - np.minimum(HEAD, 6 * arrows.width / np.maximum(lengths, 1e-9)))
    each = colours_of("Arrows.colour", arrows.colour, len(starts))
    _sticks(parts, panel, starts, necks, arrows.width, each)
    n, first = len(starts), parts.add(np.concatenate([necks, starts + vectors]), panel)
    parts.heads += [(first + i, first + n + i, 4 * arrows.width, c) for i, c in enumerate(each)]
