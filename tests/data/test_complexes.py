"""Complexes with poses to rank, from two proteins made here: lumps of residues with random names, one against the other."""

import os

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from eqlib import data
from eqlib.data.complexes import KINDS
from eqlib.data.structures import HEAVY

OFFSETS = np.array([[1.2, 0.8, 0.0], [0, 0, 0], [-1.2, 0.8, 0.3], [-1.5, 1.8, 0.9], [0.2, -1.4, 0.4]])  # N CA C O CB


def protein(seed: int, residues: int, chain: str) -> data.Structure:
    """Residues of five atoms on a lattice within a ball."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3), -1).reshape(-1, 3) * 4.2
    at = at[np.argsort(np.linalg.norm(at, axis=1), kind="stable")][:residues]
    turns = Rotation.from_quat(rng.normal(size=(residues, 4))).as_matrix()
    positions = (at[:, None] + np.einsum("rij,aj->rai", turns, OFFSETS)).reshape(-1, 3)
    names = [name for name in HEAVY if name != "GLY"]
    return data.Structure(
        positions,
        [7, 6, 6, 8, 6] * residues,
        ["N", "CA", "C", "O", "CB"] * residues,
        np.repeat(np.arange(residues), 5),
        rng.choice(names, residues),
        [chain] * residues,
        np.arange(1, residues + 1),
        [""] * residues,
        np.arange(residues) * 5 + 1,
    )


def shaken(structure: data.Structure, seed: int) -> data.Structure:
    """The same protein as it is alone: atoms half an angstrom away, all of it elsewhere."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=structure.positions.shape) * 0.3
    moved = structure.moved(Rotation.from_quat(rng.normal(size=4)).as_matrix(), rng.normal(size=3) * 30)
    return data.Structure(moved.positions + noise, *(getattr(moved, name) for name in FIELDS))


FIELDS = ("elements", "names", "residues", "residue_names", "chains", "numbers", "insertions", "alpha")


@pytest.fixture(scope="module")
def native() -> tuple[data.Structure, data.Structure]:
    return protein(0, 110, "A"), protein(1, 70, "B").moved(np.eye(3), [21.0, 1.0, 0.0])


@pytest.fixture(scope="module")
def found(native: tuple[data.Structure, data.Structure]) -> data.Complex:
    complex_ = data.docked_complex("made", *native, *(shaken(each, k) for k, each in enumerate(native)), seed=1)
    assert complex_ is not None
    return complex_


def test_a_protein_goes_back_to_its_place(native: tuple[data.Structure, data.Structure]) -> None:
    for k, each in enumerate(native):
        back = data.superposed(shaken(each, k), each)
        assert np.sqrt(((back.positions - each.positions) ** 2).sum(1).mean()) < 0.6
    alone = native[0].moved(Rotation.from_rotvec([0.3, 2.0, 0.1]).as_matrix(), [5.0, 6.0, 7.0])
    np.testing.assert_allclose(data.superposed(alone, native[0]).positions, native[0].positions, atol=1e-9)


def test_poses_and_their_labels(native: tuple[data.Structure, data.Structure], found: data.Complex) -> None:
    """A hundred, five of them acceptable and first; labels and measures are those of the moved ligand."""
    assert len(found) == 100 and found.acceptable.tolist() == [True] * 5 + [False] * 95
    assert len({tuple(np.round(shift, 6)) for shift in found.shifts}) == 100
    for pose in (0, 4, 5, 99):
        moved = found.ligand.moved(found.rotations[pose], found.shifts[pose])
        expected = data.docking_quality(found.receptor, moved, *native)
        np.testing.assert_allclose(found.labels[pose], expected[:4], rtol=1e-9)
        apart = cdist(found.receptor.positions, moved.positions)
        assert found.measures[pose, :2].tolist() == [(apart <= 5).sum(), (apart <= 3).sum()]


