"""The shipped jets, their file format, what networks and baselines are given, and N-subjettiness."""

import hashlib
import io
import zipfile

import make_jets
import numpy as np
import pytest
from make_jets import Jet
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from eqlib import data, groups
from eqlib.data.jets import FILE, SHA256, read
from eqlib.data.subjettiness import rapidity_and_phi

PARTS = {"train": 6000, "valid": 1000, "test": 3000}


@pytest.fixture(scope="module")
def held_out():
    return data.jets("test", dtype=np.float64)


def made_up(counts, seed=0):
    """Jets with so many constituents, anywhere within 0.8 of an axis, and some across phi = pi."""
    random = np.random.RandomState(seed)
    found = []
    for n in counts:
        axis = np.array([600, random.uniform(-2, 2), random.choice([3.1, -3.1, 0.5])])
        pt = np.sort(0.06 * 1e4 ** random.uniform(size=n))[::-1]
        eta, phi = axis[1] + random.uniform(-0.8, 0.8, n), axis[2] + random.uniform(-0.8, 0.8, n)
        found.append(Jet(axis, np.column_stack([pt, eta, (phi + np.pi) % (2 * np.pi) - np.pi])))
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


# the shipped file -----------------------------------------------------------------------------------------------------


def test_the_file_is_small_checked_and_says_how_it_was_made():
    content = FILE.read_bytes()
    assert len(content) <= 4_000_000 and hashlib.sha256(content).hexdigest() == SHA256
    recipe = data.jets("valid", number=2).recipe
    assert recipe["seed"] == 1 and recipe["licence"] == "CC BY 4.0" and recipe["versions"]["pythia8mc"] == "8.317.2"
    assert "PhaseSpace:pTHatMin = 350" in recipe["settings"]["common"]
    with zipfile.ZipFile(FILE) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("split", PARTS)
def test_each_split_has_the_stated_size_and_is_balanced_wherever_it_is_cut(split):
    jets = data.jets(split, particles=50)
    assert len(jets) == PARTS[split] and jets.labels.dtype == np.int64
    assert (jets.labels.reshape(-1, 2).sum(1) == 1).all()
    assert 0.45 < jets.labels[::2].mean() < 0.55
    fewer = data.jets(split, particles=50, number=10)
    assert np.array_equal(fewer.inputs, jets.inputs[:10]) and np.array_equal(fewer.taus, jets.taus[:10])
    assert np.array_equal(fewer.constituents, jets.constituents[: fewer.offsets[-1]])


def test_jets_pass_the_cuts_and_no_two_are_alike(held_out):
    others = [data.jets(split) for split in ("train", "valid")]
    axis = np.concatenate([part.axis for part in (*others, held_out)])
    assert 550 < axis[:, 0].min() and axis[:, 0].max() < 650 and np.abs(axis[:, 1]).max() < 2
    assert len(np.unique(axis, axis=0)) == 10_000
    values = data.observables(held_out)
    np.testing.assert_allclose(values.pt, held_out.axis[:, 0], rtol=2e-3)  # rounding, and a few cut to 128
    pt, eta, phi = held_out.constituents.T
    assert np.hypot(eta, phi).max() < 1.3 and pt.min() > 0.05
    inside = np.ones(len(pt), dtype=bool)
    inside[held_out.offsets[:-1]] = False
    assert (np.diff(pt)[inside[1:]] <= 0).all()  # by falling pT inside each jet
    assert values.multiplicity.max() <= 128 and values.multiplicity.min() >= 1


def test_the_classes_differ_as_those_of_the_reference_set_do(held_out):
    values, top = data.observables(held_out), held_out.labels == 1
    window = (values.mass > 145) & (values.mass < 205)
    assert abs(window[top].mean() - 0.89) < 0.03 and abs(window[~top].mean() - 0.10) < 0.03
    assert abs(values.multiplicity[top].mean() - 59) < 2 and abs(values.multiplicity[~top].mean() - 46) < 2
    histogram, edges = np.histogram(values.mass[top], np.arange(140, 210, 5))
    assert 165 <= edges[histogram.argmax()] <= 170
    assert values.tau32[top].mean() < values.tau32[~top].mean() - 0.1


def test_pinned():
    """Published checkpoints and logs rest on these jets."""
    jets = data.jets("test", number=8)
    values = data.observables(jets)
    assert jets.labels.tolist() == [1, 0, 0, 1, 1, 0, 0, 1]
    np.testing.assert_allclose(
        values.mass, [155.909, 63.816, 63.603, 233.374, 166.843, 86.509, 174.095, 182.125], atol=1e-3
    )


