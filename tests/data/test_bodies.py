"""Rigid bodies: exact tensors about every point, in the basis 0e + 2e, and every kind of body."""

import numpy as np
import pytest
import torch

from eqlib import data, graphs, groups, kernels, models, training
from eqlib.data import bodies as module


def test_inertia_is_the_textbook_formula():
    """A dumbbell by hand, and a random body by a plain loop."""
    dumbbell = data.inertia([2.0, 2.0], [[0, 0, 1], [0, 0, -1]], [0, 0, 0])
    assert np.array_equal(dumbbell, np.diag([4.0, 4.0, 0.0]))
    made = data.rigid_bodies(1, 6, seed=3)
    for i in range(6):
        expected = np.zeros((3, 3))
        for m, x in zip(made.masses, made.positions, strict=True):
            r = x - made.positions[i]
            expected += m * np.array(
                [
                    [r[1] ** 2 + r[2] ** 2, -r[0] * r[1], -r[0] * r[2]],
                    [-r[0] * r[1], r[0] ** 2 + r[2] ** 2, -r[1] * r[2]],
                    [-r[0] * r[2], -r[1] * r[2], r[0] ** 2 + r[1] ** 2],
                ]
            )
        assert np.abs(module.to_matrices(made.about_points[i]) - expected).max() < 1e-14


def test_the_basis_is_that_of_the_rep():
    """Orthonormal, trace first; R I R^T of the matrix is rep(R) of the components, reflections too."""
    basis = module.basis().reshape(6, 9)
    assert np.abs(basis @ basis.T - np.eye(6)).max() < 1e-14
    assert np.allclose(module.basis()[0], np.eye(3) / 3**0.5, atol=1e-15)
    rng = np.random.default_rng(0)
    tensors = rng.normal(size=(7, 3, 3))
    tensors = tensors + tensors.swapaxes(1, 2)
    assert np.abs(data.to_matrices(data.to_irreps(tensors)) - tensors).max() < 1e-13
    group = groups.O3()
    g = group.sample(7, seed=1)
    turned = group.matrix(g) @ tensors @ group.matrix(g).swapaxes(1, 2)
    expected = np.einsum("nij,nj->ni", group.rep("0e+2e")(g), module.to_irreps(tensors))
    assert np.abs(module.to_irreps(turned) - expected).max() < 1e-12


def test_steiner():
    """About a point = about the centre + M (d.d 1 - d d^T); the mean over masses of the former is twice the latter."""
    made = data.rigid_bodies(5, (1, 9), seed=1, spread=3.0)
    for i in range(5):
        here = made.points(np.array([i]))
        m, x = made.masses[here], made.positions[here]
        centre = m @ x / m.sum()
        about = module.to_matrices(made.about_centres[i])
        shifted = about + data.inertia([m.sum()], centre[None], x)
        assert np.abs(module.to_matrices(made.about_points[here]) - shifted).max() < 1e-11
        assert np.abs(m @ made.about_points[here] / m.sum() - 2 * made.about_centres[i]).max() < 1e-11


def test_seeded_and_of_the_sizes_asked_for():
    one, again, other = (data.rigid_bodies(40, (2, 5), seed=s) for s in (0, 0, 1))
    assert np.array_equal(one.positions, again.positions) and not np.array_equal(one.masses[:9], other.masses[:9])
    assert set(one.sizes) == {2, 3, 4, 5} and len(one) == 40
    assert (data.rigid_bodies(4, 3).sizes == 3).all()
    assert one.masses.min() >= 0.5 and one.masses.max() <= 1.5 and np.abs(one.positions).max() <= 0.5
    assert one.masses.dtype == one.about_points.dtype == np.float64


def test_batches():
    made = data.rigid_bodies(6, (0, 4), seed=2)
    chosen = np.argsort(made.sizes, kind="stable")[[-1, 3]]
    assert made.sizes[chosen[0]] > made.sizes[chosen[1]] > 0
    masses, positions, edges, target = made.batch(chosen)
    where = made.points(chosen)
    assert len(where) == made.sizes[chosen].sum()
    assert masses.shape == (len(where), 1) and masses.dtype == positions.dtype == target.dtype == np.float32
    assert np.array_equal(positions, made.positions[where].astype(np.float32))
    assert np.array_equal(target, made.about_points[where].astype(np.float32))
    assert np.array_equal(edges, graphs.complete_graph(made.sizes[chosen].tolist()).numpy())
    assert made.batch(np.array([], dtype=np.int64))[0].shape == (0, 1)


def test_every_kind_of_body():
    """One mass, all masses in one place, no points, masses of zero."""
    made = module.of_points([2.0, 1, 1, 0, 0], [[1, 2, 3], [4, 4, 4], [4, 4, 4], [0, 0, 0], [1, 0, 0]], [1, 2, 0, 2])
    assert np.abs(made.about_points).max() < 1e-14 and made.about_points.shape == (5, 6)
    assert np.abs(made.about_centres).max() < 1e-14 and made.about_centres.shape == (4, 6)


def test_fit_takes_them():
    made = data.rigid_bodies(8, (1, 4), seed=0)
    group = groups.O3()
    torch.manual_seed(0)
    net = models.TensorFieldNetwork(group.rep("0e"), group.rep("0e+2e"), [], 2, lambda: kernels.Gaussians(4, 3.0))
    history = training.fit(net, _squared, made, epochs=12, batch_size=4, lr=0.03, progress=False)
    assert history.loss[-1] < 0.5 * history.loss[0]


def _squared(output, target):
    return (output - target).square().mean()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.rigid_bodies(-1, 3), "bodies: got -1, expected 0 or more"),
        (lambda: data.rigid_bodies(2, (3, 2)), r"points: got \(3, 2\), expected a number, or"),
        (lambda: data.rigid_bodies(2, -1), "points: got -1, expected"),
        (lambda: data.rigid_bodies(2, 3, spread=-1.0), "spread: got -1.0, expected a length"),
        (lambda: module.of_points([1.0], [[0, 0, 0]], [2]), r"masses: got shape \(1,\), expected \(2,\)"),
        (lambda: module.of_points([1.0], [[0, 0]], [1]), r"positions: got shape \(1, 2\), expected \(1, 3\)"),
        (lambda: module.of_points([-1.0], [[0, 0, 0]], [1]), "masses: got a negative, NaN or infinite mass"),
        (lambda: module.of_points([1.0], [[0, np.nan, 0]], [1]), "positions: got NaN or inf"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
