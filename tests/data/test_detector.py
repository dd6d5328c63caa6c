"""The generator's detector and its selection, on numpy particles: no Pythia, no FastJet."""

import detector
import make_jets
import numpy as np
import pytest

from eqlib.data.jet_file import KINDS

N = 100_000


def uniform(pdg, pt, eta, n=N, seed=0):
    """n particles of one kind and pT, one an event, at |eta| < eta: event, pdg, pt, eta, phi, energy, random."""
    random = np.random.RandomState(seed)
    eta, phi = random.uniform(-eta, eta, n), random.uniform(-np.pi, np.pi, n)
    return np.arange(n), np.full(n, pdg), np.full(n, float(pt)), eta, phi, pt * np.cosh(eta), random


@pytest.mark.parametrize(
    ("pdg", "pt", "eta", "chance"),
    [
        (211, 0.09, 1.4, 0),
        (-211, 0.5, 1.4, 0.70),
        (321, 5, 1.4, 0.95),
        (2212, 5, 2.4, (0.95 * 1.5 + 0.85 * 0.9) / 2.4),
        (11, 200, 1.4, 0.99),
        (-13, 5, 1.4, 0.99),
        (22, 5, 1.4, 0),
    ],
)
def test_tracks_are_found_as_often_as_the_card_says(pdg, pt, eta, chance):
    _, pdg, pt, eta, *_, random = uniform(pdg, pt, eta)
    found, _, _ = detector.tracks(pdg, pt, eta, random)
    assert abs(found.mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / N) + 1e-9
    outside, _, _ = detector.tracks(pdg, pt, np.sign(eta) * 2.6, random)
    assert not outside.any()


@pytest.mark.parametrize(
    ("pdg", "pt", "eta", "width"),
    [(211, 50, 0.4, np.hypot(0.06, 0.065)), (11, 50, 0.4, np.hypot(0.03, 0.065)), (13, 50, 0.4, np.hypot(0.01, 0.005))],
)
def test_track_momenta_are_lognormal_with_the_cards_width(pdg, pt, eta, width):
    _, pdg, pt, eta, *_, random = uniform(pdg, pt, eta)
    _, measured, relative = detector.tracks(pdg, pt, eta, random)
    np.testing.assert_allclose(relative, width, rtol=1e-12)
    assert measured.min() > 0 and abs(measured.mean() / 50 - 1) < 5 * width / np.sqrt(N)
    assert abs(measured.std() / 50 - width) < 0.01 * width
    assert abs(np.median(measured) / 50 - 1 / np.sqrt(1 + width**2)) < 5 * width * 1.3 / np.sqrt(N)


def test_photons_have_the_resolution_of_the_ecal_and_neutrons_that_of_the_hcal():
    # sigma / E at E = 50 GeV: 0.0017 (+) 0.101 / sqrt E, and 0.0302 (+) 0.5205 / sqrt E (+) 1.59 / E.
    for pdg, width in ((22, 0.01438), (130, np.sqrt(0.0302**2 + 0.5205**2 / 50 + 1.59**2 / 2500))):
        event, code, _, eta, phi, _, random = uniform(pdg, 1, 1.5)
        energy = np.full(N, 50.0)
        flow = detector.energy_flow(event, code, energy / np.cosh(eta), eta, phi, energy, random)
        seen = flow.pt * np.cosh(flow.eta)
        assert np.array_equal(flow.event, event)  # none is lost at 50 GeV
        assert abs(seen.mean() - 50) < 5 * 50 * width / np.sqrt(N)
        assert abs(seen.std() / 50 / width - 1) < 0.02
        cell = 0.0174 if pdg == 22 else 0.1
        assert np.array_equal(np.floor(flow.eta / cell), np.floor(eta / cell))  # each in its own cell
        assert 0.9 * cell < (flow.eta - eta).max() <= cell
        turn = np.pi / 180 if pdg == 22 else np.pi / 18
        assert 0.9 * turn < np.abs(detector.wrap(flow.phi - phi)).max() <= turn


def test_thresholds_drop_what_is_weak():
    for pdg, energy in ((22, 0.2), (130, 2.0)):
        event, code, _, eta, phi, _, random = uniform(pdg, 1, 1.5)
        values = np.full(N, energy)
        flow = detector.energy_flow(event, code, values / np.cosh(eta), eta, phi, values, random)
        assert len(flow.event) < 0.15 * N
        assert (flow.pt * np.cosh(flow.eta)).min() > (0.5 if pdg == 22 else 3.3)  # 2 sigma of the HCAL is 3.3 GeV


