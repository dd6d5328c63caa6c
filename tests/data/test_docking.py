"""Labels of docking poses: DockQ's own figures, and identities."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eqlib import data
from eqlib.data.docking import quality_of
from eqlib.data.residue_pairs import aligned, paired
from eqlib.data.structures import join

pytest.importorskip("gemmi")

FOLDER = Path(__file__).with_name("complexes")
REFERENCE = json.loads((FOLDER / "docking.json").read_text(encoding="utf-8"))
NAMES = {"fnat": "fnat", "interface_rmsd": "iRMSD", "ligand_rmsd": "LRMSD", "dockq": "DockQ"}
TOLERANCE = 5e-4  # three decimals
CUT = sorted(REFERENCE["cut"])
# Sequences and the places of their pairs, as Biopython 1.8x gives them.
ALIGNED = [
    (
        "GCAAGCATGGAAACCGC",
        "GCAAGTGGAAAACGACCGT",
        [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 4),
            (7, 5),
            (8, 6),
            (9, 7),
            (10, 8),
            (11, 9),
            (12, 14),
            (13, 15),
            (14, 16),
            (15, 17),
        ],
    ),
    (
        "ACATACAAACTAGC",
        "ACATACACAAAACTAGC",
        [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 4),
            (5, 5),
            (6, 9),
            (7, 10),
            (8, 11),
            (9, 12),
            (10, 13),
            (11, 14),
            (12, 15),
            (13, 16),
        ],
    ),
    (
        "AAAACCTACAAGCAACC",
        "AAAACCCCTACAAGCAACC",
        [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 6),
            (5, 7),
            (6, 8),
            (7, 9),
            (8, 10),
            (9, 11),
            (10, 12),
            (11, 13),
            (12, 14),
            (13, 15),
            (14, 16),
            (15, 17),
            (16, 18),
        ],
    ),
    ("CGACCGACCGCTAGAC", "ATACTGACCGCC", [(2, 2), (3, 3), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9), (10, 10), (15, 11)]),
    ("CCACGGACG", "CGCCTC", [(0, 0), (3, 3), (7, 5)]),
    (
        "CGGACAACAAGAACT",
        "CGGACACATAAGAA",
        [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 7), (8, 9), (9, 10), (10, 11), (11, 12), (12, 13)],
    ),
]


def parts(name, folder=FOLDER, bound="b", end=".pdb.gz"):
    """The native receptor and ligand, and the unbound ones."""
    return [
        data.read_structure(folder / f"{name}_{form}{end}", partial=True)
        for form in (f"r_{bound}", f"l_{bound}", "r_u", "l_u")
    ]


def motion(pose):
    return Rotation.from_rotvec(pose["rotation"]).as_matrix(), pose["shift"]


def assert_as_dockq_says(docking, poses):
    for pose in poses:
        found = docking.quality(*motion(pose))
        for ours, theirs in NAMES.items():
            assert getattr(found, ours) == pytest.approx(pose[theirs], abs=TOLERANCE), (ours, pose)


@pytest.mark.parametrize("name", CUT)
def test_every_label_is_that_of_dockq(name):
    assert_as_dockq_says(data.Docking(*parts(name)), REFERENCE["cut"][name])


def test_the_poses_that_dockq_saw_are_many_and_of_every_quality():
    poses = [pose for name in CUT for pose in REFERENCE["cut"][name]]
    words = {quality_of(pose["fnat"], pose["iRMSD"], pose["LRMSD"]).quality for pose in poses}
    assert len(poses) >= 50 and words == {"incorrect", "acceptable", "medium", "high"}


@pytest.mark.skipif(
    "EQLIB_COMPLEXES" not in os.environ, reason="EQLIB_COMPLEXES names the folder of the docking benchmark"
)
@pytest.mark.parametrize("name", sorted(REFERENCE["whole"]))
def test_every_label_of_whole_complexes_is_that_of_dockq(name):
    whole = parts(name, Path(os.environ["EQLIB_COMPLEXES"]), "b-matched", ".pdb")
    assert_as_dockq_says(data.Docking(*whole), REFERENCE["whole"][name])


@pytest.mark.parametrize("name", CUT)
def test_the_native_is_perfect(name):
    receptor, ligand, _, _ = parts(name)
    found = data.docking_quality(receptor, ligand, receptor, ligand)
    assert found[:4] == pytest.approx((1, 0, 0, 1), abs=1e-12) and found.quality == "high"


def some_pose(name="1AZS", at=8):
    native_receptor, native_ligand, receptor, ligand = parts(name)
    return native_receptor, native_ligand, receptor, ligand.moved(*motion(REFERENCE["cut"][name][at]))


def labels(native_receptor, native_ligand, receptor, ligand):
    return data.docking_quality(receptor, ligand, native_receptor, native_ligand)[:4]


def test_a_motion_of_everything_changes_no_label():
    pose = some_pose()
    random = np.random.default_rng(0)
    ways = [(Rotation.random(rng=random).as_matrix(), 30 * random.normal(size=3)) for _ in range(2)]
    moved = [*(each.moved(*ways[0]) for each in pose[:2]), *(each.moved(*ways[1]) for each in pose[2:])]
    assert labels(*moved) == pytest.approx(labels(*pose), abs=1e-9)
    assert 0.1 < labels(*pose)[0] < 1


def test_a_pose_by_a_motion_is_the_pose_of_the_moved_ligand():
    native_receptor, native_ligand, receptor, ligand = parts("1CGI")
    docking = data.Docking(native_receptor, native_ligand, receptor, ligand)
    R, shift = motion(REFERENCE["cut"]["1CGI"][5])
    moved = data.docking_quality(receptor, ligand.moved(R, shift), native_receptor, native_ligand)
    assert docking.quality(R, shift)[:4] == pytest.approx(moved[:4], abs=1e-12)


def shuffled(part, random):
    """The same residues, each with its atoms in another order."""
    order = np.lexsort((random.random(len(part.elements)), part.residues))
    arrays = (part.positions, part.elements, part.names, part.residues)
    of_residues = (part.residue_names, part.chains, part.numbers, part.insertions)
    return data.Structure(*(x[order] for x in arrays), *of_residues, np.argsort(order)[part.alpha])


def test_the_order_of_atoms_does_not_count():
    pose, random = some_pose(), np.random.default_rng(0)
    assert labels(*(shuffled(part, random) for part in pose)) == pytest.approx(labels(*pose), abs=1e-12)


def two_chains(part, names="XY"):
    half = len(part) // 2
    chains = np.repeat(list(names), [half, len(part) - half])
    named = data.Structure(
        part.positions,
        part.elements,
        part.names,
        part.residues,
        part.residue_names,
        chains,
        part.numbers,
        part.insertions,
        part.alpha,
    )
    return [named.only(chains == name) for name in names]


def test_the_order_of_chains_does_not_count():
    native_receptor, native_ligand, receptor, ligand = some_pose()
    x, y = two_chains(ligand)
    a, b = two_chains(native_ligand)
    straight = labels(native_receptor, join(a, b), receptor, join(x, y))
    for native, model in ((join(a, b), join(y, x)), (join(b, a), join(x, y)), (join(b, a), join(y, x))):
        assert labels(native_receptor, native, receptor, model) == pytest.approx(straight, abs=1e-12)


def test_names_of_chains_do_not_count_where_the_sequences_are_equal():
    native_receptor, native_ligand, receptor, ligand = some_pose("1CGI")
    renamed = join(*two_chains(ligand, "PQ"))
    native = join(*two_chains(native_ligand, "XY"))
    assert labels(native_receptor, native, receptor, renamed) == pytest.approx(
        labels(native_receptor, native_ligand, receptor, ligand), abs=1e-12
    )


def test_a_far_pose_is_incorrect_and_still_finite():
    native_receptor, native_ligand, receptor, ligand = parts("1CGI")
    found = data.Docking(native_receptor, native_ligand, receptor, ligand).quality(np.eye(3), [1e4, 0, 0])
    assert found.fnat == 0 and found.quality == "incorrect" and 0 < found.dockq < 1e-4 and found.ligand_rmsd > 9e3


def test_a_contact_whose_residue_is_missing_is_lost():
    receptor, ligand, _, _ = parts("1CGI")
    docking = data.Docking(receptor, ligand, receptor, ligand)
    found = data.Docking(
        receptor, ligand, receptor.only(np.arange(1, len(receptor))), ligand.only(np.arange(2, len(ligand)))
    )
    quality = found.quality(np.eye(3))
    assert found.contacts == docking.contacts and quality.fnat < 1
    assert quality[1:3] == pytest.approx((0, 0), abs=1e-12)  # of what is left


@pytest.mark.parametrize(
    ("dockq", "word"), [(0.2299, "incorrect"), (0.2301, "acceptable"), (0.4901, "medium"), (0.8001, "high")]
)
def test_the_words_begin_where_the_paper_says(dockq, word):
    assert (
        quality_of(3 * dockq - 1, 0.0, 1e9).quality == word
        if dockq > 1 / 3
        else quality_of(3 * dockq, 1e9, 1e9).quality == word
    )


def test_gaps_are_where_dockq_has_them():
    """Pairs as Biopython's aligner gives them, which DockQ calls; it agreed on 400 random pairs of sequences."""
    for one, other, expected in ALIGNED:
        i, j = aligned(one, other)
        assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected, (one, other)


