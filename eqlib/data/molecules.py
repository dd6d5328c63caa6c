"""Molecules as arrays: atomic numbers and positions, and what is known of them, such as energies, forces and dipoles.

Energies in eV, lengths in angstrom, charges in e. Extended xyz files become such arrays in extended_xyz.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import ragged
from .arrays import Array, atoms, finite, orthogonal
from .elements import ELEMENTS

# CODATA 2018, written out: those of scipy change with its version, and a logged error would change with them.
HARTREE = 27.211386245988  # eV
BOHR = 0.529177210903  # angstrom
DEBYE = 1e8 / (299792458 * 1.602176634)  # e angstrom

MOST_BINDING = 20.0  # eV an atom: no molecule is bound, or unbound, as much
OF_MOLECULES, OF_ATOMS = ("energies", "dipoles", "moments", "gaps"), ("forces",)


@dataclass(frozen=True, eq=False, repr=False)
class Molecules:
    """n molecules with N atoms in all, atom after atom; `as_molecules`, `read_xyz` and the loaders make them.

    numbers: (N,), int64, atomic numbers. positions: (N, 3), float64, angstrom. sizes: (n,), int64: atoms of each.
    Or None where it is not known, else float64: energies (n,), eV; forces (N, 3), eV / angstrom; dipoles (n, 3), e angstrom,
    from the negative to the positive charge; moments (n,), their lengths, which some sets have without the dipoles; gaps
    (n,), eV, from the highest occupied to the lowest empty orbital.
    recipe: how they were made, if known.

    `molecules[3]`, `molecules[10:20]` and `molecules[indices]` are molecules again.

    >>> two = as_molecules([9, 1, 2], [[0, 0, 0], [0, 0, 0.92], [0, 0, 0]], [2, 1], energies=[-142.1, -79.0])
    >>> two
    Molecules(2 molecules, 3 atoms, with energies)
    >>> two[[1, 0]].numbers
    array([2, 9, 1])
    """

    numbers: NDArray[np.int64]
    positions: Array
    sizes: NDArray[np.int64]
    energies: Array | None = None
    forces: Array | None = None
    dipoles: Array | None = None
    moments: Array | None = None
    gaps: Array | None = None
    recipe: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sizes)

    def __repr__(self) -> str:
        known = [name for name in (*OF_MOLECULES, *OF_ATOMS) if getattr(self, name) is not None]
        having = f", with {', '.join(known)}" if known else ""
        return f"Molecules({len(self):,} molecules, {len(self.numbers):,} atoms{having})"

    def __getitem__(self, chosen: int | slice | NDArray[Any] | Sequence[int]) -> Molecules:
        """Some molecules, in the order asked for; one number gives one. IndexError where there are not as many."""
        indices = ragged.chosen(len(self), chosen)
        where = self.points(indices)
        known: dict[str, Any] = {name: (indices, getattr(self, name)) for name in ("sizes", *OF_MOLECULES)}
        known |= {name: (where, getattr(self, name)) for name in ("numbers", "positions", *OF_ATOMS)}
        taken: dict[str, Any] = {name: None if x is None else x[places] for name, (places, x) in known.items()}
        return replace(self, **taken)

    def molecule(self, i: int) -> Molecules:
        """Molecule i alone, a set of one; -1 is the last. IndexError where there are not as many."""
        return self[int(i)]

    def points(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the atoms of these molecules stand, molecule after molecule, (atoms of these molecules,)."""
        return ragged.rows(self.sizes, indices)

    def moved(self, matrices: ArrayLike) -> Molecules:
        """The same molecules turned or reflected about the origin; forces and dipoles follow, and nothing else changes.

        matrices: (3, 3) or (n, 3, 3), orthogonal, one for all or for each. ValueError for other shapes and matrices.

        >>> hf = as_molecules([9, 1], [[0, 0, 0], [0, 0, 0.92]], [2], dipoles=[[0, 0, 0.38]])
        >>> hf.moved(np.diag([1, 1, -1])).dipoles.tolist()
        [[0.0, 0.0, -0.38]]
        """
        R = orthogonal(matrices, len(self))
        of_atoms = np.repeat(R, self.sizes, axis=0)

        def turn(by: Array, vectors: Array | None) -> Array | None:
            return None if vectors is None else np.einsum("nij,nj->ni", by, vectors)

        positions = np.einsum("nij,nj->ni", of_atoms, self.positions)
        return replace(self, positions=positions, forces=turn(of_atoms, self.forces), dipoles=turn(R, self.dipoles))

    def without_atoms(self, energies: Mapping[int, float]) -> Molecules:
        """The same with the energies of the isolated atoms taken off: what binds the molecule remains.

        energies: eV, by atomic number, such as `isolated_energies` reads. Molecules have thousands of eV, where steps of float32
        are a meV; what remains can be rounded. ValueError where energies of the molecules or of an element are missing, and
        where more than 20 eV an atom remains, as it does where units or methods differ.

        >>> molecule = as_molecules([1, 1], [[0, 0, 0], [0, 0, 0.74]], [2], energies=[-31.7])
        >>> molecule.without_atoms({1: -13.6}).energies.round(6).tolist()
        [-4.5]
        """
        if self.energies is None:
            raise ValueError("without_atoms: got molecules without energies, expected some with energies in eV")
        found = {int(n) for n in np.unique(self.numbers)}
        if missing := sorted(found - set(energies)):
            names = ", ".join(ELEMENTS[n - 1] for n in missing)
            raise ValueError(f"energies: got none of {names}, expected one for each element of the molecules")
        table = np.zeros(len(ELEMENTS) + 1)
        table[list(found)] = [energies[n] for n in found]
        of = np.repeat(np.arange(len(self)), self.sizes)
        left = self.energies - np.bincount(of, table[self.numbers], len(self))
        if (wrong := ~(np.abs(left) <= MOST_BINDING * self.sizes)).any():  # NaN is wrong too
            i = int(wrong.argmax())
            raise ValueError(
                f"energies: got {left[i] / self.sizes[i]:.4g} eV an atom left in molecule {i}, expected at most "
                f"{MOST_BINDING:g}: are they in eV, and computed by the molecules' own method?"
            )
        return replace(self, energies=left)


