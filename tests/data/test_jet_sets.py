"""Jets of every source are one class, and every tagger takes them alike; what a reader's own arrays may hold."""

import itertools
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, training
from eqlib.data.augment import random_boosts, random_turns

G = groups.Lorentz()
HALF = {"irreps": ("(1,1)",), "channels": (2, 2), "scalars": 4, "hidden": 4}
TAGGERS = {
    "lorentz": (lambda: models.LorentzGroupNetwork(G, **HALF), "jet"),
    "pure": (lambda: models.LorentzGroupNetwork(G, **HALF, pure=True), "jet"),
    "linear": (lambda: models.LorentzGroupNetwork(G, **HALF, products=False), "jet"),
    "invariants": (lambda: models.LorentzGroupNetwork(G, **HALF | {"irreps": ()}), "jet"),
    "particlenet": (models.ParticleNet, "lab"),
    "deep sets": (models.DeepSets, "lab"),
    "transformer": (models.JetTransformer, "lab"),
}


@pytest.fixture(scope="module")
def shipped():
    return data.jets("valid", number=12)


@pytest.fixture(scope="module")
def own(shipped):
    """The same jets as a reader may hold them: padded, in another order of the particles, without labels."""
    momenta, _ = shipped.momenta()
    return data.Jets.from_momenta(momenta[:, np.random.default_rng(0).permutation(128)])


@pytest.fixture
def public(shipped, tmp_path):
    """The same jets in the reference set's HDF5 form, read by pandas and tables where they are installed."""
    momenta = np.zeros((len(shipped), 200, 4), np.float32)
    momenta[:, :128] = shipped.momenta()[0]
    names = [f"{name}_{k}" for k in range(200) for name in ("E", "PX", "PY", "PZ")]
    columns = dict(zip(names, momenta.reshape(len(shipped), -1).T, strict=True)) | {"is_signal_new": shipped.labels}
    path = tmp_path / "test.h5"
    try:
        import pandas
        import tables  # noqa: F401

        pandas.DataFrame(columns).to_hdf(path, key="table", format="table")
    except ImportError:

        class Table(dict):
            def __getitem__(self, key):
                return super().__getitem__(key) if isinstance(key, str) else np.column_stack([self[k] for k in key])

        path.touch()
        with pytest.MonkeyPatch.context() as patch:
            pandas = SimpleNamespace(read_hdf=lambda path, key, start, stop: Table(columns))
            patch.setitem(sys.modules, "pandas", pandas)
            patch.setitem(sys.modules, "tables", SimpleNamespace(HDF5ExtError=RuntimeError))
            return data.reference_jets(path, len(shipped))
    return data.reference_jets(path, len(shipped))


def massive(seed=0, n=5, most=9):
    """Jets of particles of 0.14 GeV and one of 0.94 GeV, ragged, one of them empty."""
    rng, jets = np.random.default_rng(seed), []
    for count in (0, 1, *rng.integers(2, most, n - 2)):
        p = np.concatenate([np.zeros((count, 1)), rng.normal([200, 100, 50], 20, (count, 3))], axis=1)
        p[:, 0] = np.sqrt(np.where(np.arange(count) == 0, 0.94, 0.14) ** 2 + (p[:, 1:] ** 2).sum(1))
        jets.append(p)
    return jets


@pytest.mark.parametrize("tagger", TAGGERS)
def test_every_tagger_takes_every_source(tagger, shipped, public, own):
    make, frame = TAGGERS[tagger]
    torch.manual_seed(0)
    net = make().eval()
    found = []
    for jets in (shipped, public, own):
        assert type(jets) is data.Jets and len(jets) == 12
        momenta, mask, _ = data.JetInputs(jets, frame).batch(np.arange(12))
        assert momenta.shape == (12, 50, 4) and momenta.dtype == np.float32
        with torch.no_grad():
            found.append(net(torch.as_tensor(momenta), torch.as_tensor(mask)).numpy())
    np.testing.assert_allclose(found[1], found[0], atol=2e-4)  # from float32 momenta
    np.testing.assert_allclose(found[2], found[0], atol=1e-5)
    assert found[0].std(0).max() > 1e-4


