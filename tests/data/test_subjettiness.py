"""N-subjettiness on configurations with a known answer, against a general minimiser, and on the shipped jets."""

import numpy as np
import pytest
from scipy.optimize import minimize

from eqlib import data
from eqlib.data.nsubjettiness import rapidity_and_phi


@pytest.fixture(scope="module")
def held_out():
    return data.jets("test")


def four_momenta(pt, eta, phi):
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], -1)


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