def as_molecules(
    numbers: ArrayLike,
    positions: ArrayLike,
    sizes: ArrayLike,
    *,
    energies: ArrayLike | None = None,
    forces: ArrayLike | None = None,
    dipoles: ArrayLike | None = None,
    moments: ArrayLike | None = None,
    gaps: ArrayLike | None = None,
    recipe: dict[str, Any] | None = None,
) -> Molecules:
    """Molecules of a reader's own arrays, checked; see `Molecules` for shapes and units.

    numbers: whole numbers, 1 ... 118. sizes: 1 or more: one atom is a molecule, none is not; no molecules at all are a set.
    moments: where dipoles are given they are computed, and not to be given.
    Raises ValueError for shapes that do not fit, unknown elements, molecules without atoms, NaN, inf and negative moments.

    >>> as_molecules([8, 1, 1], [[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]], [3], dipoles=[[0, 0, -0.39]]).moments
    array([0.39])
    """
    z, counts = atoms(numbers, sizes, "molecule")
    n, given = len(counts), {"energies": energies, "dipoles": dipoles, "moments": moments, "gaps": gaps}
    shapes = {"energies": (n,), "dipoles": (n, 3), "moments": (n,), "gaps": (n,), "forces": (len(z), 3)}
    known = {name: finite(name, x, shapes[name]) for name, x in (given | {"forces": forces}).items() if x is not None}
    if "dipoles" in known and "moments" in known:
        raise ValueError("moments: got them and dipoles, expected one of the two: they are the dipoles' lengths")
    if "dipoles" in known:
        known["moments"] = np.linalg.norm(known["dipoles"], axis=1)
    if known.get("moments", np.zeros(0)).min(initial=0) < 0:
        raise ValueError("moments: got a negative one, expected lengths of dipoles, 0 or more")
    return Molecules(z, finite("positions", positions, (len(z), 3)), counts, **known, recipe=recipe or {})