@pytest.mark.parametrize("frame", ["jet", "lab"])
def test_fit_and_observables_take_every_source(frame, shipped, public, own):
    assert own.labels is None and own.taus is None
    labelled = data.Jets.from_momenta(own.momenta()[0], labels=shipped.labels)
    net = models.ParticleNet() if frame == "lab" else TAGGERS["invariants"][0]()
    for jets in (shipped, public, labelled):
        inputs = data.JetInputs(jets, frame)
        training.fit(net, training.cross_entropy, inputs, inputs, epochs=1, batch_size=6, progress=False)
        for known, seen in zip(data.observables(shipped), data.observables(jets), strict=True):
            np.testing.assert_allclose(seen, known, rtol=1e-4, atol=1e-6)
    assert data.JetInputs(own).batch(np.arange(2))[2] is None
    assert repr(own).endswith(" particles, unlabelled)") and repr(labelled).startswith(f"Jets({len(own)} jets, ")


def test_own_jets_padded_and_ragged_are_the_same_and_the_hardest_come_first():
    ragged = massive()
    padded = np.zeros((5, 12, 4))
    for row, p in zip(padded, ragged, strict=True):
        row[2 : 2 + len(p)] = p  # padding in front and behind
    mask = padded.any(-1)
    junk = np.where(mask[..., None], padded, np.nan)
    sets = [data.Jets.from_momenta(m, k) for m, k in ((ragged, None), (padded, None), (junk, mask))]
    for jets in sets:
        assert len(jets) == 5 and np.diff(jets.offsets).tolist() == [len(p) for p in ragged]
        assert np.array_equal(jets.particles, sets[0].particles) and np.array_equal(jets.mass, sets[0].mass)
    momenta, there = sets[0].momenta()
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    assert (np.diff(pt, axis=1) <= 0).all() and not momenta[~there].any()
    for p, found in zip(ragged, momenta, strict=True):
        assert sorted(map(tuple, p)) == sorted(map(tuple, found[: len(p)]))
    assert sets[0].momenta(2)[0].shape == (5, 2, 4) and np.array_equal(sets[0].momenta(2)[0], momenta[:, :2])
    assert sets[0].momenta(50)[1].sum(1).tolist() == there.sum(1).tolist()
    assert len(data.Jets.from_momenta(np.zeros((0, 5, 4)))) == 0 == len(data.Jets.from_momenta([]))
    assert data.Jets.from_momenta([[], [[5, 3, 0, 4]]]).momenta()[1].sum(1).tolist() == [0, 1]


def test_other_numbers_of_a_particle_follow_it(many):
    """Through the sort by pT, the mask, every order, a boost, and into what a network is given."""
    random = np.random.default_rng(0)
    ragged = [p[there] for p, there in zip(*many.momenta(), strict=True)][:5]
    order = [random.permutation(len(p)) for p in ragged]
    ragged = [p[o] for p, o in zip(ragged, order, strict=True)]
    extra = [np.stack([p[:, 0], p[:, 1]], 1) for p in ragged]  # its own energy and px, by which it is known again
    jets = data.Jets.from_momenta([*ragged, np.zeros((0, 4))], extra=[*extra, np.zeros((0, 2))])
    for one in (jets, jets.ordered("invariant"), jets.ordered("pt"), jets.moved(random_turns(6, 0))):
        assert one.extra.shape == (len(one.particles), 2) and one.extra.dtype == np.float32
        same = np.abs(one.extra[:, 0] - one.particles[:, 0]) < 1e-6 * one.particles[:, 0]
        assert same.all()  # a turn leaves energies alone
    given = data.JetInputs(jets, "lab", particles=20, order="invariant", extra="stored")
    momenta, mask, extra, labels = given.batch(np.arange(6))
    assert extra.shape == (6, 20, 2) and labels is None
    assert np.allclose(extra, momenta[..., :2]) and not extra[~mask].any()
    padded, mask = jets.momenta()
    again = data.Jets.from_momenta(padded, mask, extra=padded[..., :2])
    assert np.array_equal(again.extra, jets.extra)
    with pytest.raises(ValueError, match='extra: got "stored" for jets without'):
        data.JetInputs(data.Jets.from_momenta(padded, mask), extra="stored")
    with pytest.raises(ValueError, match="extra: got 'type', expected None or one of"):
        data.JetInputs(jets, extra="type")


