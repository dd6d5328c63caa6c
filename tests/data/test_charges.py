"""Fields of moving charges: Coulomb's field boosted, Maxwell's equations, and the whole Poincare group."""

import numpy as np
import pytest

from eqlib import data, groups
from eqlib.data import charges as module

LORENTZ = groups.Lorentz()


def velocity(eta, direction):
    n = np.asarray(direction, dtype=float)
    return np.concatenate([[np.cosh(eta)], np.sinh(eta) * n / np.linalg.norm(n)])


def some(n=5, seed=0, rapidity=1.5):
    rng = np.random.default_rng(seed)
    u = np.array([velocity(rapidity * rng.uniform(), rng.normal(size=3)) for _ in range(n)])
    return rng.uniform(-1, 1, n), rng.normal(size=(n, 4)), u


@pytest.mark.parametrize("eta", [0.0, 0.3, 2.0, 5.0])
def test_field_is_coulombs_boosted(eta):
    """To the rest frame, q x / |x|^3 there, and back with the matrices of F; E and B beside the textbook's own formula."""
    rng = np.random.default_rng(int(10 * eta))
    for _ in range(5):
        direction = rng.normal(size=3)
        boost = eta * direction / np.linalg.norm(direction)
        L = LORENTZ.matrix(LORENTZ.element([0, 0, 0, *boost]))[0]
        a, rest = rng.normal(size=4), np.append(rng.normal(), 1 + rng.normal(size=3) ** 2)
        x = rest[1:]
        coulomb = np.concatenate([-1.3 * x / (x @ x) ** 1.5, np.zeros(3)])
        expected = data.electric_magnetic(L @ data.field_tensor(coulomb) @ L.T)
        found = data.field_of_charges([-1.3], [a], [L[:, 0]], a + L @ rest)
        assert np.abs(found - expected).max() < 1e-12 * np.cosh(eta) ** 4 * np.abs(expected).max()
        v = L[1:, 0] / L[0, 0]
        assert np.abs(found[3:] - np.cross(v, found[:3])).max() < 1e-12 * np.cosh(eta) ** 2 * np.abs(found).max()


def test_a_charge_at_rest():
    q, place, where = 2.0, np.array([0.5, -1, 2]), np.array([1.0, 2, 3])
    x = where - place
    found = data.field_of_charges([q], [[3.0, *place]], [[1.0, 0, 0, 0]], [9.0, *where])
    assert np.abs(found[:3] - q * x / np.linalg.norm(x) ** 3).max() < 1e-15 and not found[3:].any()


def test_maxwells_equations():
    """No charge and no current away from the charges: all eight, by fourth-order differences over 1 mm."""
    q, a, u = some()
    at, h = np.array([0.3, 3.0, 2.0, -2.5]), 1e-3
    steps = h * np.eye(4)
    near, far = (
        data.field_of_charges(q, a, u, at + n * steps) - data.field_of_charges(q, a, u, at - n * steps) for n in (1, 2)
    )
    slopes = (8 * near - far) / (12 * h)  # d_m of E and B
    (dt_e, dt_b), (e, b) = (slopes[0, :3], slopes[0, 3:]), (slopes[1:, :3], slopes[1:, 3:])
    size = np.abs(slopes).max()
    curl = [np.array([d[1, 2] - d[2, 1], d[2, 0] - d[0, 2], d[0, 1] - d[1, 0]]) for d in (e, b)]
    assert size > 0.01 and min(np.abs(dt_e).max(), np.abs(dt_b).max()) > 1e-3
    for zero in (np.trace(e), np.trace(b), curl[0] + dt_b, curl[1] - dt_e):
        assert np.abs(zero).max() < 1e-9 * size


def test_the_event_on_the_world_line_does_not_matter():
    q, a, u = some()
    later = a + np.linspace(-3, 5, len(q))[:, None] * u
    at = np.random.default_rng(2).normal(size=(7, 4)) * 3
    expected = data.field_of_charges(q, a, u, at)
    assert np.abs(data.field_of_charges(q, later, u, at) - expected).max() < 1e-11 * np.abs(expected).max()
    assert (
        np.abs(sum(data.field_of_charges(q[[i]], a[[i]], u[[i]], at) for i in range(len(q))) - expected).max() < 1e-13
    )


