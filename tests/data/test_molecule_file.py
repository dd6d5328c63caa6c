"""The files of molecules: what make_molecules.py writes, how it is read, damaged files; and the data card."""

import re
import zipfile
from pathlib import Path

import make_molecules
import numpy as np
import pytest
from make_molecules import Labelled

from eqlib import data
from eqlib.data import molecule_file
from eqlib.data.molecules import DEBYE

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHIPPED = {
    "glycol": (
        molecule_file.GLYCOL,
        molecule_file.GLYCOL_SHA256,
        {"train": 1000, "valid": 200, "test": 1000, "scan": 72},
    ),
    "small_molecules": (molecule_file.SMALL, molecule_file.SMALL_SHA256, {"train": 2400, "valid": 200, "test": 400}),
}


def made_up(number, atoms=10, seed=0):
    """So many labelled molecules, of `atoms` atoms each, or of one more for every other."""
    random, found = np.random.RandomState(seed), []
    for i in range(number):
        n = atoms + i % 2 * (atoms != 10)
        x = random.normal(size=(n, 3)).astype(np.float32)
        numbers = np.array([8, 6, 6, 8, *[1] * n][:n], np.uint8)
        forces, dipole = random.normal(size=(n, 3)), random.normal(size=3)
        found.append(Labelled(numbers, x, -420 + random.normal(), forces, dipole, random.uniform(3, 9)))
    return found


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """make_molecules.py as on the command line, with made-up molecules in place of computed ones; gives the file's path."""
    monkeypatch.setattr(
        make_molecules, "trajectory", lambda split, number, seed: made_up(number, seed=hash_of(split, seed))
    )
    monkeypatch.setattr(make_molecules, "scan", lambda seed: made_up(72, seed=99))
    dropped = {"O=O": "gap below 0.5 eV"}
    monkeypatch.setattr(
        make_molecules, "listed", lambda n, seed: (made_up(n, 5, seed), [f"C{i}" for i in range(n)], dropped)
    )
    monkeypatch.setattr(make_molecules, "version", lambda name: "0")

    def check(*options, name="made.npz"):
        path = tmp_path / name
        monkeypatch.setattr("sys.argv", ["make_molecules.py", *map(str, options), "--out", str(path)])
        make_molecules.main()
        return path

    return check


def hash_of(split, seed):
    return 10 * seed + [*make_molecules.STARTS].index(split)


def test_frames_come_back_as_they_were_computed(run):
    path = run("--what", "glycol", "--number", 10, "--seed", 3)
    for split, number in {"train": 10, "valid": 2, "test": 10, "scan": 72}.items():
        found = data.glycol(split, path=path, checksum=None)
        expected = made_up(number, seed=99 if split == "scan" else hash_of(split, 3))
        assert found.sizes.tolist() == number * [10] and found.numbers[:4].tolist() == [8, 6, 6, 8]
        assert found.energies.tolist() == [each.energy for each in expected]  # float64, to the last bit
        assert np.array_equal(found.positions, np.concatenate([each.positions for each in expected]))
        for name, wanted in (("forces", "forces"), ("dipoles", "dipole"), ("gaps", "gap")):
            values = np.concatenate([np.atleast_1d(getattr(each, wanted)) for each in expected]).reshape(-1)
            np.testing.assert_allclose(getattr(found, name).reshape(-1), values, rtol=1e-7)
        np.testing.assert_allclose(found.moments, np.linalg.norm(found.dipoles, axis=1))
    fewer = data.glycol("test", 3, path=path, checksum=None)
    assert len(fewer) == 3 and fewer.energies.tolist() == [
        each.energy for each in made_up(10, seed=hash_of("test", 3))[:3]
    ]
    recipe = fewer.recipe
    assert recipe["seed"] == 3 and recipe["command"] == "make_molecules.py --what glycol --number 10 --seed 3"
    assert recipe["method"].startswith("GFN2-xTB") and set(recipe["versions"]) == {"ase", "numpy", "rdkit", "tblite"}