def test_what_a_detector_measures_along_its_beam(many):
    """Turns about the beam leave it alone, and boosts along it but for log E and one shift of all pseudorapidities."""
    beam = [groups.Lorentz().element(g) for g in ([0, 0, 0.7, 0, 0, 0], [0, 0, 0, 0, 0, 0.7], [0.7, 0, 0, 0, 0, 0])]
    before, turned, boosted, tilted = (
        data.JetInputs(jets, "jet", extra="beam").extra for jets in (many, *(many.moved(g) for g in beam))
    )
    mask = data.JetInputs(many, "jet").mask
    assert before.shape == (*mask.shape, 3) and not before[~mask].any() and np.abs(before).max() <= 10
    assert np.abs(turned - before).max() < 1e-5
    assert np.abs(boosted - before)[..., 1].max() < 1e-5
    shift = (boosted - before)[..., 2][mask]
    assert np.abs(np.abs(shift) - 0.7).max() < 1e-5
    assert np.abs(tilted - before)[..., 1].max() > 0.1


@pytest.mark.parametrize(
    "extra", [np.zeros((2, 3, 1)), np.zeros((1, 2, 1)), np.full((1, 3, 1), np.nan), np.zeros((1, 3))]
)
def test_other_numbers_that_cannot_be_are_refused(extra):
    with pytest.raises(ValueError, match=r"extra: got"):
        data.Jets.from_momenta([[[5.0, 3, 0, 4]] * 3], extra=extra)


def test_masses_of_particles_survive():
    jets = data.Jets.from_momenta(massive())
    count = np.diff(jets.offsets)
    assert np.allclose(np.sort(jets.masses()[count > 0].max(1)), 0.94, atol=1e-6)
    assert np.allclose(np.sort(jets.mass)[: -(count > 0).sum()], 0.14, atol=1e-6)
    inputs, _ = data.network_input(*jets.momenta(), mass=jets.masses())
    plus, minus, x, y = np.moveaxis(inputs, -1, 0)
    np.testing.assert_allclose(2 * plus * minus - x**2 - y**2, jets.masses() ** 2, atol=1e-9)
    given = data.JetInputs(jets, particles=jets.most, order="stored").momenta
    assert np.array_equal(given, inputs.astype(np.float32))
    total = jets.momenta()[0].sum(1)
    square = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(1)
    seen = data.observables(jets)
    np.testing.assert_allclose(seen.mass[count > 1], np.sqrt(square[count > 1]), rtol=1e-6)
    assert seen.mass[count == 1] == pytest.approx(0.94, rel=1e-5) and not seen.mass[count == 0].any()
    fast = data.observables(jets.moved(G.element([0, 0, 0, 3.0, 0, 0])))
    np.testing.assert_allclose(fast.mass, seen.mass, rtol=1e-5)


def test_rounding_counts_as_no_mass():
    rng = np.random.default_rng(0)
    p = np.concatenate([np.zeros((200, 1)), 100 * rng.normal(size=(200, 3))], axis=1)
    p[:, 0] = np.linalg.norm(p[:, 1:], axis=1)
    for made in (p, p.astype(np.float32)):
        jets = data.Jets.from_momenta(made[None])
        assert jets.mass is None
        assert np.array_equal(jets.particles[:, 0], np.linalg.norm(jets.particles[:, 1:], axis=1))
    low = p * [1 - 9e-6, 1, 1, 1]  # energies of five digits
    jets = data.Jets.from_momenta(low[None]).moved(G.element([0, 0, 0, 4.0, 0, 0]))
    assert jets.mass is None and np.isfinite(data.JetInputs(jets).momenta).all()
    # In float64 the mass of a fast pion is there, in float32 it is lost.
    pion = np.array([[[np.hypot(500, 0.14), 500, 0, 0]]])
    assert data.Jets.from_momenta(pion).mass == pytest.approx(0.14, rel=1e-3)
    assert data.Jets.from_momenta(pion.astype(np.float32)).mass is None