def test_energy_flow_keeps_the_mean_energy_of_a_jet_and_counts_no_track_twice():
    # 20 pions, 12 photons and 3 neutrons of 20 GeV, in one small cone, 2,000 times: cells hold tracks and neutral hadrons.
    events, kinds = 2000, np.repeat([211, -211, 22, 130], [10, 10, 12, 3])
    random = np.random.RandomState(3)
    event, pdg = np.repeat(np.arange(events), len(kinds)), np.tile(kinds, events)
    eta, phi = 0.4 + random.uniform(-0.3, 0.3, len(pdg)), 3.1 + random.uniform(-0.3, 0.3, len(pdg))
    pt = np.full(len(pdg), 20.0)
    flow = detector.energy_flow(event, pdg, pt, eta, phi, pt * np.cosh(eta), random)
    total = np.bincount(flow.event, flow.pt, events)
    assert abs(total.mean() / (20 * len(kinds)) - 1) < 0.02
    assert 0.01 < total.std() / total.mean() < 0.02
    count = np.bincount(flow.event, minlength=events).mean()
    assert 19 + 10 < count < len(kinds) + 3  # 95 % of 20 tracks, 12 photons of which some share a cell, neutral hadrons
    assert np.array_equal(flow.event, np.sort(flow.event))
    assert -np.pi <= flow.phi.min() and flow.phi.max() < np.pi


@pytest.mark.parametrize(
    ("pdg", "kind"),
    [(211, "positive"), (-211, "negative"), (11, "negative"), (-13, "positive"), (22, "photon"), (130, "neutral")],
)
def test_what_a_particle_is_taken_for(pdg, kind):
    """By the sign of a track, or the calorimeter; a pion without a track is a neutral hadron, an electron's a photon."""
    flow = detector.energy_flow(*uniform(pdg, 50, 1.4, n=20_000))
    share = np.bincount(flow.kind, minlength=len(KINDS)) / len(flow.kind)
    assert share[KINDS.index(kind)] > 0.9
    untracked = {211: "neutral", -211: "neutral", 11: "photon"}.get(pdg, kind)
    assert share[KINDS.index(kind)] + share[KINDS.index(untracked)] * (untracked != kind) > 0.999
    assert np.array_equal(flow.take(flow.kind == KINDS.index(kind)).kind, flow.kind[flow.kind == KINDS.index(kind)])


def test_a_lone_track_leaves_no_neutral_hadron_beside_it_most_of_the_time():
    event, pdg, pt, eta, phi, energy, random = uniform(211, 10, 0.4)
    flow = detector.energy_flow(event, pdg, pt, eta, phi, energy, random)
    assert 0.97 < np.bincount(flow.event, minlength=N).mean() < 1.05
    assert abs(flow.pt.sum() / (10 * N) - 1) < 0.02  # what has no track is seen in the HCAL


def test_a_track_and_its_cell_are_averaged_by_their_errors_and_a_weak_cell_says_nothing():
    n, ones, zeros = 20_000, np.ones(20_000), np.zeros(20_000)

    def factor(deposit, error):
        hits = detector.Flow(np.arange(n), deposit * ones, 0.4 * ones, zeros)
        neutral, factor = detector.measure(detector.HCAL, hits, 50 * ones, error * ones, np.random.RandomState(5))
        return neutral, 50 * factor

    sigma = np.sqrt((0.0302 * 50) ** 2 + 0.5205**2 * 50 + 1.59**2)
    neutral, energy = factor(50, 1e4)  # a useless track: the cell decides
    assert len(neutral.event) == 0
    assert abs(energy.mean() - 50) < 0.2 and abs(energy.std() / sigma - 1) < 0.03
    _, energy = factor(50, 1e-3)  # a perfect one: the track decides
    np.testing.assert_allclose(energy, 50, atol=1e-4)
    _, energy = factor(50, sigma)  # equal errors, half of each, unless the excess counts as neutral
    assert abs(energy.std() / (sigma / 2) - 1) < 0.15
    neutral, energy = factor(0.5, sigma)  # below the threshold
    assert len(neutral.event) == 0 and (energy == 50).mean() > 0.97