def test_the_interface_of_a_pose(found: data.Complex) -> None:
    """All atoms within reach of the other partner, their alpha carbons, and no other."""
    for pose, reach in ((0, 12.0), (50, 6.0)):
        seen = found.interface(pose, reach=reach)
        both = found.receptor, found.ligand.moved(found.rotations[pose], found.shifts[pose])
        apart = cdist(both[0].positions, both[1].positions)
        for side, structure in enumerate(both):
            near = apart.min(1 - side) <= reach
            kept = near | (
                np.isin(np.arange(len(near)), structure.alpha) & np.isin(structure.residues, structure.residues[near])
            )
            own = seen.partner[seen.residues] == side
            np.testing.assert_allclose(seen.positions[own], structure.positions[kept], atol=1e-12)
            np.testing.assert_array_equal(seen.kinds[own], data.atom_kinds(structure)[kept])
            np.testing.assert_array_equal(seen.sources[seen.partner == side], np.unique(structure.residues[kept]))
            np.testing.assert_array_equal(seen.sources[seen.residues][own], structure.residues[kept])
        np.testing.assert_array_equal(seen.residues[seen.alpha], np.arange(len(seen.alpha)))
        assert {list(KINDS)[k][1] for k in seen.kinds[seen.alpha]} == {"CA"}
    with pytest.raises(ValueError, match=r"pose: got 100, expected 0 ... 99"):
        found.interface(100)


def test_kinds_of_atoms() -> None:
    """Each of a residue's own; a strange name counts as its CB, or its CA."""
    assert len(KINDS) == sum(map(len, HEAVY.values())) and sorted(KINDS.values()) == list(range(len(KINDS)))
    names, residues = ["N", "CA", "C", "CA", "XX", "XX", "CA"], ["GLY", "SER", "GLY"]
    of_atoms = np.arange(21.0).reshape(7, 3), [6] * 7, names, [0, 0, 0, 1, 1, 2, 2]
    one = data.Structure(*of_atoms, residues, "ABC", [1, 2, 3], ["", "", ""], [1, 3, 6])
    pairs = [("GLY", "N"), ("GLY", "CA"), ("GLY", "C"), ("SER", "CA"), ("SER", "CB"), ("GLY", "CA"), ("GLY", "CA")]
    assert [list(KINDS)[k] for k in data.atom_kinds(one)] == pairs


def test_partners_that_do_not_fit_are_dropped(native: tuple[data.Structure, data.Structure]) -> None:
    """A ligand that is folded otherwise when it is alone reaches no acceptable pose."""
    receptor, ligand = native
    rng = np.random.default_rng(0)
    other = rng.permutation(len(ligand))  # each residue in another one's place
    places = ligand.positions.reshape(-1, 5, 3)[other].reshape(-1, 3)
    wrong = data.Structure(places, *(getattr(ligand, name) for name in FIELDS))
    assert data.docked_complex("wrong", receptor, ligand, receptor, wrong, turns=2) is None


def test_a_folder_of_complexes(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"without files such as 1AVX_r_u.pdb"):
        data.benchmark_names(tmp_path)
    (tmp_path / "1ABC_r_u.pdb").touch()
    with pytest.raises(ValueError, match=r"without 1ABC_r_b-matched.pdb"):
        data.benchmark_names(tmp_path)


@pytest.mark.skipif(
    "EQLIB_COMPLEXES" not in os.environ, reason="EQLIB_COMPLEXES names no folder of Docking Benchmark 5"
)
def test_poses_of_the_benchmark_are_told_by_nothing_simple() -> None:
    """Ten complexes: a classifier on contacts, clashes and buried surface, fitted on nine, ranks the tenth's poses at random."""
    folder = os.environ["EQLIB_COMPLEXES"]
    names = data.benchmark_names(folder)[:10]
    parts = [found for _, found in data.benchmark_complexes(folder, names) if found is not None]
    assert len(parts) >= 8
    x = [np.log1p(each.measures) - np.log1p(each.measures).mean(0) for each in parts]
    aucs = []
    for k, each in enumerate(parts):
        others = [n for n in range(len(parts)) if n != k]
        model = LogisticRegression().fit(
            np.concatenate([x[n] for n in others]), np.concatenate([parts[n].acceptable for n in others])
        )
        aucs.append(roc_auc_score(each.acceptable, model.decision_function(x[k])))
    assert abs(np.mean(aucs) - 0.5) < 0.1