def test_the_basis_is_that_of_the_rep():
    """L F L^T of the tensor is (2,0)(L) of the components; the basis is orthogonal; and a tensor and back is the field."""
    fields = np.random.default_rng(0).normal(size=(6, 6))
    g = LORENTZ.sample(6, seed=1, scale=2.0)
    tensors = data.field_tensor(fields)
    assert np.array_equal(data.electric_magnetic(tensors), fields) and np.array_equal(-tensors.swapaxes(1, 2), tensors)
    basis, L = data.field_basis(), LORENTZ.matrix(g)
    assert np.abs(basis @ basis.T - np.eye(6)).max() < 1e-14
    moved = data.electric_magnetic(L @ tensors @ L.swapaxes(1, 2)) @ basis.T
    expected = np.einsum("nij,nj->ni", LORENTZ.irrep("(2,0)")(g), fields @ basis.T)
    assert np.abs(moved - expected).max() < 1e-12 * np.abs(expected).max()


def test_moved_systems_have_the_fields_of_moved_charges():
    made = data.moving_charges(4, charges=(1, 5), asked=3, seed=1)
    shifts = np.random.default_rng(3).normal(size=(4, 4))
    moved = made.moved(LORENTZ.sample(4, seed=0, scale=2.0), shifts)
    ends = np.cumsum(made.sizes)
    for i, (stop, n) in enumerate(zip(ends, made.sizes, strict=True)):
        here, asked = slice(stop - n, stop), slice(3 * i, 3 * i + 3)
        again = data.field_of_charges(moved.charges[here], moved.events[here], moved.velocities[here], moved.at[asked])
        assert np.abs(again - moved.fields[asked]).max() < 1e-10 * np.abs(again).max()
    assert np.abs(moved.fields - made.fields).max() > 0.1
    once = made.moved(LORENTZ.sample(1, seed=0))
    assert np.abs(once.fields[:3] - made.moved(LORENTZ.sample(1, seed=0), [1.0, 2, 3, 4]).fields[:3]).max() == 0


def test_systems_are_as_they_are_said_to_be():
    made, again, other = (data.moving_charges(60, rapidity=1.0, seed=s) for s in (0, 0, 1))
    assert np.array_equal(made.events, again.events) and not np.array_equal(made.events[:9], other.events[:9])
    assert set(made.sizes) == {3, 4, 5, 6, 7, 8} and made.asked == 4 and made.at.shape == (240, 4)
    assert 0.9 < np.arccosh(made.velocities[:, 0]).max() <= 1.0
    assert (
        0.5 <= np.abs(made.charges).min() and np.abs(made.charges).max() <= 1.5 and len(set(np.sign(made.charges))) == 2
    )
    system = np.repeat(np.arange(60), made.sizes)
    for i in range(60):
        here, asked = system == i, made.at[4 * i : 4 * i + 4]
        r_r, r_u = module.invariants(made.events[here], made.velocities[here], asked)
        r = asked[:, None] - made.events[here]
        assert np.abs(r_r - r[..., 0] ** 2 + (r[..., 1:] ** 2).sum(-1)).max() < 1e-13
        d = np.sqrt(r_u**2 - r_r)
        assert (r_r < 0).all() and module.NEAREST < d.min() and d.max() < module.FARTHEST
        assert (np.abs(r_u) < d).all()  # what bounds an edge that is space-like and inside the tube


def test_usual():
    """Each way to be unlike a training pair, whatever frame the charge is seen from."""
    rest = np.array(
        [[0, 0.6, 0, 0], [0, 0, 3.9, 0], [2, 0, 0, 2.1], [0, 0.4, 0, 0], [0, 4.1, 0, 0], [2, 0, 0, 1.9], [2, 0, 0, 0]]
    )
    L = LORENTZ.matrix(LORENTZ.sample(1, seed=0, scale=2.0))[0]
    for M in (np.eye(4), L):
        assert module.usual([[0, 0, 0, 0]], [M[:, 0]], rest @ M.T)[:, 0].tolist() == [True] * 3 + [False] * 4


def test_joined():
    made = data.moving_charges(3, asked=2, seed=0)
    both = made.joined(made.moved(LORENTZ.sample(3, seed=0)), made)
    assert len(both) == 9 and both.asked == 2 and len(both.charges) == 3 * len(made.charges)
    for one, other in ((both.batch(np.array([1, 7])), made.batch(np.array([1, 1]))),):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert np.array_equal(both.batch(np.array([4]))[-1], made.moved(LORENTZ.sample(3, seed=0)).batch(np.array([1]))[-1])
    with pytest.raises(ValueError, match=r"others: got systems with \[1, 2\] events asked for"):
        made.joined(data.moving_charges(3, asked=1))