def test_the_field_turns_positive_particles_clockwise_and_curls_slow_ones_up():
    pt, eta, phi = np.array([1.0, 1.0, 1.0, 200.0]), np.full(4, 0.3), np.full(4, 3.0)
    out_eta, out_phi = detector.propagate(pt, eta, phi, np.array([1, -1, 0, 1]))
    # r = pT / (0.2998 B) = 1.668 m for 1 GeV and 2 T: the chord of 1.15 m turns by asin(R / 2r) = 0.3520.
    np.testing.assert_allclose(detector.wrap(out_phi - 3.0), [-0.3520, 0.3520, 0, -0.00172], atol=1e-4)
    np.testing.assert_allclose(out_eta[2:], 0.3, atol=1e-5)
    # The arc is longer than the chord, so z and eta grow a little: sinh(eta') = sinh(eta) 0.3520 / sin 0.3520.
    np.testing.assert_allclose(np.sinh(out_eta[:2]), np.sinh(0.3) * 0.35198 / np.sin(0.35198), rtol=1e-4)
    # 0.2 GeV: r = 0.334 m < R / 2, so it leaves by the end, at z = 3.51 m and within 2 r of the beam.
    slow, _ = detector.propagate(np.full(50, 0.2), np.linspace(0.5, 1, 50), np.zeros(50), np.ones(50, dtype=int))
    assert (3.51 / np.sinh(slow) <= 2 * 0.3336 + 1e-4).all() and slow.min() > 2.3
    # One that leaves by the end before it turns keeps its direction.
    straight = detector.propagate(np.array([50.0]), np.array([2.9]), np.zeros(1), np.ones(1, dtype=int))
    np.testing.assert_allclose(np.ravel(straight), [2.9, -3.51 / np.sinh(2.9) / (2 * 83.391)], atol=1e-4)


def test_charges_and_unknown_particles():
    assert detector.charge(np.array([11, -11, 22, -2212, 3112, 130])).tolist() == [-1, 1, 0, -1, -1, 0]
    with pytest.raises(ValueError, match=r"pdg: got codes \[111\], expected particles that live longer"):
        detector.charge(np.array([211, 111]))


def record(status=62, third=(0.1, 0.2), last=-1, top=0.1):
    """System line, top, W, its copy, b, two quarks of the W: a top along eta = 0.1, phi = 0."""
    eta, phi = np.array([0, top, 0.1, 0.1, 0.3, 0.1, third[0]]), np.array([0, 0, 0, 0, 0.1, 0.3, third[1]])
    pdg, mother = np.array([90, 6, 24, 24, 5, 2, last]), np.array([0, 0, 1, 2, 1, 3, 3])
    statuses, ones = np.array([-11, -status, -22, -52, -23, -23, -23]), np.ones(7)
    # A second event in front, so that indices within the batch differ from those within the event.
    double = [np.concatenate([a, a]) for a in (pdg, statuses, ones, eta, phi)]
    pdg, statuses, ones, eta, phi = double
    offsets = np.array([0, 7, 14])
    return make_jets.Events(offsets, pdg, statuses, np.concatenate([mother, mother + 7]), ones, eta, phi, ones)


def test_a_top_jet_holds_the_top_and_its_three_quarks():
    axis = np.array([600, 0.0, -0.1])
    for event in (0, 1):
        assert make_jets.holds_a_top(record(), event, axis)
        assert not make_jets.holds_a_top(record(status=22), event, axis)
        assert not make_jets.holds_a_top(record(third=(0.9, 0)), event, axis)
        assert not make_jets.holds_a_top(record(last=-11), event, axis)  # a lepton instead of a quark
        assert not make_jets.holds_a_top(record(top=0.9), event, axis)
        assert make_jets.holds_a_top(record(third=(0, 2 * np.pi - 0.3)), event, axis)


def test_an_event_with_a_particle_that_no_detector_knows_is_left_out():
    """Pythia leaves one undecayed in some 300,000 events; a run of an hour must not end there."""
    pdg, status = np.array([90, 211, 22, 12, 2212, 10221, 130, 211]), np.array([-11, 91, 91, 91, 91, 91, -91, 91])
    ones = np.ones(8)
    batch = make_jets.Events(np.array([0, 3, 3, 6, 8]), pdg, status, np.zeros(8, np.int64), ones, ones, ones, ones)
    stable, event = make_jets.particles(batch)
    assert stable.tolist() == [1, 2, 7] and event.tolist() == [0, 0, 3]


def test_jets_are_shuffled_in_balanced_pairs_and_a_longer_list_begins_like_a_shorter_one():
    classes = [[("QCD", n) for n in range(50)], [("top", n) for n in range(50)]]
    jets, labels = make_jets.shuffle(classes, seed=4)
    assert [("QCD", "top")[label] for label in labels] == [name for name, _ in jets]
    assert (labels.reshape(-1, 2).sum(1) == 1).all() and 10 < labels[::2].sum() < 40
    assert sorted(jets) == sorted(classes[0] + classes[1])
    fewer, _ = make_jets.shuffle([part[:20] for part in classes], seed=4)
    assert fewer == jets[:40]
