"""Rigid bodies of point masses and their inertia tensors: made in a moment, exact, and enough to learn from.

Masses in kg, positions in m, tensors in kg m^2. Only the products matter, so any other units do as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqlib import graphs
from eqlib.groups import O3

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bodies:
    """Rigid bodies, point after point; `training.fit` takes them as they are.

    masses: (N,), float64, kg.
    positions: (N, 3), float64, m: x, y, z, which are the components of O(3)'s vector too.
    sizes: (bodies,), int64: how many points each body has.
    about_points: (N, 6), float64, kg m^2: each point's body's inertia tensor about that point, as the rep 0e + 2e.
    about_centres: (bodies, 6), float64, kg m^2: the same about the centre of mass.

    >>> bodies = rigid_bodies(2, points=3)
    >>> [array.shape for array in bodies.batch(np.array([1]))]
    [(3, 1), (3, 3), (2, 6), (3, 6)]
    """

    masses: Array
    positions: Array
    sizes: NDArray[np.int64]
    about_points: Array
    about_centres: Array

    def __len__(self) -> int:
        return len(self.sizes)

    def points(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the points of these bodies stand, body after body, (points of these bodies,)."""
        ends = np.cumsum(self.sizes)
        parts = [np.arange(ends[i] - self.sizes[i], ends[i]) for i in indices]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32] | NDArray[np.int64], ...]:
        """Masses (P, 1), positions (P, 3), edges (2, E) between all pairs of a body, target (P, 6); float32 and int64."""
        where = self.points(indices)
        edges = graphs.complete_graph([int(n) for n in self.sizes[indices]]).numpy()
        arrays = self.masses[where, None], self.positions[where], self.about_points[where]
        masses, positions, target = (a.astype(np.float32) for a in arrays)
        return masses, positions, edges, target


def inertia(masses: ArrayLike, positions: ArrayLike, about: ArrayLike) -> Array:
    """sum_j m_j (r.r 1 - r r^T) with r = positions[j] - about: (..., 3, 3), kg m^2.

    masses: (n,), kg. positions: (n, 3), m. about: (..., 3), m.

    Two masses of 2 kg, 1 m above and below the origin:

    >>> print(inertia([2.0, 2.0], [[0, 0, 1], [0, 0, -1]], about=[0, 0, 0]))
    [[4. 0. 0.]
     [0. 4. 0.]
     [0. 0. 0.]]
    """
    r = np.asarray(positions, dtype=np.float64) - np.asarray(about, dtype=np.float64)[..., None, :]
    m = np.asarray(masses, dtype=np.float64)
    return np.einsum("j,...jk->...", m, r**2)[..., None, None] * np.eye(3) - np.einsum("j,...ja,...jb->...ab", m, r, r)


@cache
def basis() -> Array:
    """(6, 3, 3): orthonormal symmetric matrices, 1 / 3^(1/2) and then five without trace, in the order of 0e + 2e.

    They are the Clebsch-Gordan tensors of vector (x) vector, which makes the change of basis equivariant.
    """
    group = O3()
    parts = [group.clebsch_gordan("1o", "1o", c).dense()[0] for c in ("0e", "2e")]
    return np.concatenate(parts, axis=-1).transpose(2, 0, 1)


def to_irreps(tensors: ArrayLike) -> Array:
    """Symmetric matrices (..., 3, 3) as components of 0e + 2e, (..., 6); lengths are kept. The other way: `to_matrices`.

    The first component is the trace over 3^(1/2), the others are 0 for what has no direction:

    >>> to_irreps(3 * np.eye(3)).round(3).tolist()
    [5.196, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    return np.einsum("cab,...ab->...c", basis(), np.asarray(tensors, dtype=np.float64))


def to_matrices(components: ArrayLike) -> Array:
    """Components of 0e + 2e, (..., 6), as symmetric matrices (..., 3, 3). The other way: `to_irreps`.

    >>> tensor = inertia([2.0, 2.0], [[0, 0, 1], [0, 0, -1]], about=[0, 0, 0])
    >>> bool(np.allclose(to_matrices(to_irreps(tensor)), tensor))
    True
    """
    return np.einsum("cab,...c->...ab", basis(), np.asarray(components, dtype=np.float64))


def rigid_bodies(bodies: int, points: int | tuple[int, int], seed: int = 0, spread: float = 0.0) -> Bodies:
    """Random bodies: masses uniform in 0.5 ... 1.5 kg, points uniform in a cube of side 1 m.

    points: of each body; (low, high) draws the number for each body anew, both ends included.
    seed: draws everything. spread: each body's cube is moved by a normal vector of this size, m; it stands about the origin
    for 0. Raises ValueError for negative numbers and an empty range of points.

    >>> rigid_bodies(3, points=(2, 5), seed=0).sizes
    array([2, 5, 3])
    """
    low, high = (points, points) if isinstance(points, int) else points
    if bodies < 0:
        raise ValueError(f"bodies: got {bodies!r}, expected 0 or more")
    if not 0 <= low <= high:
        raise ValueError(f"points: got {points!r}, expected a number, or (low, high) with 0 <= low <= high")
    if not 0 <= spread < np.inf:
        raise ValueError(f"spread: got {spread!r}, expected a length in m, 0 or more")
    # RandomState, because its streams are frozen: a logged run must find the same bodies again.
    random = np.random.RandomState(seed)
    sizes = random.randint(low, high + 1, size=bodies).astype(np.int64)
    total = int(sizes.sum())
    masses, positions = random.uniform(0.5, 1.5, total), random.uniform(-0.5, 0.5, (total, 3))
    positions += np.repeat(spread * random.normal(size=(bodies, 3)), sizes, axis=0)
    return of_points(masses, positions, sizes)


def of_points(masses: ArrayLike, positions: ArrayLike, sizes: ArrayLike) -> Bodies:
    """Bodies of given masses (N,), kg, and positions (N, 3), m, for `sizes` (bodies,) points each; computes the tensors.

    Masses may be zero; points may share a place; a body may have one point or none, and without mass its centre is the mean
    of its points. Raises ValueError for shapes that do not fit, NaN or inf, and negative masses.
    """
    m, x = np.asarray(masses, dtype=np.float64), np.asarray(positions, dtype=np.float64)
    counts = np.asarray(sizes, dtype=np.int64)
    if m.shape != (counts.sum(),):
        raise ValueError(f"masses: got shape {m.shape}, expected ({counts.sum()},), the sum of sizes")
    if x.shape != (len(m), 3):
        raise ValueError(f"positions: got shape {x.shape}, expected ({len(m)}, 3)")
    if not (np.isfinite(m).all() and (m >= 0).all()):
        raise ValueError("masses: got a negative, NaN or infinite mass, expected finite masses of 0 or more")
    if not np.isfinite(x).all():
        raise ValueError("positions: got NaN or inf, expected finite numbers")
    points, centres = [np.zeros((0, 6))], [np.zeros((0, 6))]
    for stop, n in zip(np.cumsum(counts), counts, strict=True):
        here = slice(stop - n, stop)
        weights = m[here] if m[here].any() else np.ones(n)
        centre = weights @ x[here] / max(weights.sum(), 1e-300)
        points.append(to_irreps(inertia(m[here], x[here], x[here])))
        centres.append(to_irreps(inertia(m[here], x[here], centre))[None])
    return Bodies(m, x, counts, np.concatenate(points), np.concatenate(centres))
