"""The shipped jets, and what networks and baselines are given."""

import hashlib
import zipfile

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from eqlib import data, groups, training
from eqlib.data.jet_file import FILE, SHA256

PARTS = {"train": 6000, "valid": 1000, "test": 3000}


@pytest.fixture(scope="module")
def held_out():
    return data.jets("test")


@pytest.fixture(scope="module")
def components(held_out):
    """Light-cone components of all particles, float64."""
    return data.network_input(*held_out.momenta())[0]


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
    jets = data.jets(split)
    assert len(jets) == PARTS[split] and jets.labels.dtype == np.int64
    assert (jets.labels.reshape(-1, 2).sum(1) == 1).all()
    assert 0.45 < jets.labels[::2].mean() < 0.55
    fewer = data.jets(split, number=10)
    inputs = [data.JetInputs(j).momenta[:10] for j in (fewer, jets)]
    assert np.array_equal(*inputs) and np.array_equal(fewer.taus, jets.taus[:10])
    assert np.array_equal(fewer.particles, jets.particles[: fewer.offsets[-1]])
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
    jets = data.JetInputs(data.jets("valid", number=6), particles=20)
    inputs, mask, labels = jets.batch(np.array([3, 1]))
    assert len(jets) == 6
    assert inputs.shape == (2, 20, 4) and inputs.dtype == np.float32 and mask.dtype == bool
    assert np.array_equal(inputs, jets.momenta[[3, 1]]) and np.array_equal(labels, jets.labels[[3, 1]])
    assert np.array_equal(mask, jets.mask[[3, 1]])

    class Energies(torch.nn.Linear):
        def forward(self, inputs, mask):
            assert mask.dtype == torch.bool and inputs.shape[:2] == mask.shape
            return super().forward(inputs.sum(1) / 1000)

    history = training.fit(
        Energies(4, 2), torch.nn.functional.cross_entropy, jets, jets, epochs=2, batch_size=4, progress=False
    )
    assert len(history.loss) == 2 and np.isfinite(history.valid).all()


# what networks get ----------------------------------------------------------------------------------------------------


def test_inputs_are_the_lorentz_groups_components_of_the_turned_momenta(held_out, components):
    momenta, mask = held_out.momenta()
    Q = groups.Lorentz().coordinates
    turned = components @ Q  # Q^T x, back to (E, x, y, z)
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
    jets = data.jets("valid", number=40)
    count = np.diff(jets.offsets)
    whole, fewer, more = (data.network_input(*jets.momenta(), particles=p) for p in (128, 7, 150))
    for (inputs, mask), p in ((whole, 128), (fewer, 7), (more, 150)):
        assert inputs.shape == (40, p, 4) and inputs.dtype == np.float64
        assert np.array_equal(mask, np.arange(p) < count[:, None])
        assert not inputs[~mask].any() and inputs[mask][:, 0].all()
    # The axis is that of the whole jet, however many of its particles are kept.
    assert np.array_equal(fewer[0], whole[0][:, :7]) and np.array_equal(more[0][:, :128], whole[0])
    momenta, mask = jets.momenta(7)
    assert np.array_equal(momenta, jets.momenta()[0][:, :7]) and np.array_equal(mask, fewer[1])
    # What a tagger is given has the axis of the particles that it is given.
    given = data.JetInputs(jets, particles=7, order="stored").momenta
    assert np.array_equal(given, data.network_input(momenta, mask, dtype="f4")[0])
    assert np.array_equal(data.JetInputs(jets, "lab", particles=7).momenta, momenta.astype("f4"))


def test_opposite_and_backward_particles_are_finite():
    p = np.array([[[5.0, 0, 0, 5], [5, 0, 0, -5]], [[3, 0, 0, -3], [2, 0, 0, -2]], [[3, 0, 0, -3], [1, 0, 0, 1]]])
    inputs, _ = data.network_input(p, np.ones((3, 2)))
    turned = inputs @ groups.Lorentz().coordinates
    np.testing.assert_allclose(turned[1], [[3, 0, 0, 3], [2, 0, 0, 2]], atol=1e-12)  # turned to +z
    np.testing.assert_allclose(turned[2], [[3, 0, 0, 3], [1, 0, 0, -1]], atol=1e-12)
    assert np.isfinite(inputs).all()


def test_particles_with_a_mass():
    p, m = np.array([[[0, 3.0, 1, 400], [0, -2, 0, 500], [0, 0, 0, 0]]]), np.array([[0.14, 0.94, 0.5]])
    p[..., 0] = np.sqrt(m**2 + (p[..., 1:] ** 2).sum(-1))  # the third is at rest
    inputs, _ = data.network_input(p, np.ones((1, 3)), mass=m)
    plus, minus, x, y = np.moveaxis(inputs, -1, 0)
    np.testing.assert_allclose(2 * plus * minus - x**2 - y**2, m**2, rtol=1e-9)
    np.testing.assert_allclose((plus + minus) / np.sqrt(2), p[..., 0], rtol=1e-12)


# wrong input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "all"}, "split: got 'all', expected one of .'train', 'valid', 'test'."),
        ({"number": 0}, "number: got 0, expected 1 ... 6000"),
        ({"number": 6001}, "number: got 6001"),
        ({"checksum": "ab" * 32}, "jets.npz: wrong checksum: got SHA-256 [0-9a-f]{64}, expected abab"),
    ],
)
def test_jets_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        data.jets(**options)


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
    momenta, mask = np.tile([5.0, 3, 0, 4], (1, 2, 1)), np.ones((1, 2), dtype=bool)
    with pytest.raises(ValueError, match="most: got 0, expected at least 1"):
        data.subjettiness(momenta, mask, most=0)
    with pytest.raises(ValueError, match=r"radius: got 0.0, expected a positive number"):
        data.subjettiness(momenta, mask, radius=0.0)
    with pytest.raises(ValueError, match="particles: got -1, expected at least 1"):
        data.network_input(momenta, mask, particles=-1)
    with pytest.raises(ValueError, match="particles: got 0, expected at least 1"):
        data.jets("valid", number=2).momenta(0)
    with pytest.raises(ValueError, match=r"dtype: got .*int32.*, expected np.float32 or np.float64"):
        data.network_input(momenta, mask, dtype=np.int32)
    with pytest.raises(ValueError, match=r'frame: got .raw., expected "jet" or "lab"'):
        data.JetInputs(data.jets("valid", number=2), "raw")
    with pytest.raises(ValueError, match=r"momenta: got an energy of 10 GeV, expected 5 for .* and mass 0: raw"):
        data.network_input(momenta * [2, 1, 1, 1], mask)
    # What the mask leaves out may hold anything.
    momenta[0, 1] = np.nan
    assert np.isfinite(data.network_input(momenta, np.array([[True, False]]))[0]).all()