def test_a_batch_is_inputs_mask_and_labels_and_fit_takes_it():
    jets = data.jets("valid", particles=20, number=6)
    inputs, mask, labels = jets.batch(np.array([3, 1]))
    assert inputs.shape == (2, 20, 4) and inputs.dtype == np.float32 and mask.dtype == bool
    assert np.array_equal(inputs, jets.inputs[[3, 1]]) and np.array_equal(labels, jets.labels[[3, 1]])


# rounding -------------------------------------------------------------------------------------------------------------


def test_rounding_costs_less_than_a_tenth_of_a_permille_in_pt_and_3e_5_in_angle(tmp_path):
    path, digest, found = written(tmp_path, [60, 1, 128, 0, 17, 80])
    jets = data.jets(path=path, checksum=digest, dtype=np.float64)
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


# what networks get ----------------------------------------------------------------------------------------------------


def test_inputs_are_the_lorentz_groups_components_of_the_turned_momenta(held_out):
    momenta, mask = held_out.momenta()
    Q = groups.Lorentz().coordinates
    turned = held_out.inputs @ Q  # Q^T x, back to (E, x, y, z)
    np.testing.assert_allclose(turned[..., 0], momenta[..., 0], rtol=1e-12)
    total, before = turned.sum(1), momenta.sum(1)
    assert np.abs(total[:, 1:3]).max() < 1e-9  # the jet points along z
    np.testing.assert_allclose(total[:, 3], np.linalg.norm(before[:, 1:], axis=1), rtol=1e-12)
    # One proper rotation does all of it: it maps every constituent, not only their sum.
    for n in range(0, len(held_out), 300):
        R, residual = Rotation.align_vectors(turned[n, mask[n], 1:], momenta[n, mask[n], 1:])
        assert residual < 1e-4  # GeV, a root of rounding errors
        np.testing.assert_allclose(R.apply(momenta[n, :, 1:]), turned[n, :, 1:], atol=1e-9)
    # x' is along increasing theta (falling eta), y' along increasing phi.
    first = held_out.constituents[held_out.offsets[:-1]]
    wide = np.abs(first[:, 1:]).min(1) > 0.05
    assert wide.sum() > 300
    assert (np.sign(turned[wide, 0, 1]) == -np.sign(first[wide, 1])).mean() > 0.97
    assert (np.sign(turned[wide, 0, 2]) == np.sign(first[wide, 2])).mean() > 0.97


def test_the_mass_is_the_same_in_the_lab_and_about_the_axis(held_out):
    momenta, _ = held_out.momenta()
    total = momenta.sum(1)
    np.testing.assert_allclose(data.observables(held_out).mass, np.sqrt(minkowski(total, total)), rtol=1e-6)


@pytest.mark.parametrize("gamma", [1, 1e4])
def test_small_components_keep_their_digits_under_boosts(gamma):
    jets = data.jets("valid", number=50)
    momenta, mask = jets.momenta()
    G = groups.Lorentz()
    boost = G.matrix(G.element(np.array([[0, 0, 0, np.arccosh(gamma), 0, 0]])))[0]
    inputs, _ = data.network_input(momenta @ boost.T, mask)
    plus, minus, x, y = np.moveaxis(inputs, -1, 0)
    np.testing.assert_allclose(2 * plus * minus, x**2 + y**2, rtol=1e-12)
    small, _ = data.network_input(momenta @ boost.T, mask, dtype=np.float32)
    np.testing.assert_allclose(small, inputs, rtol=1e-6)
    plus, minus, x, y = small.astype(np.float64).sum(1).T
    mass = np.sqrt(2 * plus * minus - x**2 - y**2)
    np.testing.assert_allclose(mass, data.observables(jets).mass, rtol=1e-5)  # in spite of float32


def test_padding_and_mask():
    jets, fewer, more = (data.jets("valid", particles=p, number=40, dtype=np.float64) for p in (128, 7, 150))
    count = np.diff(jets.offsets)
    for part, p in ((jets, 128), (fewer, 7), (more, 150)):
        assert part.inputs.shape == (40, p, 4) and part.inputs.dtype == np.float64
        assert np.array_equal(part.mask, np.arange(p) < count[:, None])
        assert not part.inputs[~part.mask].any() and part.inputs[part.mask][:, 0].all()
    # The axis is that of the whole jet, however many of its particles are kept.
    assert np.array_equal(fewer.inputs, jets.inputs[:, :7]) and np.array_equal(more.inputs[:, :128], jets.inputs)
    momenta, mask = jets.momenta(7)
    assert np.array_equal(momenta, jets.momenta()[0][:, :7]) and np.array_equal(mask, fewer.mask)