def test_jets_move(shipped):
    boosts = G.sample(12, seed=0)
    moved = shipped.moved(boosts)
    (momenta, mask), (before, same) = moved.momenta(), shipped.momenta()
    matrices = G.matrix(boosts)
    for i in range(12):
        np.testing.assert_allclose(momenta[i], before[i] @ matrices[i].T, rtol=1e-12, atol=1e-9)
    assert np.array_equal(mask, same) and np.array_equal(moved.labels, shipped.labels)
    assert moved.axis is None and moved.taus is None and moved.constituents is None
    assert np.array_equal(moved.momenta(5)[0], momenta[:, :5])
    one = shipped.moved(boosts[3])
    np.testing.assert_allclose(one.momenta()[0][3], momenta[3], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(
        data.observables(one).mass, data.observables(shipped).mass, rtol=1e-6
    )  # and N-subjettiness is computed anew
    taus = data.subjettiness(*one.momenta())
    np.testing.assert_allclose(data.observables(one).tau21, taus[:, 1] / taus[:, 0], rtol=1e-12)
    with pytest.raises(ValueError, match="g: got 11 elements, expected 1 or 12"):
        shipped.moved(boosts[:11])
    with pytest.raises(ValueError, match="g: got an element of O3, expected one of Lorentz"):
        shipped.moved(groups.O3().sample(12))


# which particles a network is given ------------------------------------------------------------------------------------


def numbered(jets):
    """The particles carry their number, from 1, in `constituents`, which go where the particles go."""
    return replace(jets, constituents=np.tile(1.0 + np.arange(len(jets.particles))[:, None], 3))


def chosen(jets, by, g=None, particles=50):
    """Numbers of the particles that `ordered` puts first, (n, particles), 0 for padding, of the jets as g moved them."""
    moved = jets if g is None else replace(jets.moved(g), constituents=jets.constituents)
    found = moved.ordered(by)
    return replace(found, particles=np.tile(found.constituents[:, :1], 4)).momenta(particles)[0][..., 0]


def boosts_along(jets, gamma, sign):
    axis = jets.momenta()[0].sum(1)[:, 1:]
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    return G.element(np.concatenate([np.zeros((len(jets), 3)), sign * np.arccosh(gamma) * axis], axis=1))


@pytest.fixture(scope="module")
def many():
    return numbered(data.jets("valid", number=400))


@pytest.mark.parametrize("gamma", [1, 10, 1000, 1e5])
def test_the_invariant_choice_is_the_same_before_and_after(many, gamma):
    """To the particle and in the same order, whatever the boost or turn; by pT other particles are chosen."""
    before = chosen(many, "invariant")
    moves = [random_boosts(len(many), gamma, seed) * random_turns(len(many), seed + 10) for seed in range(3)]
    moves += [boosts_along(many, gamma, sign) for sign in (1, -1)]
    for g in moves:
        assert np.array_equal(chosen(many, "invariant", g), before)
        assert np.array_equal(chosen(many, "invariant", g, 128), chosen(many, "invariant", None, 128))
    by_pt = [np.sort(chosen(many, "pt", g)) for g in (None, moves[0])]
    long = np.diff(many.offsets) > 50
    assert (by_pt[0] != by_pt[1]).any(1)[long].mean() > 0.3
    assert np.array_equal(*(p[~long] for p in by_pt))  # where all are taken there is no choice


def test_the_invariant_order_is_that_of_energies_at_rest(many):
    """Each jet boosted to its rest frame: the energies fall; and pT falls in the order by pT, along with all that is theirs."""
    total = many.momenta()[0].sum(1)
    beta = total[:, 1:] / total[:, :1]
    speed = np.linalg.norm(beta, axis=1, keepdims=True)
    g = G.element(np.concatenate([np.zeros((len(many), 3)), -np.arctanh(speed) * beta / speed], axis=1))
    ordered = many.ordered("invariant")
    at_rest = ordered.moved(g).momenta()[0]
    assert np.abs(at_rest.sum(1)[:, 1:]).max() < 1e-6
    assert (np.diff(at_rest[..., 0], axis=1) <= 1e-9).all() and np.ptp(at_rest[..., 0], axis=1).min() > 0.1
    fast = many.moved(random_boosts(len(many), 10.0, 0)).ordered("pt")
    pt = np.hypot(*np.moveaxis(fast.momenta()[0][..., 1:3], -1, 0))
    assert (np.diff(pt, axis=1) <= 0).all() and fast.taus is None
    number = ordered.constituents[:, 0].astype(int) - 1
    assert np.array_equal(ordered.particles, many.particles[number]) and sorted(number) == list(range(len(number)))
    assert np.array_equal(ordered.offsets, many.offsets) and ordered.taus is many.taus


def test_an_order_of_massive_few_and_no_particles():
    """Padding never comes first, a jet without particles stays one, masses go with their particles."""
    jets = numbered(data.Jets.from_momenta(massive(n=40, most=70)))
    count = np.diff(jets.offsets)
    assert count.min() == 0 and (count == 1).any() and (count > 50).any() and jets.mass is not None
    before = chosen(jets, "invariant")
    assert np.array_equal(before > 0, np.arange(50) < count[:, None])
    for gamma in (10, 1000):
        for g in (random_boosts(40, gamma, 0), boosts_along(jets, gamma, 1), boosts_along(jets, gamma, -1)):
            assert np.array_equal(chosen(jets, "invariant", g), before)
    for by in ("invariant", "pt"):
        found = jets.ordered(by)
        number = found.constituents[:, 0].astype(int) - 1
        assert np.array_equal(found.mass, jets.mass[number]) and np.array_equal(found.particles, jets.particles[number])
        assert np.array_equal(found.labels, jets.labels) if jets.labels is not None else found.labels is None
    p, mask = jets.momenta()
    dots = np.where(mask, (p * p.sum(1, keepdims=True) * [1, -1, -1, -1]).sum(-1), -1.0)
    assert np.array_equal(
        chosen(jets, "invariant", None, 1)[count > 0, 0] - 1, (jets.offsets[:-1] + dots.argmax(1))[count > 0]
    )
    along = data.Jets.from_momenta([[[10, 0, 0, 10], [np.hypot(5, 0.94), 0, 0, 5]]])  # where the mass alone decides
    np.testing.assert_allclose(along.ordered("invariant").masses(), [[0.94, 0]], atol=1e-9)
    none = data.Jets.from_momenta([[], []])
    assert not data.JetInputs(none).mask.any() and not none.ordered("pt").momenta()[1].any()
    twins = data.Jets.from_momenta([[[5, 3, 0, 4]] * 60])  # all alike, and no mass
    assert data.JetInputs(twins).mask.all() and np.isfinite(data.JetInputs(twins).momenta).all()


def test_networks_are_given_the_invariant_choice_and_particlenet_the_stored_one(many):
    """About the axis of the chosen ones; every other order on request."""
    for order, jets in (("invariant", many.ordered("invariant")), ("pt", many.ordered("pt")), ("stored", many)):
        momenta, mask = jets.momenta(50)
        found = data.JetInputs(many, order=order)
        assert np.array_equal(found.momenta, data.network_input(momenta, mask, dtype="f4")[0])
        assert np.array_equal(found.mask, mask)
        assert np.array_equal(data.JetInputs(many, "lab", order=order).momenta, momenta.astype("f4"))
    for frame, order in (("jet", "invariant"), ("lab", "stored")):
        assert np.array_equal(data.JetInputs(many, frame).momenta, data.JetInputs(many, frame, order=order).momenta)
    for refused, call in (("by", many.ordered), ("order", lambda order: data.JetInputs(many, order=order))):
        with pytest.raises(ValueError, match=rf"{refused}: got 'mass', expected one of \('invariant', 'pt'"):
            call("mass")


GOOD = np.tile([5.0, 3, 0, 4], (2, 3, 1))


def changed(index, value):
    momenta = GOOD.copy()
    momenta[index] = value
    return momenta


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD[0],), r"momenta: got shape \(3, 4\), expected \(n, p, 4\), or a list of arrays \(p, 4\)"),
        ((GOOD[..., :3],), r"momenta: got shape \(2, 3, 3\), expected"),
        (([GOOD[0], GOOD[0, :, :3]],), r"momenta: got shape \(3, 3\), expected"),
        (([GOOD[0], GOOD[0, 0]],), r"momenta: got shape \(4,\), expected"),
        ((5,), r"momenta: got shape \(\), expected"),
        ((GOOD.astype(complex),), "momenta: got dtype complex128, expected real numbers"),
        ((changed((1, 2, 3), np.nan),), r"momenta: got NaN or inf, \[5.0, 3.0, 0.0, nan\] in jet 1, expected"),
        ((changed((0, 0, 0), np.inf),), r"momenta: got NaN or inf, .* in jet 0"),
        ((changed((1, 0, 0), -5),), r"momenta: got a negative energy, \[-5.0, 3.0, 0.0, 4.0\] in jet 1"),
        ((changed((1, 1, 0), 4.99),), r"momenta: got a space-like momentum, .* in jet 1, expected \(E, px, py, pz\)"),
        ((changed((1, 1, 0), 0),), "momenta: got a space-like momentum"),
        ((np.roll(GOOD, -1, axis=-1),), "momenta: got a space-like momentum"),  # (px, py, pz, E)
        ((GOOD, np.ones((2, 4))), r"mask: got shape \(2, 4\), expected one for each particle"),
        (([*GOOD[:, :0], GOOD[0]], np.ones((3, 3))), r"mask: got shape \(3, 3\), expected one for each particle"),
        ((GOOD, None, [0]), r"labels: got shape \(1,\), expected \(2,\)"),
        ((GOOD, None, [0.5, 1]), "labels: got float64 .*, expected whole numbers from 0 on"),
        ((GOOD, None, ["t", "q"]), r"labels: got \['t'\] of <U1, expected whole numbers from 0 on"),
        ((GOOD, None, [None, 1]), r"labels: got \[None\] of object, expected whole numbers from 0 on"),
        ((GOOD, None, [0, -1]), "labels: got int64 from -1 on, expected whole numbers from 0 on"),
    ],
)
def test_own_jets_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.Jets.from_momenta(*arguments)


