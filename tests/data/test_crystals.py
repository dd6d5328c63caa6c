"""Crystals: the same crystal written differently, what is refused, neighbours with every image, frequencies and heat."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eqlib import data, groups
from eqlib.data import crystal_file
from eqlib.data.elements import ELEMENTS, MASSES, place
from eqlib.data.phonons import KELVIN

DOCS = Path(__file__).resolve().parents[2] / "docs"
SALT = [11, 17], [[0, 0, 0], [2.8, 0, 0]], [[[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]]], [2]
IRON = [26], [[0, 0, 0]], [[[-1.43, 1.43, 1.43], [1.43, -1.43, 1.43], [1.43, 1.43, -1.43]]], [1]
f = np.arange(4) * 100.0


def both():
    numbers, positions, cells, sizes = (a + b for a, b in zip(SALT, IRON, strict=True))
    return data.as_crystals(
        numbers, positions, cells, sizes, names=["salt", "iron"], frequencies=f, spectra=[[0, 1, 2, 0], [0, 0, 1, 4]]
    )


def lengths(crystals, cutoff=6.0):
    """Lengths of all edges at each atom, sorted, for each crystal, shortest first."""
    found = []
    for i in range(len(crystals)):
        numbers, pairs, vectors, *_ = data.CrystalGraphs(crystals, cutoff).batch(np.array([i]))
        rows = [np.sort(np.linalg.norm(vectors[pairs[1] == n], axis=1)) for n in range(len(numbers))]
        found.append(sorted((int(z), *row.round(4)) for z, row in zip(numbers, rows, strict=True)))
    return found


# arrays ---------------------------------------------------------------------------------------------------------------


def test_some_of_them_and_their_names():
    crystals = both()
    assert repr(crystals) == "Crystals(2 crystals, 3 atoms, spectra at 4 frequencies)"
    assert crystals.formulas == ["ClNa", "Fe"] and crystals.names == ("salt", "iron")
    assert crystals.spectra.tolist() == [[0, 0.5, 1, 0], [0, 0, 0.25, 1]]
    turned = crystals[[1, 0]]
    assert turned.names == ("iron", "salt") and turned.numbers.tolist() == [26, 11, 17]
    assert turned.cells[1].tolist() == crystals.cells[0].tolist() and turned.spectra[0].tolist() == [0, 0, 0.25, 1]
    assert len(crystals[:0]) == 0 and crystals[-1].formulas == ["Fe"]
    with pytest.raises(IndexError):
        crystals[2]
    assert crystals.volumes == pytest.approx([2 * 2.8**3, 4 * 1.43**3])


def test_moved_strained_and_repeated_crystals_have_the_same_neighbours():
    crystals, O3 = both(), groups.O3()
    g = O3.matrix(O3.sample(2, seed=0))
    assert (np.linalg.det(g) < 0).any() or np.linalg.det(O3.matrix(O3.sample(8, seed=0))).min() < 0
    for other in (crystals.moved(g), crystals.moved(-np.eye(3)), crystals.strained(np.zeros((3, 3)))):
        assert lengths(other) == lengths(crystals)
    large = crystals.repeated([2, 1, 3])
    assert large.volumes == pytest.approx(6 * crystals.volumes) and large.spectra is crystals.spectra
    for many, one in zip(lengths(large), lengths(crystals), strict=True):
        assert many == sorted(one * 6)
    stretched = crystals.strained(0.01 * np.eye(3))
    assert stretched.spectra is None and stretched.volumes == pytest.approx(1.01**3 * crystals.volumes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"numbers": [11.5, 17]}, "numbers: got float64"),
        ({"numbers": [11, 0]}, "numbers: got 0 ... 11"),
        ({"numbers": [11]}, r"numbers: got shape \(1,\)"),
        ({"positions": [[0, 0, np.nan], [1, 1, 1]]}, "positions: got NaN"),
        ({"positions": [[0, 0], [1, 1]]}, "positions: got shape"),
        ({"cells": [[[0, 2.8, 2.8], [0, 2.8, 2.8], [2.8, 2.8, 0]]]}, r"cells: got crystal 0 with a volume of 0"),
        ({"cells": [np.zeros((3, 3))]}, "cells: got crystal 0 with a volume of 0"),
        ({"cells": [np.full((3, 3), np.inf)]}, "cells: got NaN or inf"),
        ({"sizes": [0]}, "sizes: got crystal 0 with 0 atoms"),
        ({"names": ["a", "b"]}, "names: got 2"),
        ({"spectra": [[1, 2, 3, 4]]}, "spectra: got one of spectra and frequencies"),
        ({"frequencies": f, "spectra": [[1, 2, 3]]}, "spectra: got shape"),
        ({"frequencies": f, "spectra": [[0, 0, 0, 0]]}, "crystal 0 zero everywhere"),
        ({"frequencies": f, "spectra": [[0, -1, 2, 0]]}, "crystal 0 negative somewhere"),
        ({"frequencies": [0, 1, 3, 4], "spectra": [[1, 2, 3, 4]]}, "frequencies: got steps of 1 ... 2"),
        ({"frequencies": [-1, 0, 1, 2], "spectra": [[1, 2, 3, 4]]}, "frequencies: got shape"),
    ],
)
def test_what_is_no_crystal(change, words):
    given = dict(zip(("numbers", "positions", "cells", "sizes"), SALT, strict=True)) | change
    with pytest.raises(ValueError, match=words):
        data.as_crystals(**given)


def test_a_left_handed_cell_and_atoms_outside_are_as_good():
    numbers, positions, cells, sizes = SALT
    plain = data.as_crystals(numbers, positions, cells, sizes)
    left = data.as_crystals(numbers, positions, np.array(cells)[:, [1, 0, 2]], sizes)
    assert np.linalg.det(left.cells[0]) * np.linalg.det(plain.cells[0]) < 0
    outside = data.as_crystals(numbers, np.add(positions, [[5.6, 0, 0], [-2.8, 2.8, 56]]), cells, sizes)
    assert lengths(left) == lengths(outside) == lengths(plain)


# graphs ---------------------------------------------------------------------------------------------------------------


def test_every_image_is_a_neighbour_and_a_batch_is_what_its_crystals_are():
    crystals = both()
    found = data.CrystalGraphs(crystals, 2.9)
    numbers, pairs, vectors, batch, n, spectra = found.batch(np.array([1, 0, 1]))
    assert numbers.tolist() == [26, 11, 17, 26] and batch.tolist() == [0, 1, 1, 2] and n == 3
    assert spectra.tolist() == crystals.spectra[[1, 0, 1]].tolist()
    assert np.bincount(pairs[1]).tolist() == [14, 6, 6, 14]  # bcc: 8 and 6; rock salt: 6
    assert vectors.dtype == np.float32 and np.linalg.norm(vectors, axis=1).max() < 2.9
    for k, i in enumerate([1, 0, 1]):
        alone = found.batch(np.array([i]))
        mine = batch[pairs[1]] == k
        assert np.array_equal(alone[2], vectors[mine])
        assert np.array_equal(alone[1], pairs[:, mine] - np.flatnonzero(batch == k)[0])
    assert found.batch(np.zeros(0, dtype=np.int64))[1].shape == (2, 0)
    assert data.CrystalGraphs(crystals.strained(np.zeros((3, 3))), 2.9).batch(np.array([0]))[-1] is None


def test_two_atoms_in_one_place_are_named():
    numbers, _, cells, sizes = SALT
    twice = data.as_crystals(numbers, [[0, 0, 0], [2.8, 2.8, 0.1]], cells, sizes, names=["salt"])
    with pytest.raises(ValueError, match=r"two atoms 0\.1 angstrom apart in crystal 0, salt"):
        data.CrystalGraphs(twice, 4.0)


# frequencies and heat -------------------------------------------------------------------------------------------------


def test_elements_have_masses():
    assert len(MASSES) == len(ELEMENTS) == 118
    for symbol, mass in (("H", 1.008), ("C", 12.011), ("Fe", 55.845), ("Au", 196.967), ("U", 238.029)):
        assert MASSES[ELEMENTS.index(symbol)] == mass


def test_places_in_the_periodic_table():
    """Columns that everybody knows, each element in one place, but for the lanthanides and the actinides."""
    columns = {
        1: "H Li Na K Rb Cs Fr",
        2: "Be Mg Ca Sr Ba Ra",
        3: "Sc Y La Lu Ac Ce Lr",
        4: "Ti Zr Hf Rf",
        10: "Ni Pd Pt Ds",
    }
    columns |= {13: "B Al Ga In Tl Nh", 17: "F Cl Br I At Ts", 18: "He Ne Ar Kr Xe Rn Og"}
    for group, symbols in columns.items():
        for symbol in symbols.split():
            assert place(ELEMENTS.index(symbol) + 1)[1] == group, symbol
    places = [place(n) for n in range(1, 119)]
    assert [sum(p == period for p, _ in places) for period in range(1, 8)] == [2, 8, 8, 18, 18, 32, 32]
    once = {where for where in places if places.count(where) == 1}
    assert {where for where in places if places.count(where) > 1} == {(6, 3), (7, 3)} and len(once) == 118 - 30
    with pytest.raises(ValueError, match="number: got 119, expected 1"):
        place(119)


def test_heat_capacity_is_the_slope_of_the_energy_and_has_its_limits():
    """Of one frequency: the energy of an oscillator, 3 (x / 2) coth(x / 2) k_B T an atom, differentiated in T."""
    grid = np.array([0.0, 150.0, 300.0])
    one, T = np.array([0, 0, 1.0]), 250.0

    def energy(T):
        x = KELVIN * 300.0 / T
        return 3 * T * x / 2 / np.tanh(x / 2)

    slope = (energy(T + 0.01) - energy(T - 0.01)) / 0.02
    assert data.heat_capacity(one, grid, T) == pytest.approx(slope, rel=1e-6)
    g = np.random.default_rng(0).random((5, 51))
    nu = np.arange(51) * 20.0
    assert data.heat_capacity(g, nu, 1e6) == pytest.approx(3)
    assert data.heat_capacity(g[:, 1:], nu[1:], 1.0) == pytest.approx(0, abs=1e-6)
    assert np.array_equal(data.heat_capacity(g, nu), data.heat_capacity(7 * g, nu)) or data.heat_capacity(
        g, nu
    ) == pytest.approx(data.heat_capacity(7 * g, nu))
    assert data.mean_frequency(g, nu) == pytest.approx((g * nu).sum(1) / g.sum(1))
    assert np.isnan(data.mean_frequency(np.zeros(51), nu))
    with pytest.raises(ValueError, match="temperature: got 0 K"):
        data.heat_capacity(g, nu, 0)
    with pytest.raises(ValueError, match="spectra: got shape"):
        data.heat_capacity(g, nu[:5])


def test_neighbours_are_those_of_torch():
    """Vectors that `graphs.neighbours` gives for one crystal by itself, in float64, to rounding."""
    from eqlib import graphs

    crystals = both()
    _, pairs, vectors, *_ = data.CrystalGraphs(crystals, 5.0).batch(np.array([0]))
    alone = graphs.neighbours(torch.tensor(crystals.positions[:2]), 5.0, cell=torch.tensor(crystals.cells[0]))
    assert np.array_equal(pairs, torch.stack([alone.source, alone.target]).numpy())
    assert np.abs(vectors - alone.vectors.numpy()).max() < 1e-6


# the file of make_crystals.py -----------------------------------------------------------------------------------------


def alloy_file(folder, **change):
    """Three crystals, one of each split, in the file's form."""
    spectra = np.zeros((3, 51), np.float32)
    spectra[[0, 1, 2], [10, 20, 30]] = 1
    arrays = {
        "sizes": [1, 2, 1],
        "numbers": [29, 29, 79, 13],
        "positions": [[0, 0, 0], [0, 0, 0], [2, 2, 2], [0, 0, 0]],
        "cells": [1.8 * (1 - np.eye(3)), 4 * np.eye(3), 2 * (1 - np.eye(3))],
        "spectra": spectra,
        "splits": [1, 1, 1],
    } | change
    packed = {name: np.asarray(arrays[name]).astype(kind) for name, kind in crystal_file.FORM.items()}
    recipe = {"names": ["Cu fcc, at rest", "CuAu B2, strain 1", "Al fcc, at rest"]}
    np.savez(folder / "crystals.npz", **packed, recipe=json.dumps(recipe))
    return folder / "crystals.npz"