def test_jets_of_0_1_and_128_constituents(tmp_path):
    path, _, _ = written(tmp_path, [0, 1, 128, 2], splits=[4, 0, 0])
    jets = data.jets(path=path, checksum=None)
    assert jets.mask.sum(1).tolist() == [0, 1, 128, 2]
    assert not jets.inputs[0].any() and np.isfinite(jets.inputs).all()
    plus, minus, x, y = jets.inputs[1, 0]  # one particle is the axis
    assert plus > 0 and abs(minus) < 1e-5 * plus and np.abs([x, y]).max() < 1e-5 * plus
    values = data.observables(jets)
    assert values.multiplicity.tolist() == [0, 1, 128, 2]
    assert values.mass[0] == values.pt[0] == values.tau21[0] == values.tau32[0] == 0
    assert values.mass[1] < 1e-4 < values.mass[3]
    assert values.tau21[3] == 0 and 0 < values.tau32[2] < 1
    with pytest.raises(ValueError, match=r"number: got 1, expected 1 ... 0, the jets of split 'valid'"):
        data.jets("valid", path=path, checksum=None, number=1)


def test_opposite_and_backward_particles_are_finite():
    p = np.array([[[5.0, 0, 0, 5], [5, 0, 0, -5]], [[3, 0, 0, -3], [2, 0, 0, -2]], [[3, 0, 0, -3], [1, 0, 0, 1]]])
    inputs, _ = data.network_input(p, np.ones((3, 2)))
    turned = inputs @ groups.Lorentz().coordinates
    np.testing.assert_allclose(turned[1], [[3, 0, 0, 3], [2, 0, 0, 2]], atol=1e-12)  # turned to +z
    np.testing.assert_allclose(turned[2], [[3, 0, 0, 3], [1, 0, 0, -1]], atol=1e-12)
    assert np.isfinite(inputs).all()


def held_outicles_with_a_mass():
    p, m = np.array([[[0, 3.0, 1, 400], [0, -2, 0, 500], [0, 0, 0, 0]]]), np.array([[0.14, 0.94, 0.5]])
    p[..., 0] = np.sqrt(m**2 + (p[..., 1:] ** 2).sum(-1))  # the third is at rest
    inputs, _ = data.network_input(p, np.ones((1, 3)), mass=m)
    plus, minus, x, y = np.moveaxis(inputs, -1, 0)
    np.testing.assert_allclose(2 * plus * minus - x**2 - y**2, m**2, rtol=1e-9)
    np.testing.assert_allclose((plus + minus) / np.sqrt(2), p[..., 0], rtol=1e-12)


# N-subjettiness -------------------------------------------------------------------------------------------------------


def lumps(pt, y, phi):
    momenta = four_momenta(*np.broadcast_arrays(np.asarray(pt, float), np.asarray(y, float), np.asarray(phi, float)))
    return momenta[None], np.ones((1, len(momenta)), dtype=bool)


def test_tau_of_known_configurations():
    # Three equal particles on a line, 0.2 and 0.3 apart: tau_1 has its axis on the middle one, tau_2 merges the nearer pair.
    tau = data.subjettiness(*lumps(10, [0, 0.2, 0.5], 0))[0]
    np.testing.assert_allclose(tau, [0.5 / (3 * 0.8), 0.2 / (3 * 0.8), 0], atol=1e-6)
    # Unequal ones: the axis of a pair goes to the harder of the two, since 30 x 0 + 10 x 0.3 is least.
    tau = data.subjettiness(*lumps([30, 10], [0, 0.3], [3.1, 3.1]))[0]
    np.testing.assert_allclose(tau, [10 * 0.3 / (40 * 0.8), 0, 0], atol=1e-6)
    # An equilateral triangle's Fermat point is its centre; phi runs across pi.
    angle = 2 * np.pi * np.arange(3) / 3
    tau = data.subjettiness(*lumps(10, 0.4 + 0.3 * np.cos(angle), np.pi + 0.3 * np.sin(angle)))[0]
    np.testing.assert_allclose(tau, [0.3 / 0.8, np.sqrt(3) * 0.3 / (3 * 0.8), 0], atol=1e-6)
    assert np.array_equal(data.subjettiness(np.zeros((2, 5, 4)), np.zeros((2, 5))), np.zeros((2, 3)))
    alike = data.subjettiness(*lumps(10, [0.1] * 5, [0.2] * 5))[0]
    np.testing.assert_allclose(alike, 0, atol=1e-12)  # five particles in one place