def test_some_of_the_particles(many):
    """As if each jet had been listed without the others; extra and constituents go along, jets that lose all stay."""
    kept = np.random.default_rng(0).random(len(many.particles)) < 0.3
    kept[many.offsets[3] : many.offsets[4]] = False
    fewer = many.only(kept)
    parts = [slice(*pair) for pair in itertools.pairwise(many.offsets)]
    for place, part in enumerate(parts):
        own = slice(*fewer.offsets[place : place + 2])
        for name in ("particles", "constituents", "extra"):
            assert np.array_equal(getattr(fewer, name)[own], getattr(many, name)[part][kept[part]])
    assert len(fewer) == len(many) and np.diff(fewer.offsets)[3] == 0 and fewer.taus is None
    assert np.array_equal(fewer.labels, many.labels) and fewer.axis is many.axis
    assert np.array_equal(many.only(np.ones(len(many.particles), bool)).particles, many.particles)
    massive_ones = data.Jets.from_momenta(massive(n=5, most=9))
    half = np.arange(len(massive_ones.particles)) % 2 == 0
    assert np.array_equal(massive_ones.only(half).mass, massive_ones.mass[half])
    for wrong in (kept[1:], kept.astype(int), np.flatnonzero(kept)):
        with pytest.raises(ValueError, match=r"kept: got \w+ \(\d+,\), expected bool"):
            many.only(wrong)


def test_a_slice_of_jets_is_those_jets(many):
    """Joined again they are all of them; taggers' inputs are formed from such slices and do not depend on where they end."""
    parts = [many[:150], many[150:151], many[151:151], many[151:]]
    assert [len(part) for part in parts] == [150, 1, 0, 249] and len(many[-3:]) == 3 and len(many[5:2]) == 0
    for name in ("particles", "constituents", "extra", "labels", "axis", "taus"):
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(many, name))
    assert np.array_equal(np.concatenate([np.diff(part.offsets) for part in parts]), np.diff(many.offsets))
    whole = data.jets("train", number=1201)
    for frame, extra in (("jet", "beam"), ("lab", "stored"), ("jet", None)):
        both = data.JetInputs(whole, frame, extra=extra), data.JetInputs(whole[600:1201], frame, extra=extra)
        for name in ("momenta", "mask", "extra"):
            all_of_them, later = (getattr(one, name) for one in both)
            assert (all_of_them is None) == (later is None) == (name == "extra" and extra is None)
            assert later is None or np.array_equal(all_of_them[600:], later)
    for wrong in (3, slice(0, 9, 2), [1, 2]):
        with pytest.raises(ValueError, match=r"chosen: got .*, expected a slice of jets"):
            many[wrong]