def test_the_alloys_that_ship():
    """Each formula is on one side, frequencies follow mass and volume, and the card says the file's own figures."""
    parts = {split: data.alloys(split) for split in crystal_file.SPLITS}
    sides = [set(part.formulas) for part in parts.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 68
    assert {int(z) for z in parts["train"].numbers} >= {int(z) for part in parts.values() for z in part.numbers}
    every = {name: i for i, name in enumerate(parts["train"].names)}
    rest = [every[f"{metal} fcc, at rest"] for metal in ("Al", "Cu", "Pd", "Ag", "Pt", "Au")]
    nu = data.mean_frequency(parts["train"].spectra[rest], parts["train"].frequencies)
    assert nu[0] == nu.max() and nu[-1] == nu.min()  # aluminium is the lightest of them, gold heavy and soft
    recipe, card = parts["train"].recipe, (DOCS / "data_crystals.md").read_text(encoding="utf-8")
    size, total = f"{crystal_file.CRYSTALS.stat().st_size:,} bytes", sum(map(len, parts.values()))
    kept = f"{len(recipe['dropped'])} of {total + len(recipe['dropped'])}"
    for figure in (size, crystal_file.SHA256, kept, *(str(len(part)) for part in parts.values())):
        assert figure in card, figure
    for strained in (name for name in recipe["dropped"] if "fcc" in name):
        assert "strain" in strained  # the metals themselves are stable at rest
    assert recipe["highest"] < crystal_file.FREQUENCIES[-1]


def test_a_file_of_alloys(tmp_path):
    path = alloy_file(tmp_path)
    assert data.alloys("valid", path=path, checksum=None).names == ("CuAu B2, strain 1",)
    assert data.alloys("test", path=path, checksum=None).formulas == ["Al"]
    assert data.alloys(path=path, checksum=None).frequencies[[0, 1, -1]].tolist() == [0, 8, 400]
    for given, words in (
        ({"split": "all"}, "split: got 'all'"),
        ({"number": 2}, "number: got 2, expected 1 ... 1"),
        ({"checksum": "00"}, "wrong checksum"),
    ):
        with pytest.raises(ValueError, match=words):
            data.alloys(**{"path": path, "checksum": None} | given)
    with pytest.raises(FileNotFoundError, match=r"tools/make_crystals\.py"):
        data.alloys(path=tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"splits": [1, 1, 2]}, "splits: got"),
        ({"numbers": [29, 29, 79, 0]}, "numbers: got"),
        ({"cells": np.zeros((3, 3, 3))}, "cells: got crystal 0"),
    ],
)
def test_a_damaged_file_of_alloys(tmp_path, change, words):
    path = alloy_file(tmp_path, **change)
    with pytest.raises(ValueError, match=words) as caught:
        data.alloys(path=path, checksum=None)
    assert str(path) in str(caught.value)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="damaged file or another one"):
        data.alloys(path=path, checksum=None)