def test_wrong_input_is_named():
    receptor, ligand, _, _ = parts("1CGI")
    away = ligand.moved(np.eye(3), [1000, 0, 0])
    with pytest.raises(ValueError, match="native_receptor, native_ligand: got no heavy atoms within 5"):
        data.Docking(receptor, away, receptor, ligand)
    with pytest.raises(ValueError, match=r"ligand: got .* of the native's .* residues in its sequence"):
        data.Docking(receptor, ligand, receptor, ligand.only([0, 1, 2]))
    with pytest.raises(ValueError, match="receptor: got 3, expected a Structure"):
        data.Docking(receptor, ligand, 3, ligand)
    docking = data.Docking(receptor, ligand, receptor, ligand)
    with pytest.raises(ValueError, match="rotation: got a reflection"):
        docking.quality(-np.eye(3))
    with pytest.raises(ValueError, match="shift: got shape"):
        docking.quality(np.eye(3), [0, 0])
    with pytest.raises(ValueError, match="matrices: got one that is not orthogonal"):
        docking.quality(2 * np.eye(3))


def test_pairs_are_of_equal_residues():
    native, _, model, _ = parts("1AVX")
    ours, theirs = paired("receptor", model, native)
    assert (model.residue_names[ours] == native.residue_names[theirs]).all()