def test_batches():
    made = data.moving_charges(5, charges=(0, 4), asked=2, seed=3)
    chosen = np.array([3, 1])
    sources, events, u, at, pairs, among, target = made.batch(chosen)
    sizes = made.sizes[chosen]
    assert len(sources) == len(events) == len(u) == sizes.sum() and len(at) == len(target) == 4
    assert all(x.dtype == np.float32 for x in (sources, events, u, at, target))
    assert pairs.shape == (2, 2 * sizes.sum()) and among.shape == (2, (sizes * (sizes - 1)).sum())
    assert (pairs[0][pairs[1] < 2] < sizes[0]).all() and (pairs[0][pairs[1] >= 2] >= sizes[0]).all()
    assert np.allclose(sources[:, 1:], sources[:, :1] * u) and np.allclose(
        target, (made.fields[[6, 7, 2, 3]] @ data.field_basis().T)
    )
    assert np.allclose(at @ LORENTZ.coordinates, made.at[[6, 7, 2, 3]], atol=1e-6)
    assert [x.shape[-1] for x in made.batch(np.array([], dtype=np.int64))] == [5, 4, 4, 4, 0, 0, 6]
    empty = data.moving_charges(0)
    assert len(empty) == empty.asked == 0 and not len(data.moving_charges(3, charges=0).charges)
    assert not data.moving_charges(3, charges=0).fields.any()


def test_world_lines_are_refused_whatever_rounding_leaves():
    """Of events on one some have d^2 a little above 0 when it is computed; those beside it are taken."""
    u = velocity(2.0, [1, 2, 3])
    for proper in np.linspace(-7, 9, 40):
        with pytest.raises(ValueError, match="at: got an event on the world line"):
            data.field_of_charges([1.0], [[0.3, 0.1, 0, 2]], [u], np.array([0.3, 0.1, 0, 2]) + proper * u)
        beside = np.array([0.3, 0.1, 0, 2]) + proper * u + np.array([0, 1e-3, 0, 0])
        assert np.abs(data.field_of_charges([1.0], [[0.3, 0.1, 0, 2]], [u], beside)).max() > 1e5


REST = [[1.0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.moving_charges(-1), "systems: got -1, expected 0 or more"),
        (lambda: data.moving_charges(1, asked=-1), "asked: got -1, expected 0 or more"),
        (lambda: data.moving_charges(1, charges=(3, 2)), r"charges: got \(3, 2\), expected a number, or"),
        (lambda: data.moving_charges(1, rapidity=4.0), "rapidity: got 4.0, expected 0 ... 3"),
        (lambda: data.moving_charges(1, rapidity=float("nan")), "rapidity: got nan"),
        (lambda: data.field_of_charges([[1.0]], [[0, 0, 0, 0]], REST, [0, 1, 0, 0]), r"charges: got shape \(1, 1\)"),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0]], REST, [0, 1, 0, 0]),
            r"events: got shape \(1, 3\), expected \(1, 4\)",
        ),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], [[1.0, 0, 0]], [0, 1, 0, 0]),
            r"velocities: got shape \(1, 3\)",
        ),
        (lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], REST, [0, 1, 0]), r"at: got shape \(3,\)"),
        (
            lambda: module.of_charges([1.0], [[0, 0, 0, 0]], REST, [0, 1, 0, 0]),
            r"at: got shape \(4,\), expected \(m, 4\)",
        ),
        (lambda: data.field_of_charges([np.nan], [[0, 0, 0, 0]], REST, [0, 1, 0, 0]), "charges: got NaN or inf"),
        (lambda: data.field_of_charges([1.0], [[0, 0, 0, np.inf]], REST, [0, 1, 0, 0]), "events: got NaN or inf"),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], [[1.0, 1, 0, 0]], [0, 1, 0, 0]),
            "velocities: got u.u = 0 with",
        ),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], [[0.0, 1, 0, 0]], [0, 1, 0, 0]),
            "velocities: got u.u = -1 with",
        ),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], [[-1.0, 0, 0, 0]], [0, 1, 0, 0]),
            r"u\^0 = -1, expected 1 and u\^0 > 0",
        ),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], [[2.0, 0, 0, 0]], [0, 1, 0, 0]),
            "velocities: got u.u = 4 with",
        ),
        (
            lambda: data.field_of_charges([1.0], [[0, 0, 0, 0]], REST, [[0, 1, 0, 0], [3.0, 0, 0, 0]]),
            "at: got an event on the world line",
        ),
        (
            lambda: data.field_of_charges([1.0], [[1, 2, 3, 4]], [velocity(1, [1, 2, 3])], [1.0, 2, 3, 4]),
            "at: got an event on the world",
        ),
        (
            lambda: data.field_of_charges(
                [1.0], [[0, 0, 0, 0]], [velocity(2, [1, 2, 3])], 7.3 * velocity(2, [1, 2, 3])
            ),
            "at: got an event on the world line of a charge, expected d > 0",
        ),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
