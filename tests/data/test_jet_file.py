"""The jets' file format: rounding, jets of any size, damaged files; and the data card."""

import io
import re
from pathlib import Path

import jet_calibration
import make_jets
import numpy as np
import pytest
from make_jets import Jet

from eqlib import data
from eqlib.data.jet_file import FILE, KINDS, SHA256, read

DOCS = Path(__file__).resolve().parents[2] / "docs"


def made_up(counts, seed=0):
    """Jets with so many constituents, anywhere within 0.8 of an axis, and some across phi = pi."""
    random = np.random.RandomState(seed)
    found = []
    for n in counts:
        axis = np.array([600, random.uniform(-2, 2), random.choice([3.1, -3.1, 0.5])])
        pt = np.sort(0.06 * 1e4 ** random.uniform(size=n))[::-1]
        eta, phi = axis[1] + random.uniform(-0.8, 0.8, n), axis[2] + random.uniform(-0.8, 0.8, n)
        kinds = random.randint(0, len(KINDS), n)
        found.append(Jet(axis, np.column_stack([pt, eta, (phi + np.pi) % (2 * np.pi) - np.pi]), kinds))
    return found


def written(folder, counts, splits=None, seed=0):
    """A file with such jets; returns its path, its SHA-256 and the jets."""
    found, labels = made_up(counts, seed), np.arange(len(counts), dtype=np.uint8) % 2
    splits = [len(counts), 0, 0] if splits is None else splits
    path = folder / "made_up.npz"
    return path, make_jets.write(path, make_jets.pack(found, labels, splits), {"seed": seed}), found


def four_momenta(pt, eta, phi):
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], -1)


def minkowski(p, q):
    return p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(-1)


def test_rounding_costs_less_than_a_tenth_of_a_permille_in_pt_and_3e_5_in_angle(tmp_path):
    path, digest, found = written(tmp_path, [60, 1, 128, 0, 17, 80])
    jets = data.jets(path=path, checksum=digest)
    truth = np.concatenate([jet.constituents for jet in found])
    around = np.repeat(jets.axis, np.diff(jets.offsets), axis=0)
    pt, eta, phi = jets.constituents.T
    assert np.abs(pt / truth[:, 0] - 1).max() < 1e-4
    assert np.abs(eta + around[:, 1] - truth[:, 1]).max() < 3e-5
    assert np.abs((phi + around[:, 2] - truth[:, 2] + np.pi) % (2 * np.pi) - np.pi).max() < 3e-5
    np.testing.assert_allclose(jets.axis, [jet.axis for jet in found], rtol=1e-6)
    momenta, mask = jets.momenta()
    for jet, p, there in zip(found, momenta, mask, strict=True):
        exact = four_momenta(*jet.constituents.T)
        assert there.sum() == len(exact)
        np.testing.assert_allclose(p[there], exact, rtol=0, atol=2e-4 * exact[:, :1].max(initial=1))
    masses = [np.sqrt(max(minkowski(p, p), 0)) for p in (four_momenta(*jet.constituents.T).sum(0) for jet in found)]
    np.testing.assert_allclose(data.observables(jets).mass, masses, rtol=1e-4, atol=1e-3)


def test_jets_with_more_than_128_constituents_keep_the_hardest(tmp_path):
    path, _, found = written(tmp_path, [150])
    jets = data.jets(path=path, checksum=None)
    assert len(jets.constituents) == 128
    np.testing.assert_allclose(jets.constituents[:, 0], found[0].constituents[:128, 0], rtol=1e-4)