def test_molecules_of_the_list_come_with_their_smiles_and_what_was_dropped(run, capsys):
    path = run("--what", "list", "--number", 30, "--seed", 2)
    assert "30, 1 dropped" in capsys.readouterr().out
    parts = [data.small_molecules(split, path=path, checksum=None) for split in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [24, 2, 4]
    recipe = parts[0].recipe
    assert recipe["dropped"] == {"O=O": "gap below 0.5 eV"} and len(recipe["smiles"]) == 30
    assert recipe["settings"]["list"] and "chemicals" in recipe["versions"]
    expected = made_up(30, 5, 2)
    assert np.concatenate([part.sizes for part in parts]).tolist() == [5, 6] * 15
    np.testing.assert_array_equal(
        np.concatenate([part.positions for part in parts]), np.concatenate([e[1] for e in expected])
    )
    assert parts[0].forces is None
    with pytest.raises(ValueError, match=r"split: got 'scan', expected one of \('train', 'valid', 'test'\)"):
        data.small_molecules("scan", path=path, checksum=None)


def test_the_same_run_gives_the_same_bytes_and_nothing_else_in_the_folder(run):
    options = ("--what", "glycol", "--number", 4)
    one, two, other = run(*options), run(*options, name="two.npz"), run(*options, "--seed", 2, name="other.npz")
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    assert sorted(path.name for path in one.parent.iterdir()) == ["made.npz", "other.npz", "two.npz"]


@pytest.mark.parametrize("options", [("--what", "list", "--number", 14), ("--what", "glycol", "--number", -1)])
def test_too_small_a_number_is_refused(run, options, capsys):
    with pytest.raises(SystemExit):
        run(*options)
    assert "--number: got" in capsys.readouterr().err


# damaged files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(run):
    return run("--what", "list", "--number", 15)


def test_truncated_and_other_files_are_refused_by_name(small):
    content = small.read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], b"", b"nothing of the kind"):
        small.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"made\.npz: got a damaged file or another one"):
            data.small_molecules(path=small, checksum=None)
        with pytest.raises(ValueError, match=r"made\.npz: wrong checksum: got SHA-256"):
            data.small_molecules(path=small, checksum="ab" * 32)
    np.savez(small, sizes=np.array([object()]), allow_pickle=True)  # a pickle
    with pytest.raises(ValueError, match=r"made\.npz: got a damaged file or another one"):
        data.small_molecules(path=small, checksum=None)
    with pytest.raises(FileNotFoundError):
        data.small_molecules(path=small.with_name("none.npz"), checksum=None)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("sizes", np.full(15, 7, np.uint8), "numbers: got shape"),
        ("positions", np.full((1, 3), np.nan, np.float32), "positions: got shape"),
        ("dipoles", np.full((15, 3), np.nan, np.float32), "dipoles: got NaN or inf"),
        ("numbers", None, "numbers: got .* expected atomic numbers"),
        ("splits", np.array([10, 1, 2, 0], np.int32), "splits: got .* expected 4 numbers that add up to 15"),
        ("splits", np.array([16, -1, 0, 0], np.int32), "splits: got"),
        ("splits", np.array([15], np.int32), "splits: got"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(small, name, values, message):
    with np.load(small) as file:
        arrays = {key: file[key] for key in file.files if key != "recipe"}
    arrays[name] = 0 * arrays[name] if values is None else values
    make_molecules.write(small, arrays, {})
    with pytest.raises(ValueError, match=rf"made\.npz: {message}"):
        data.small_molecules(path=small, checksum=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "all"}, r"split: got 'all', expected one of \('train', 'valid', 'test', 'scan'\)"),
        ({"number": 0}, "number: got 0, expected 1 ... 5, the molecules of split 'train'"),
        ({"number": 6}, "number: got 6"),
    ],
)
def test_glycol_refuses(options, message, run):
    with pytest.raises(ValueError, match=message):
        data.glycol(**options, path=run("--what", "glycol", "--number", 5), checksum=None)


