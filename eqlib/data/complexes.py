"""Complexes of two proteins with poses to rank, some acceptable; from structures, or from a folder of Docking Benchmark 5.

The partners are those that were measured alone, each superposed on its place in the complex, so that they do not fit as a key
does. Poses are those of `docked_poses`, labels those of `docking`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from eqlib.doors import Length, Natural, Positive, typed

from .arrays import Array, finite
from .docked_poses import MEASURES, candidates, matched
from .docking import ACCEPTABLE, Docking, best_motion
from .residue_pairs import paired
from .structure_file import read_structure
from .structures import HEAVY, Structure
from .surface import Surface

LABELS = "fnat", "interface RMSD", "ligand RMSD", "DockQ"
GOOD, POSES = 5, 100
REACH = 12.0  # angstrom: atoms of a pose that are no further from the other partner

#: What an atom may be: residue and name, as the PDB has them.
KINDS = {
    pair: number for number, pair in enumerate((residue, name) for residue, names in HEAVY.items() for name in names)
}


def atom_kinds(structure: Structure) -> NDArray[np.int64]:
    """(n,), the number of each atom's residue and name in `KINDS`; a name that its residue does not have counts as its CB, or CA.

    >>> import numpy as np
    >>> from eqlib import data
    >>> glycine = data.Structure(np.zeros((2, 3)), [7, 6], ["N", "CA"], [0, 0], ["GLY"], ["A"], [1], [""], [1])
    >>> [list(KINDS)[k] for k in data.atom_kinds(glycine)]
    [('GLY', 'N'), ('GLY', 'CA')]
    """
    residues = structure.residue_names[structure.residues].tolist()
    pairs = zip(residues, structure.names.tolist(), strict=True)
    found = [KINDS.get((r, n), KINDS.get((r, "CB"), KINDS[r, "CA"])) for r, n in pairs]
    return np.array(found, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Interface:
    """One pose's atoms near the other partner, as `models.Poses` takes them: N atoms in R residues.

    kinds (N,), positions (N, 3), angstrom, residues (N,), alpha (R,), partner (R,), 0 receptor and 1 ligand; sources (R,), the
    number of each residue in its own partner.

    >>> Interface(*(np.zeros(0, np.int64), np.zeros((0, 3)), *[np.zeros(0, np.int64)] * 4)).positions.shape
    (0, 3)
    """

    kinds: NDArray[np.int64]
    positions: Array
    residues: NDArray[np.int64]
    alpha: NDArray[np.int64]
    partner: NDArray[np.int64]
    sources: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Complex:
    """Two partners in their right places, and P poses of the ligand: x -> rotations[p] x + shifts[p].

    receptor, ligand: `Structure`. rotations (P, 3, 3), shifts (P, 3), angstrom. labels (P, 4), see `LABELS`; a pose is acceptable
    from a DockQ of 0.23 on. measures (P, 3): contacts, clashes, buried surface, which tell nothing (see `docked_poses`).

    >>> one = Structure(np.zeros((1, 3)), [6], ["CA"], [0], ["GLY"], ["A"], [1], [""], [0])
    >>> found = Complex("two atoms", one, one, [np.eye(3)], [[4.0, 0, 0]], [[1, 0, 0, 1]], [[1, 0, 0]])
    >>> found.acceptable.tolist(), found.interface(0).positions.tolist()
    ([True], [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    """

    name: str
    receptor: Structure
    ligand: Structure
    rotations: Array
    shifts: Array
    labels: Array
    measures: Array

    def __post_init__(self) -> None:
        p = len(self.rotations)
        for name, shape in (
            ("rotations", (p, 3, 3)),
            ("shifts", (p, 3)),
            ("labels", (p, len(LABELS))),
            ("measures", (p, len(MEASURES))),
        ):
            object.__setattr__(self, name, finite(name, getattr(self, name), shape))

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def acceptable(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.labels[:, 3] >= ACCEPTABLE
        return found

    @cached_property
    def _kinds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of both partners' atoms: the same in all poses."""
        return atom_kinds(self.receptor), atom_kinds(self.ligand)

    @typed
    def interface(self, pose: Natural, reach: Length = REACH) -> Interface:
        """The atoms of a pose that are within `reach`, angstrom, of the other partner, and their residues' alpha carbons."""
        if pose >= len(self):
            raise ValueError(f"pose: got {pose}, expected 0 ... {len(self) - 1}")
        moved = self.ligand.positions @ self.rotations[pose].T + self.shifts[pose]
        both = (self.receptor, self.receptor.positions), (self.ligand, moved)
        parts, atoms_before, residues_before = [], 0, 0
        for side, (structure, x) in enumerate(both):
            near = np.isfinite(cKDTree(both[1 - side][1]).query(x, distance_upper_bound=reach)[0])
            own = np.unique(structure.residues[near])
            near[structure.alpha[own]] = True
            atoms = np.flatnonzero(near)
            parts.append(
                (
                    self._kinds[side][atoms],
                    x[atoms],
                    np.searchsorted(own, structure.residues[atoms]) + residues_before,
                    np.searchsorted(atoms, structure.alpha[own]) + atoms_before,
                    np.full(len(own), side),
                    own,
                )
            )
            atoms_before, residues_before = atoms_before + len(atoms), residues_before + len(own)
        return Interface(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@typed
def superposed(structure: Structure, on: Structure) -> Structure:
    """A protein moved so that its alpha carbons lie closest to those of another form of it; residues are paired by sequence.

    >>> alpha = [[0.0, 0, 0], [3.8, 0, 0], [5.0, 3.6, 0], [8.0, 4.0, 2.0]]
    >>> of = [6] * 4, ["CA"] * 4, range(4), ["GLY", "SER", "ALA", "LEU"], ["A"] * 4, range(4), [""] * 4, range(4)
    >>> there = Structure(alpha, *of)
    >>> np.allclose(superposed(there.moved([[0, -1, 0], [1, 0, 0], [0, 0, 1]], [1, 2, 3]), there).positions, alpha)
    True
    """
    ours, theirs = paired("structure", structure, on)
    one, other = structure.positions[structure.alpha[ours]], on.positions[on.alpha[theirs]]
    turn, a, b = best_motion(one, other)
    return structure.moved(turn.T, b - turn.T @ a)


@typed
def docked_complex(
    name: str,
    native_receptor: Structure,
    native_ligand: Structure,
    receptor: Structure,
    ligand: Structure,
    turns: Positive = 30,
    seed: Natural = 0,
) -> Complex | None:
    """A complex with 100 poses, 5 of them acceptable and first, of two partners as they are alone; some 10 to 40 s.

    Residues without alpha carbon (`read_structure(partial=True)`) count for labels, as they do in DockQ, and are then left out.

    None where fewer than 5 acceptable ones are found: then the partners, as they are alone, do not fit.

    >>> found = docked_complex("1AVX", *natives, receptor, ligand)  # doctest: +SKIP
    >>> found.labels[0]  # doctest: +SKIP
    array([0.19, 3.06, 5.58, 0.36])
    """
    receptor, ligand = superposed(receptor, native_receptor), superposed(ligand, native_ligand)
    docking = Docking(native_receptor, native_ligand, receptor, ligand)
    receptor, ligand = _with_alpha(receptor), _with_alpha(ligand)
    found = candidates(
        Surface.of(receptor.positions, receptor.elements),
        Surface.of(ligand.positions, ligand.elements),
        lambda turn, shift: docking.quality(turn, shift).dockq,
        turns=turns,
        seed=seed,
    )
    which = matched(found, GOOD, POSES - GOOD, seed=seed)
    if which is None:
        return None
    chosen = found.only(which)
    motions = zip(chosen.rotations, chosen.shifts, strict=True)
    labels = np.array([docking.quality(*motion)[:4] for motion in motions])
    return Complex(name, receptor, ligand, chosen.rotations, chosen.shifts, labels, chosen.measures)


def _with_alpha(structure: Structure) -> Structure:
    return structure.only(structure.names[structure.alpha] == "CA")


# As HADDOCK's copy of the benchmark (BM5-clean, structures-matched) calls its files.
FORMS = {"native_receptor": "r_b-matched", "native_ligand": "l_b-matched", "receptor": "r_u", "ligand": "l_u"}


@typed
def benchmark_names(folder: str | os.PathLike[str]) -> list[str]:
    """The complexes of a folder with files such as 1AVX_r_u.pdb and the three others of a complex, by name.

    ValueError for a complex that lacks a file, and for a folder without any.

    >>> benchmark_names("BM5")[:2]  # doctest: +SKIP
    ['1A2K', '1AHW']
    """
    folder = Path(folder)
    names = sorted({path.name.split("_")[0] for path in folder.glob(f"*_{FORMS['receptor']}.pdb")})
    if not names:
        raise ValueError(f"folder: got {folder} without files such as 1AVX_r_u.pdb, expected Docking Benchmark 5's")
    for name in names:
        for form in FORMS.values():
            if not (folder / f"{name}_{form}.pdb").is_file():
                raise ValueError(
                    f"folder: got {folder} without {name}_{form}.pdb, expected all four files of a complex"
                )
    return names


def _parts(folder: Path, name: str) -> dict[str, Structure]:
    return {part: read_structure(folder / f"{name}_{form}.pdb", partial=True) for part, form in FORMS.items()}


@typed
def benchmark_sequences(folder: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Of each complex of a folder the sequences of its two partners, for `sequence_clusters`.

    >>> data.folds(data.sequence_clusters(data.benchmark_sequences("BM5")))[0][:3]  # doctest: +SKIP
    ['1AHW', '1BGX', '1BVK']
    """
    found = {}
    for name in benchmark_names(folder):
        parts = _parts(Path(folder), name)
        found[name] = [parts["receptor"].sequence, parts["ligand"].sequence]
    return found


def benchmark_complexes(
    folder: str | os.PathLike[str], names: Sequence[str] | None = None, seed: int = 0
) -> Iterator[tuple[str, Complex | None]]:
    """Each complex of a folder, by name, with its poses, or None where its partners do not fit; one after another, for time.

    >>> for name, found in data.benchmark_complexes("BM5"):  # doctest: +SKIP
    ...     print(name, "dropped" if found is None else found.labels[:5, 3])
    """
    for number, name in enumerate(benchmark_names(folder)):
        if names is None or name in names:
            parts = _parts(Path(folder), name)
            natives = parts["native_receptor"], parts["native_ligand"]
            yield name, docked_complex(name, *natives, parts["receptor"], parts["ligand"], seed=seed + number)