def test_what_a_particle_was_taken_for_comes_along_one_hot(tmp_path):
    path, _, found = written(tmp_path, [60, 0, 150, 1])
    jets = data.jets(path=path, checksum=None)
    kinds = np.concatenate([jet.kinds[:128] for jet in found])
    assert (jets.extra.argmax(1) == kinds).all() and (jets.extra.sum(1) == 1).all()
    arrays, recipe = read(path, None)
    older = {name: array for name, array in arrays.items() if name != "kinds"}  # a file as they were written before
    make_jets.write(path, older, recipe)
    assert data.jets(path=path, checksum=None).extra is None
    make_jets.write(path, arrays | {"kinds": arrays["kinds"] + np.uint8(1)}, recipe)
    with pytest.raises(ValueError, match=r"kinds: got 4, expected numbers of \('positive'"):
        read(path, None)
    make_jets.write(path, arrays | {"kinds": arrays["kinds"][1:]}, recipe)
    with pytest.raises(ValueError, match=r"kinds: got uint8 \(188,\), expected uint8 \(189,\)"):
        read(path, None)


def test_what_does_not_fit_into_the_file_is_refused():
    (jet,) = made_up([3])
    jet.constituents[0, 0] = 2000.0
    with pytest.raises(ValueError, match=r"pt: got .* steps, expected 0 ... 65535"):
        make_jets.pack([jet], np.zeros(1, np.uint8), [1, 0, 0])
    jet.constituents[:, 0], jet.constituents[0, 1] = 1.0, jet.axis[1] + 1.7
    with pytest.raises(ValueError, match=r"angles: got .* steps, expected -32768 ... 32767"):
        make_jets.pack([jet], np.zeros(1, np.uint8), [1, 0, 0])


def test_the_same_jets_give_the_same_bytes(tmp_path):
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    assert written(tmp_path / "one", [5, 9])[1] == written(tmp_path / "two", [5, 9])[1]
    assert written(tmp_path / "one", [5, 9], seed=1)[1] != written(tmp_path / "two", [5, 9])[1]


def test_jets_of_0_1_and_128_constituents(tmp_path):
    path, _, _ = written(tmp_path, [0, 1, 128, 2], splits=[4, 0, 0])
    jets = data.jets(path=path, checksum=None)
    inputs = data.JetInputs(jets, particles=128)
    assert inputs.mask.sum(1).tolist() == [0, 1, 128, 2]
    assert not inputs.momenta[0].any() and np.isfinite(inputs.momenta).all()
    plus, minus, x, y = inputs.momenta[1, 0]  # one particle is the axis
    assert plus > 0 and abs(minus) < 1e-5 * plus and np.abs([x, y]).max() < 1e-5 * plus
    values = data.observables(jets)
    assert values.multiplicity.tolist() == [0, 1, 128, 2]
    assert values.mass[0] == values.pt[0] == values.tau21[0] == values.tau32[0] == 0
    assert values.mass[1] < 1e-4 < values.mass[3]
    assert values.tau21[3] == 0 and 0 < values.tau32[2] < 1
    with pytest.raises(ValueError, match=r"number: got 1, expected 1 ... 0, the jets of split 'valid'"):
        data.jets("valid", path=path, checksum=None, number=1)


def test_a_truncated_file_is_refused_with_and_without_checksum(tmp_path):
    path, digest, _ = written(tmp_path, [20, 30])
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"made_up.npz: wrong checksum"):
            data.jets(path=path, checksum=digest)
        with pytest.raises(ValueError, match=r"made_up.npz: got a damaged file"):
            data.jets(path=path, checksum=None)
    with pytest.raises(FileNotFoundError):
        data.jets(path=tmp_path / "none.npz", checksum=None)


