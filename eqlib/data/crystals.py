"""Crystals as arrays: atomic numbers, positions and cells, and what is known of them, such as phonon densities of states.

Lengths in angstrom, frequencies as wave numbers, 1 / cm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import ragged
from .arrays import Array, atoms, finite, orthogonal, whole
from .elements import ELEMENTS

FLATTEST = 1e-3  # least volume of a cell beside that of a box with its edges


@dataclass(frozen=True, eq=False, repr=False)
class Crystals:
    """n crystals with N atoms in all, atom after atom; `as_crystals` and the loaders make them.

    numbers: (N,), int64, atomic numbers. positions: (N, 3), float64, angstrom; an atom may lie outside its cell. cells:
    (n, 3, 3), float64, angstrom, a row for each lattice vector, of either handedness; a crystal repeats along all three. sizes:
    (n,), int64: atoms of each.
    names: (n,) of them, such as the number in a database, or its formula.
    frequencies: (F,), 1 / cm, evenly spaced, and spectra: (n, F), densities of states divided by their largest value; or None.
    recipe: how they were made, if known.

    `crystals[3]`, `crystals[10:20]` and `crystals[indices]` are crystals again.

    >>> iron = as_crystals([26], [[0, 0, 0]], [[[-1.43, 1.43, 1.43], [1.43, -1.43, 1.43], [1.43, 1.43, -1.43]]], [1])
    >>> iron, float(iron.volumes[0].round(1))
    (Crystals(1 crystals, 1 atoms), 11.7)
    """

    numbers: NDArray[np.int64]
    positions: Array
    cells: Array
    sizes: NDArray[np.int64]
    names: tuple[str, ...] = ()
    frequencies: Array | None = None
    spectra: Array | None = None
    recipe: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sizes)

    def __repr__(self) -> str:
        having = "" if self.spectra is None else f", spectra at {self.spectra.shape[1]} frequencies"
        return f"Crystals({len(self):,} crystals, {len(self.numbers):,} atoms{having})"

    def __getitem__(self, chosen: int | slice | NDArray[Any] | Sequence[int]) -> Crystals:
        """Some crystals, in the order asked for; one number gives one. IndexError where there are not as many."""
        which = ragged.chosen(len(self), chosen)
        where = ragged.rows(self.sizes, which)
        return replace(
            self,
            numbers=self.numbers[where],
            positions=self.positions[where],
            cells=self.cells[which],
            sizes=self.sizes[which],
            names=tuple(self.names[i] for i in which),
            spectra=None if self.spectra is None else self.spectra[which],
        )

    @property
    def volumes(self) -> Array:
        """(n,), angstrom^3, of the cells."""
        return np.abs(np.linalg.det(self.cells))

    @property
    def formulas(self) -> list[str]:
        """Of each crystal: its elements by their symbols' order, with the smallest whole numbers, such as "AlNi3"."""
        found = []
        for each in np.split(self.numbers, np.cumsum(self.sizes))[:-1]:
            numbers, counts = np.unique(each, return_counts=True)
            counts = counts // np.gcd.reduce(counts)
            parts = sorted(zip((ELEMENTS[z - 1] for z in numbers), counts.tolist(), strict=True))
            found.append("".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in parts))
        return found

    def moved(self, matrices: ArrayLike) -> Crystals:
        """The same crystals turned or reflected about the origin: (3, 3) or (n, 3, 3), orthogonal, one for all or for each."""
        R = orthogonal(matrices, len(self))
        positions = np.einsum("nij,nj->ni", np.repeat(R, self.sizes, axis=0), self.positions)
        return replace(self, positions=positions, cells=np.einsum("nij,naj->nai", R, self.cells))

    def strained(self, strain: ArrayLike) -> Crystals:
        """The same crystals with cells and atoms stretched by 1 + strain, (3, 3); no spectra, which would be others.

        >>> cube = as_crystals([29], [[0, 0, 0]], [np.eye(3)], [1])
        >>> cube.strained(np.diag([0.02, 0, 0])).cells[0, 0].tolist()
        [1.02, 0.0, 0.0]
        """
        stretch = np.eye(3) + finite("strain", strain, (3, 3))
        positions, cells = self.positions @ stretch.T, self.cells @ stretch.T
        return as_crystals(self.numbers, positions, cells, self.sizes, names=self.names, recipe=self.recipe)

    def repeated(self, times: Sequence[int]) -> Crystals:
        """The same crystals by larger cells, so many times along each lattice vector, (3,), each at least 1.

        >>> cube = as_crystals([29], [[0, 0, 0]], [np.eye(3)], [1])
        >>> cube.repeated([1, 1, 2]).positions.tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
        """
        number = whole("times", times)
        if number.shape != (3,) or number.min() < 1:
            raise ValueError(f"times: got {list(times)}, expected three whole numbers, at least 1")
        steps = np.stack(np.meshgrid(*(np.arange(n) for n in number), indexing="ij"), -1).reshape(-1, 3)
        of = np.repeat(np.arange(len(self)), self.sizes)
        # Each atom in its own cell, then all of these again in the next.
        places = np.split(np.arange(len(self.numbers)), np.cumsum(self.sizes))[:-1]
        order = np.concatenate([np.zeros(0, np.int64), *(np.tile(p, len(steps)) for p in places)])
        by = np.concatenate([np.zeros((0, 3), np.int64), *(np.repeat(steps, n, axis=0) for n in self.sizes)])
        positions = self.positions[order] + np.einsum("na,nab->nb", by, self.cells[of[order]])
        sizes = self.sizes * len(steps)
        return replace(
            self,
            numbers=self.numbers[order],
            positions=positions,
            cells=self.cells * number[:, None],
            sizes=sizes,
        )


