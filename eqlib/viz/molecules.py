"""Molecules as scenes of space: balls and sticks, and arrows for forces and dipoles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eqlib.viz.pictures import PALETTE
from eqlib.viz.scenes import Arrows, Piece, Points, Sticks, places

#: Colour, and covalent radius in angstrom (Cordero et al. 2008), of the elements that the course meets.
ATOMS = {
    1: ("#f4f4f4", 0.31),
    6: ("#666666", 0.76),
    7: (PALETTE[0], 0.71),
    8: ("#d55e00", 0.66),
    9: ("#009e73", 0.57),
    13: ("#bbbbbb", 1.21),
    28: ("#009e73", 1.24),
    29: ("#d55e00", 1.32),
    46: (PALETTE[0], 1.39),
    47: ("#e0e0e0", 1.45),
    78: (PALETTE[4], 1.36),
    79: ("#f0e442", 1.36),
}
OTHER = ("#cc79a7", 0.9)
BALL = 0.45  # of the covalent radius
NEAR = 1.25  # a bond is at most so many times the sum of two radii long


def molecule(
    numbers: ArrayLike,
    positions: ArrayLike,
    vectors: ArrayLike | None = None,
    scale: float = 1.0,
    colour: str = PALETTE[1],
) -> list[Piece]:
    """A molecule about its own centre: atomic numbers (n,), positions (n, 3) in angstrom, for `plot_scene` and `turntable`.

    vectors: (n, 3), an arrow from each atom, `scale` angstrom long for each unit; or (3,), one from the centre.
    ValueError for shapes that do not fit.

    >>> from eqlib import viz
    >>> water = viz.molecule([8, 1, 1], [[0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]])
    >>> [type(piece).__name__ for piece in water]  # three balls, two bonds
    ['Points', 'Points', 'Sticks']
    """
    x = places("positions", positions)
    z = np.asarray(numbers)
    if z.shape != (len(x),):
        raise ValueError(f"numbers: got {z.shape}, expected ({len(x)},), one for each position")
    x = x - x.mean(0)
    kinds = {n: ATOMS.get(n, OTHER) for n in sorted({int(n) for n in z})}
    scene: list[Piece] = [Points(x[z == n], 0.2 + BALL * (radius - 0.3), c) for n, (c, radius) in kinds.items()]
    radii = np.array([kinds[int(n)][1] for n in z])
    i, j = np.triu_indices(len(x), 1)
    bonded = np.linalg.norm(x[i] - x[j], axis=1) < NEAR * (radii[i] + radii[j])
    if bonded.any():
        scene.append(Sticks(x[i[bonded]], x[j[bonded]], 0.09, "#999999"))
    if vectors is not None:
        given = np.asarray(vectors, dtype=np.float64)
        arrows = places("vectors", given, (3,))[None] if given.ndim == 1 else places("vectors", given, x.shape)
        starts = np.zeros((1, 3)) if given.ndim == 1 else x
        long = np.linalg.norm(arrows, axis=1) > 0  # an arrow of no length has no direction to be drawn in
        if long.any():
            scene.append(Arrows(starts[long], scale * arrows[long], 0.05, colour))
    return scene