def test_a_file_with_other_arrays_is_refused(tmp_path):
    path, _, _ = written(tmp_path, [20, 30])
    arrays, _ = read(path, None)

    def attempt(change, match):
        content = arrays | {"recipe": np.array("{}")} | change
        np.savez(path, **{name: array for name, array in content.items() if array is not None})
        with pytest.raises(ValueError, match=match):
            data.jets(path=path, checksum=None)

    attempt({"labels": None}, "damaged file or another one .*labels")
    attempt({"labels": np.array([0, 1], dtype=object)}, "damaged file or another one .*allow_pickle")
    attempt({"recipe": np.array("seed 1")}, "damaged file or another one")
    attempt({"pt": arrays["pt"].astype(np.int64)}, r"pt: got int64 \(50,\), expected uint16 \(50,\)")
    attempt({"axis": arrays["axis"][:1]}, r"axis: got float32 \(1, 3\), expected float32 \(2, 3\)")
    attempt({"labels": arrays["labels"] + np.uint8(5)}, "labels: got 6, expected 0 and 1")
    attempt({"offsets": arrays["offsets"][::-1].copy()}, "offsets: got .*, expected rising ones from 0 to 50")
    attempt({"offsets": np.array([0, 60, 50], np.int32)}, "offsets: got .*, expected rising ones from 0 to 50")
    attempt({"splits": np.array([5, 0, 0], np.int32)}, r"splits \[5 0 0\], expected at most 128 and 2 jets")
    bytes_ = io.BytesIO()
    np.save(bytes_, arrays["pt"])
    path.write_bytes(bytes_.getvalue())  # an npy, not an npz
    with pytest.raises(ValueError, match="damaged file or another one"):
        data.jets(path=path, checksum=None)


# the data card --------------------------------------------------------------------------------------------------------


def test_the_data_card_says_what_is_measured():
    card = (DOCS / "data_jets.md").read_text(encoding="utf-8")
    assert SHA256 in card and f"{FILE.stat().st_size:,} bytes" in card
    assert (DOCS / "jets.png").stat().st_size <= 60_000
    written_down = dict(re.findall(r"^\| (.*?) \| .*? \| (.*?) \|$", card, flags=re.M))
    for name, value in jet_calibration.measure(FILE).items():
        if name.startswith("accuracy"):  # a tree's digits depend on scikit-learn's version
            assert float(value.split()[0]) == pytest.approx(float(written_down[name].split()[0]), abs=0.5)
        else:
            assert value == written_down[name]


def test_a_mode_is_where_most_values_are():
    values = np.concatenate([np.random.RandomState(0).normal(170, 10, 4000), np.linspace(0, 300, 4000)])
    assert jet_calibration.mode(values, 3) == pytest.approx(170, abs=2)


def test_the_tool_writes_both_classes_or_one_and_says_which_set_up(tmp_path, monkeypatch):
    """The command line with a generator of made-up jets: splits, labels, and what the recipe says."""
    calls = []

    def make(label, number, seed, setup):
        calls.append((label, number, seed, setup))
        return made_up([3 + label] * number, seed), 100 * (label + 1)

    monkeypatch.setattr(make_jets, "make", make)
    monkeypatch.setattr(make_jets, "version", lambda name: "0")

    def run(*options):
        path = tmp_path / "jets.npz"
        monkeypatch.setattr("sys.argv", ["make_jets.py", "--jets", "40", "--seed", "7", "--out", str(path), *options])
        make_jets.main()
        return path

    path = run()
    parts = [data.jets(split, path=path, checksum=None) for split in ("train", "valid", "test")]
    assert [(len(part), part.labels.sum()) for part in parts] == [(24, 12), (4, 2), (12, 6)]
    assert parts[0].recipe["events"] == {"QCD": 100, "top": 200} and "setup" not in parts[0].recipe["settings"]
    assert calls == [(0, 20, 7, "standard"), (1, 20, 7, "standard")]
    for label, name in enumerate(make_jets.CLASSES):
        jets = data.jets("test", path=run("--only", name, "--setup", "coupling"), checksum=None)
        assert len(jets) == 40 and (jets.labels == label).all() and calls[-1] == (label, 40, 7, "coupling")
        assert jets.recipe["events"] == {name: 100 * (label + 1)}
        assert jets.recipe["settings"]["setup"] == list(make_jets.SETUPS["coupling"])