def as_crystals(
    numbers: ArrayLike,
    positions: ArrayLike,
    cells: ArrayLike,
    sizes: ArrayLike,
    *,
    names: Sequence[str] = (),
    frequencies: ArrayLike | None = None,
    spectra: ArrayLike | None = None,
    recipe: dict[str, Any] | None = None,
) -> Crystals:
    """Crystals of a reader's own arrays, checked; see `Crystals` for shapes and units.

    spectra: (n, F), 0 or more, on `frequencies`; each is divided by its largest value.
    Raises ValueError for shapes that do not fit, unknown elements, crystals without atoms, NaN, inf, a cell whose volume is
    below a thousandth of that of a box with its edges, and for a spectrum that is negative or all zero. A left-handed cell is
    as good as a right-handed one.

    >>> as_crystals([11, 17], [[0, 0, 0], [2.8, 0, 0]], [[[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]]], [2]).formulas
    ['ClNa']
    """
    z, counts = atoms(numbers, sizes, "crystal")
    n = len(counts)
    x, lattice = finite("positions", positions, (len(z), 3)), finite("cells", cells, (n, 3, 3))
    box = np.linalg.norm(lattice, axis=2).prod(axis=1)
    flat = ~(np.abs(np.linalg.det(lattice)) > FLATTEST * box)
    if flat.any():
        i = int(flat.argmax())
        got = f"{np.abs(np.linalg.det(lattice[i])):.3g} angstrom^3"
        raise ValueError(f"cells: got crystal {i} with a volume of {got}, expected three independent lattice vectors")
    if len(names) not in (0, n):
        raise ValueError(f"names: got {len(names)} of them, expected {n}, one for each crystal")
    if (frequencies is None) != (spectra is None):
        raise ValueError("spectra: got one of spectra and frequencies, expected both or none")
    known: dict[str, Any] = {}
    if frequencies is not None and spectra is not None:
        known = _spectra(n, frequencies, spectra)
    return Crystals(z, x, lattice, counts, tuple(names) or tuple(map(str, range(n))), **known, recipe=recipe or {})


def _spectra(n: int, frequencies: ArrayLike, spectra: ArrayLike) -> dict[str, Array]:
    """`frequencies` and `spectra` as arrays, the latter divided by their largest values."""
    f = np.asarray(frequencies, dtype=np.float64)
    if f.ndim != 1 or len(f) < 2 or not np.isfinite(f).all() or f[0] < 0:
        raise ValueError(f"frequencies: got shape {f.shape}, expected a row of two or more finite numbers >= 0")
    step = np.diff(f)
    if step.min() <= 0 or not np.allclose(step, step.mean(), rtol=1e-6):
        raise ValueError(f"frequencies: got steps of {step.min():g} ... {step.max():g}, expected equal ones above 0")
    values = finite("spectra", spectra, (n, len(f)))
    low, high = values.min(axis=1, initial=0.0), values.max(axis=1)
    for wrong, what in ((low < 0, "negative somewhere"), (high <= 0, "zero everywhere")):
        if wrong.any():
            raise ValueError(f"spectra: got that of crystal {int(wrong.argmax())} {what}, expected a density of states")
    return {"frequencies": f, "spectra": values / high[:, None]}
