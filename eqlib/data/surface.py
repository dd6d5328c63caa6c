"""The surface of a molecule that water can reach, as points, and how much of it another molecule covers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .arrays import Array

#: Van der Waals radii, angstrom (A. Bondi, J. Phys. Chem. 68, 441, 1964), by atomic number; all else counts as carbon.
RADII = {6: 1.70, 7: 1.55, 8: 1.52, 16: 1.80}
WATER = 1.4  # angstrom, the radius of the probe
POINTS = 48  # on the sphere of an atom


def on_sphere(number: int) -> Array:
    """Unit vectors (number, 3), evenly spread: a spiral of equal areas."""
    k = np.arange(number) + 0.5
    height, turn = 1 - 2 * k / number, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), height], 1)


@dataclass(frozen=True, eq=False)
class Surface:
    """Atoms with the points of their spheres that water can reach (A. Shrake and J. Rupley, J. Mol. Biol. 79, 351, 1973).

    positions (n, 3) and radii (n,), angstrom; points (m, 3), owners (m,), the atom of each point, and areas (m,),
    square angstrom.
    """

    positions: Array
    radii: Array
    points: Array
    owners: NDArray[np.int64]
    areas: Array

    @classmethod
    def of(cls, positions: Array, elements: NDArray[np.int64]) -> Surface:
        """The surface of atoms at positions (n, 3), with atomic numbers (n,).

        >>> import numpy as np
        >>> one = Surface.of(np.zeros((1, 3)), np.array([6]))
        >>> float(round(one.areas.sum() / (4 * np.pi * 3.1**2), 9))  # a carbon by itself: all of its sphere
        1.0
        """
        radii = np.array([RADII.get(int(z), RADII[6]) for z in elements])
        grown = radii + WATER
        points = (positions[:, None] + grown[:, None, None] * on_sphere(POINTS)).reshape(-1, 3)
        owners = np.repeat(np.arange(len(positions)), POINTS)
        free = ~_covered(points, positions, grown)
        areas = np.repeat(4 * np.pi * grown**2 / POINTS, POINTS)
        return cls(positions, radii, points[free], owners[free], areas[free])

    @cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.positions)

    @cached_property
    def by_radius(self) -> list[tuple[float, cKDTree]]:
        """The atoms of each radius: whether one of them is near needs no list of pairs then."""
        return [(float(r), cKDTree(self.positions[self.radii == r])) for r in np.unique(self.radii)]

    @cached_property
    def exposed(self) -> NDArray[np.bool_]:
        """(n,), whether an atom has a point that water can reach."""
        found = np.zeros(len(self.positions), dtype=bool)
        found[self.owners] = True
        return found

    def buries(self, other: Surface, rotation: Array, shift: Array) -> float:
        """Square angstrom of the other's surface that this molecule covers when the other one is at x @ rotation.T + shift."""
        moved = other.positions @ rotation.T + shift
        reach = 2 * WATER + 2 * max(RADII.values())
        near = np.isfinite(self.tree.query(moved, distance_upper_bound=reach)[0])
        chosen = near[other.owners]
        points = other.points[chosen] @ rotation.T + shift
        covered = np.zeros(len(points), dtype=bool)
        for radius, tree in self.by_radius if len(points) else []:
            covered |= np.isfinite(tree.query(points, distance_upper_bound=radius + WATER)[0])
        return float(other.areas[chosen][covered].sum())


def _covered(points: Array, positions: Array, grown: Array) -> NDArray[np.bool_]:
    """Whether a point lies within the grown sphere of an atom that is not its own; a hair inside, so that rounding is none."""
    found = np.zeros(len(points), dtype=bool)
    pairs = cKDTree(positions).query_pairs(2 * grown.max(initial=0.0), output_type="ndarray")
    by_atom = points.reshape(len(positions), POINTS, 3)
    covered = found.reshape(len(positions), POINTS)
    for a, b in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        for piece in range(0, len(a), 20_000):  # 20,000 pairs of 48 points take 25 MB
            i, j = a[piece : piece + 20_000], b[piece : piece + 20_000]
            inside = ((by_atom[i] - positions[j][:, None]) ** 2).sum(-1) < (grown[j] ** 2 - 1e-9)[:, None]
            np.logical_or.at(covered, i, inside)
    return found