def test_tau_1_and_tau_2_are_minima(held_out):
    momenta, mask = (a[:12] for a in held_out.momenta())
    taus = data.subjettiness(momenta, mask)
    for p, there, found in zip(momenta, mask, taus, strict=True):
        pt, place = np.hypot(p[there, 1], p[there, 2]), rapidity_and_phi(p[there])
        axis = np.arctan2(p[:, 2].sum(), p[:, 1].sum())
        place[:, 1] = (place[:, 1] - axis + np.pi) % (2 * np.pi) - np.pi

        def tau(axes, pt=pt, place=place):
            d = np.linalg.norm(place[:, None] - np.reshape(axes, (1, -1, 2)), axis=-1).min(1)
            return (pt * d).sum() / (0.8 * pt.sum())

        centre = (pt[:, None] * place).sum(0) / pt.sum()
        assert found[0] == pytest.approx(minimize(tau, centre, method="Nelder-Mead", tol=1e-10).fun, rel=1e-4)
        assert found[2] < found[1] < found[0]


def test_shipped_tau_is_that_of_the_function_and_knows_no_order(held_out):
    momenta, mask = (a[:40] for a in held_out.momenta())
    np.testing.assert_allclose(data.subjettiness(momenta, mask), held_out.taus[:40], rtol=1e-4, atol=1e-7)
    order = np.random.RandomState(0).permutation(128)
    shuffled = data.subjettiness(momenta[:, order], mask[:, order])
    np.testing.assert_allclose(shuffled, held_out.taus[:40], rtol=1e-4, atol=1e-7)
    values = data.observables(held_out)
    np.testing.assert_allclose(values.tau32, held_out.taus[:, 2] / held_out.taus[:, 1], rtol=1e-12)
    np.testing.assert_allclose(values.tau21, held_out.taus[:, 1] / held_out.taus[:, 0], rtol=1e-12)


# wrong input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "all"}, "split: got 'all', expected one of .'train', 'valid', 'test'."),
        ({"particles": 0}, "particles: got 0, expected at least 1"),
        ({"number": 0}, "number: got 0, expected 1 ... 6000"),
        ({"number": 6001}, "number: got 6001"),
        ({"dtype": np.int32, "number": 2}, "dtype: got .*int32.*, expected np.float32 or np.float64"),
        ({"checksum": "ab" * 32}, "jets.npz: wrong checksum: got SHA-256 [0-9a-f]{64}, expected abab"),
    ],
)
def test_jets_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        data.jets(**options)


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


@pytest.mark.parametrize(
    ("momenta", "mask", "message"),
    [
        (np.zeros((2, 4)), np.zeros(2), r"momenta: got shape \(2, 4\), expected \(n, particles, 4\)"),
        (np.zeros((2, 5, 3)), np.zeros((2, 5)), r"momenta: got shape \(2, 5, 3\)"),
        (np.zeros((2, 5, 4)), np.zeros((2, 4)), r"mask: got shape \(2, 4\), expected \(2, 5\)"),
        (np.full((1, 1, 4), np.nan), np.ones((1, 1)), "momenta: got NaN or inf"),
    ],
)
def test_network_input_and_subjettiness_refuse(momenta, mask, message):
    for function in (data.network_input, data.subjettiness):
        with pytest.raises(ValueError, match=message):
            function(momenta, mask)


def test_other_bad_numbers_are_refused():
    momenta, mask = lumps(10, [0, 0.1], 0)
    with pytest.raises(ValueError, match="most: got 0, expected at least 1"):
        data.subjettiness(momenta, mask, most=0)
    with pytest.raises(ValueError, match=r"radius: got 0.0, expected a positive number"):
        data.subjettiness(momenta, mask, radius=0.0)
    with pytest.raises(ValueError, match="particles: got -1, expected at least 1"):
        data.network_input(momenta, mask, particles=-1)
    with pytest.raises(ValueError, match="particles: got 0, expected at least 1"):
        data.jets("valid", number=2).momenta(0)
    with pytest.raises(ValueError, match=r"momenta: got an energy of 20 GeV, expected 10 for .* and mass 0: raw"):
        data.network_input(lumps(10, [0], 0)[0] * [2, 1, 1, 1], [[True]])
    # What the mask leaves out may hold anything.
    momenta[0, 1] = np.nan
    assert np.isfinite(data.network_input(momenta, np.array([[True, False]]))[0]).all()
