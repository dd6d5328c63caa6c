"""How good a docked pose is beside the native complex: the fraction of native contacts, two RMSDs and DockQ. Lengths in angstrom.

S. Basu and B. Wallner, DockQ: a quality measure for protein-protein docking models, PLoS ONE 11, e0161879 (2016);
C. Mirabello and B. Wallner, DockQ v2, Bioinformatics 40, btae586 (2024), whose program's figures these are to three decimals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from eqlib.doors import typed

from .arrays import Array, finite, orthogonal
from .residue_pairs import paired
from .structures import BACKBONE, Structure

CONTACT, INTERFACE = 5.0, 10.0  # angstrom, between any two heavy atoms of two residues
INTERFACE_SCALE, LIGAND_SCALE = 1.5, 8.5  # angstrom: where an RMSD counts half
ACCEPTABLE = 0.23  # DockQ
QUALITIES = ((0.80, "high"), (0.49, "medium"), (ACCEPTABLE, "acceptable"), (0.0, "incorrect"))


class DockingQuality(NamedTuple):
    """The labels of a pose: fnat, 0 ... 1, interface_rmsd and ligand_rmsd in angstrom, dockq, 0 ... 1, and quality in a word.

    >>> quality_of(0.5, 1.5, 8.5)
    DockingQuality(fnat=0.5, interface_rmsd=1.5, ligand_rmsd=8.5, dockq=0.5, quality='medium')
    """

    fnat: float
    interface_rmsd: float
    ligand_rmsd: float
    dockq: float
    quality: str


def quality_of(fnat: float, interface_rmsd: float, ligand_rmsd: float) -> DockingQuality:
    """DockQ, the mean of fnat and of both RMSDs as 1 / (1 + (rmsd / scale)^2), and its word: incorrect below 0.23, acceptable,
    medium from 0.49, high from 0.80."""
    parts = (fnat, 1 / (1 + (interface_rmsd / INTERFACE_SCALE) ** 2), 1 / (1 + (ligand_rmsd / LIGAND_SCALE) ** 2))
    dockq = sum(parts) / 3
    word = next(word for least, word in QUALITIES if dockq >= least)
    return DockingQuality(float(fnat), float(interface_rmsd), float(ligand_rmsd), float(dockq), word)


@typed
class Docking:
    """The native complex and two partners, whose residues are paired once; then each rigid motion of the ligand has its labels.

    native_receptor, native_ligand: the complex. receptor, ligand: the same proteins as they are docked, mostly in the form that
    they have alone; the receptor stays where it is.

    Residues are paired by aligning sequences, chain by chain; numbers do not count. Contacts are pairs of residues, one of each
    partner, with heavy atoms less than 5 angstrom apart; fnat is the share of the native's contacts that the pose has too, and
    one whose residue is missing in the pose is lost. The interface RMSD is that of N, CA, C and O of residues less than 10
    angstrom from the partner in the native, after they were superposed; the ligand RMSD that of these atoms of the one partner
    after the other was superposed. As in DockQ, the partner with more residues in the native is superposed, whatever it is called
    here, and the ligand where both have as many. Residues and atoms that either lacks are left out of both RMSDs.
    DockQ's figures for files of the benchmark are those of `read_structure(..., partial=True)`: it counts incomplete residues.
    Raises ValueError for partners that do not touch in the native, and for a model that has fewer than half of its residues.

    >>> docking = Docking(native_receptor, native_ligand, receptor, ligand)  # doctest: +SKIP
    >>> docking.quality(np.eye(3), [0, 0, 4.0])  # doctest: +SKIP
    DockingQuality(fnat=0.25, interface_rmsd=2.21, ligand_rmsd=4.85, dockq=0.436, quality='acceptable')
    """

    def __init__(
        self, native_receptor: Structure, native_ligand: Structure, receptor: Structure, ligand: Structure
    ) -> None:
        self.receptor, self.ligand = receptor, ligand
        natives, models = (native_receptor, native_ligand), (receptor, ligand)
        pairs = [paired(name, *both) for name, *both in zip(("receptor", "ligand"), models, natives, strict=True)]
        contacts = _near(*natives, CONTACT)
        if not len(contacts):
            raise ValueError(
                f"native_receptor, native_ligand: got no heavy atoms within {CONTACT} angstrom, expected contacts"
            )
        self.contacts = len(contacts)
        # Where the native's residues are in the models; -1: nowhere.
        places = []
        for (ours, theirs), native in zip(pairs, natives, strict=True):
            places.append(np.full(len(native), -1))
            places[-1][theirs] = ours
        kept = np.stack([place[contacts[:, k]] for k, place in enumerate(places)], axis=1)
        self._contact_atoms = _atom_pairs(receptor, ligand, kept[(kept >= 0).all(axis=1)])
        near = _near(*natives, INTERFACE)
        near = near[np.all([place[near[:, k]] >= 0 for k, place in enumerate(places)], axis=0)]
        self._backbones, self._native, self._near = [], [], []
        for k, (model, native, (ours, theirs)) in enumerate(zip(models, natives, pairs, strict=True)):
            atoms, native_atoms, of = _backbone_pairs(model, native, ours, theirs)
            if len(atoms) < 3:
                raise ValueError(
                    f"{('receptor', 'ligand')[k]}: got {len(atoms)} backbone atoms of the native's, expected 3"
                )
            self._backbones.append(atoms)
            self._native.append(native.positions[native_atoms])
            # Where no residue of the interface is left, DockQ takes all.
            self._near.append(np.isin(of, near[:, k]) if len(near) else np.ones(len(of), dtype=np.bool_))
        self._fixed = 0 if len(native_receptor) > len(native_ligand) else 1

    def quality(self, rotation: ArrayLike, shift: ArrayLike = (0.0, 0.0, 0.0)) -> DockingQuality:
        """The labels after the ligand was turned about the origin by a rotation (3, 3), then shifted by (3,), angstrom."""
        (R,) = orthogonal(rotation, 1)
        if np.linalg.det(R) < 0:
            raise ValueError("rotation: got a reflection, expected a rotation")
        moved = self.ligand.positions @ R.T + finite("shift", shift, (3,))
        model = (self.receptor.positions, moved)
        backbones = [x[atoms] for x, atoms in zip(model, self._backbones, strict=True)]
        one, other = (
            np.concatenate([x[at] for x, at in zip(xs, self._near, strict=True)]) for xs in (backbones, self._native)
        )
        interface = _rmsd(_superposed(one, one, other), other)
        fixed, free = self._fixed, 1 - self._fixed
        ligand = _rmsd(_superposed(backbones[free], backbones[fixed], self._native[fixed]), self._native[free])
        return quality_of(self._native_contacts(moved) / self.contacts, interface, ligand)

    def _native_contacts(self, moved: Array) -> int:
        first, second, begins = self._contact_atoms
        if not len(begins):
            return 0
        squares = ((self.receptor.positions[first] - moved[second]) ** 2).sum(axis=1)
        return int((np.minimum.reduceat(squares, begins) < CONTACT**2).sum())


@typed
def docking_quality(
    receptor: Structure, ligand: Structure, native_receptor: Structure, native_ligand: Structure
) -> DockingQuality:
    """The labels of one pose, receptor and ligand as they are, beside the native complex; see `Docking` for what they mean.

    >>> docking_quality(receptor, ligand, native_receptor, native_ligand).dockq  # doctest: +SKIP
    0.436
    """
    return Docking(native_receptor, native_ligand, receptor, ligand).quality(np.eye(3))


def _near(one: Structure, other: Structure, distance: float) -> NDArray[np.int64]:
    """Pairs of residues with atoms less than so far apart, (k, 2)."""
    trees = [cKDTree(each.positions) for each in (one, other)]
    found = trees[0].sparse_distance_matrix(trees[1], distance, output_type="coo_matrix")
    near = found.data < distance
    pairs = np.stack([one.residues[found.row[near]], other.residues[found.col[near]]], axis=1)
    return np.unique(pairs, axis=0)


def _atom_pairs(one: Structure, other: Structure, residues: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """All pairs of atoms of pairs of residues (k, 2): the first's, the second's, and where each pair of residues begins."""
    begins = [np.searchsorted(each.residues, np.arange(len(each) + 1)) for each in (one, other)]
    sizes = np.stack([np.diff(b)[residues[:, k]] for k, b in enumerate(begins)], axis=1)
    number = sizes.prod(axis=1)
    starts = np.cumsum(number) - number
    within, across = np.arange(number.sum()) - np.repeat(starts, number), np.repeat(sizes[:, 1], number)
    first = np.repeat(begins[0][residues[:, 0]], number) + within // across
    second = np.repeat(begins[1][residues[:, 1]], number) + within % across
    return first, second, starts


def _backbone_pairs(
    model: Structure, native: Structure, ours: NDArray[np.int64], theirs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Backbone atoms that paired residues both have: the model's, the native's, and the native's residue."""
    tables = []
    for each in (model, native):
        table = np.full((len(each), len(BACKBONE)), -1)
        for column, name in enumerate(BACKBONE):
            (atoms,) = np.nonzero(each.names == name)
            table[each.residues[atoms], column] = atoms
        tables.append(table)
    one, other = tables[0][ours], tables[1][theirs]
    both = (one >= 0) & (other >= 0)
    return one[both], other[both], np.repeat(theirs[:, None], len(BACKBONE), axis=1)[both]


def best_motion(source: Array, target: Array) -> tuple[Array, Array, Array]:
    """turn (3, 3) and centres a, b (3,): (source - a) @ turn + b is closest to `target`, both (k, 3) (Kabsch 1976).

    >>> turn, a, b = best_motion(np.eye(3), np.eye(3)[[1, 2, 0]])
    >>> np.allclose((np.eye(3) - a) @ turn + b, np.eye(3)[[1, 2, 0]])
    True
    """
    a, b = source.mean(axis=0), target.mean(axis=0)
    u, _, v = np.linalg.svd((source - a).T @ (target - b))
    u[:, 2] *= np.sign(np.linalg.det(u @ v))
    return u @ v, a, b


def _superposed(moved: Array, source: Array, target: Array) -> Array:
    """`moved`, (m, 3), after the rotation and the shift that bring `source` closest to `target`, (k, 3)."""
    turn, a, b = best_motion(source, target)
    return (moved - a) @ turn + b


def _rmsd(one: Array, other: Array) -> float:
    return float(np.sqrt(((one - other) ** 2).sum(axis=1).mean()))