# what is shipped ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_file_is_small_checked_and_of_the_stated_size(name):
    path, digest, parts = SHIPPED[name]
    assert digest is not None and sum(p.stat().st_size for p, _, _ in SHIPPED.values()) <= 3_000_000
    assert digest in (DOCS / "data_molecules.md").read_text(encoding="utf-8")
    for split, number in parts.items():
        assert len(getattr(data, name)(split)) == number
    with zipfile.ZipFile(path) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_data_card_says_what_the_tool_does():
    card = (DOCS / "data_molecules.md").read_text(encoding="utf-8")
    for command in re.findall(r"python tools/make_molecules\.py.*", make_molecules.__doc__):
        assert command in card
    for setting in ("300 K", "0.5 fs", "0.01 / fs", "20 fs", "1 ps", "0.05 eV / angstrom", "200 steps", "0.5 eV"):
        assert setting in card
    assert make_molecules.STEP * make_molecules.EVERY == 20 and make_molecules.STEP * make_molecules.BEFORE == 1000


# with the generators --------------------------------------------------------------------------------------------------


@pytest.fixture
def xtb():
    for name in ("ase", "rdkit", "tblite"):
        pytest.importorskip(name, reason=f"{name} is not installed (extra generate): nothing can be computed")


def test_the_dipole_of_hf_points_to_the_hydrogen_and_forces_are_the_slope(xtb):
    hf = make_molecules.label([9, 1], np.array([[0, 0, 0], [0, 0, 0.92]]))
    np.testing.assert_allclose(hf.dipole, [0, 0, 2.52 * DEBYE], atol=1e-3)  # GFN2-xTB's; 1.8 debye are measured
    np.testing.assert_allclose(hf.forces[0], -hf.forces[1], atol=1e-8)
    far, near = (make_molecules.label([9, 1], np.array([[0, 0, 0], [0, 0, 0.92 + h]])).energy for h in (5e-3, -5e-3))
    np.testing.assert_allclose(hf.forces[1, 2], (near - far) / 1e-2, atol=1e-2)
    np.testing.assert_allclose(hf.positions.astype(float).T @ [18.998, 1.008], 0, atol=1e-4)


def test_a_turned_and_reflected_molecule_has_turned_labels(xtb):
    numbers, positions, _ = make_molecules.embedded("OCCO", 1)
    R = -np.linalg.qr(np.random.RandomState(0).normal(size=(3, 3)))[0]
    one, other = make_molecules.label(numbers, positions), make_molecules.label(numbers, positions @ R.T)
    np.testing.assert_allclose(other.energy, one.energy, atol=1e-5)
    np.testing.assert_allclose(other.dipole, R @ one.dipole, atol=1e-5)
    np.testing.assert_allclose(other.forces, one.forces @ R.T, atol=1e-4)


def test_what_is_no_molecule_at_rest_is_dropped_and_the_rest_is_kept(xtb):
    assert make_molecules.relaxed("O", 1).gap > 10
    for smiles, reason in (
        ("[NH3+]CC(=O)[O-]", "other bonds"),
        ("O=O", "gap below 0.5 eV"),
        ("C1#CC1", "not embedded"),
    ):
        with pytest.raises(RuntimeError, match=reason):
            make_molecules.relaxed(smiles, 1)


def test_glycols_halves_are_what_the_constants_say(xtb):
    _, positions, bonds = make_molecules.embedded("OCCO", 1)
    assert bonds == {(0, 1), (1, 2), (2, 3), (0, 4), (1, 5), (1, 6), (2, 7), (2, 8), (3, 9)}
    assert make_molecules.bonds([8, 6, 6, 8, *[1] * 6], positions) == bonds
    assert (make_molecules.FIRST, make_molecules.LAST, make_molecules.BEYOND) == (4, 9, [2, 3, 7, 8, 9])
