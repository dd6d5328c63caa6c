"""Radial functions: finite at 0, zero beyond the cut-off, smooth, of the size they promise."""

import numpy as np
import pytest
import torch

from eqlib import kernels

CUTOFF = 2.5
WITH_CUTOFF = {
    "Bessel": lambda: kernels.Bessel(6, CUTOFF),
    "Gaussians": lambda: kernels.Gaussians(6, CUTOFF),
    "one Gaussian": lambda: kernels.Gaussians(1, CUTOFF),
    "MLP on Bessel": lambda: kernels.RadialMLP(kernels.Bessel(6, CUTOFF), [16, 16], 5),
    "MLP on Gaussians": lambda: kernels.RadialMLP(kernels.Gaussians(6, CUTOFF), 16, 5),
}
WITHOUT = {
    "Logarithmic": lambda: kernels.Logarithmic(7, 0.5, 100.0),
    "Masses": lambda: kernels.Masses(6, 0.5, 100.0),
    "MLP on q": lambda: kernels.RadialMLP(None, 16, 5, scale=3.0),
}
every_radial = pytest.mark.parametrize("name", [*WITH_CUTOFF, *WITHOUT])


def made(name):
    torch.manual_seed(0)
    return (WITH_CUTOFF | WITHOUT)[name]().double()


@every_radial
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_finite_everywhere(name, dtype):
    f = made(name).to(dtype)
    q = torch.tensor([0.0, -0.0, 1e-30, 1e-12, 1e-3, CUTOFF**2, 7.0, 1e4, 1e15, -1e-12, -1.0, -1e15], dtype=dtype)
    q.requires_grad_()
    y = f(q)
    assert y.shape == (12, f.number) and y.dtype == dtype
    (slope,) = torch.autograd.grad(y.sum(), q, create_graph=True)
    assert y.isfinite().all() and slope.isfinite().all()
    slope.sum().backward()
    assert q.grad.isfinite().all()
    assert f(q.detach().view(3, 4)).shape == (3, 4, f.number)
    assert f(q.detach()[:0]).shape == (0, f.number)


@pytest.mark.parametrize("name", WITH_CUTOFF)
def test_exactly_zero_beyond_the_cutoff(name):
    f = made(name)
    beyond = torch.tensor([CUTOFF, 1.001 * CUTOFF, 100.0], dtype=torch.float64).square().requires_grad_()
    y = f(beyond)
    y.sum().backward()
    assert torch.equal(y, torch.zeros_like(y))
    assert torch.equal(beyond.grad[1:], torch.zeros(2, dtype=torch.float64)) and beyond.grad[0].abs() < 1e-12
    inside = f(torch.tensor([1.0], dtype=torch.float64))
    assert inside.abs().max() > 0.1


def test_the_envelope_falls_smoothly():
    """1 at the centre; value, slope and curvature vanish at the cut-off, the third derivative does not."""
    d = torch.linspace(0, CUTOFF, 200, dtype=torch.float64)
    u = kernels.envelope(d**2, CUTOFF)
    assert u[0] == 1 and u[-1] == 0 and (u.diff() < 1e-15).all()
    gaps = torch.tensor([1e-2, 1e-3], dtype=torch.float64) * CUTOFF
    near = kernels.envelope((CUTOFF - gaps) ** 2, CUTOFF)
    assert near[0] / near[1] == pytest.approx(1000, rel=0.1)


def test_bessel_is_the_formula():
    """sin(n pi d / c) / d with one factor for all n, next to the series near 0 as well."""
    f = made("Bessel")
    d = torch.linspace(1e-3, CUTOFF - 1e-3, 500, dtype=torch.float64)
    n = torch.arange(1, 7, dtype=torch.float64)
    expected = torch.sin(n * np.pi * d[:, None] / CUTOFF) / d[:, None] * (2 / 3) ** 0.5 * CUTOFF
    expected = expected * kernels.envelope(d**2, CUTOFF)[:, None]
    assert (f(d**2) - expected).abs().max() < 1e-12
    z = torch.tensor([0.0, 1e-9, 0.0099999, 0.0100001], dtype=torch.float64)
    root = torch.tensor([1e-300, 1e-9**0.5, 0.0099999**0.5, 0.0100001**0.5], dtype=torch.float64)
    assert (kernels.radial.sinc(z) - torch.sin(root) / root).abs().max() < 1e-15


def test_bessel_has_mean_square_one_in_the_ball():
    f = made("Bessel")
    d = torch.linspace(1e-4, 0.999 * CUTOFF, 4000, dtype=torch.float64)
    free = f(d**2) / kernels.envelope(d**2, CUTOFF)[:, None]
    mean = (free.square() * d[:, None] ** 2).sum(0) / (d**2).sum()
    assert (mean - 1).abs().max() < 0.01


def test_gaussians_have_mean_square_one():
    f = kernels.Gaussians(12, CUTOFF).double()
    d = torch.linspace(0.2 * CUTOFF, 0.8 * CUTOFF, 400, dtype=torch.float64)
    free = f(d**2) / kernels.envelope(d**2, CUTOFF)[:, None]
    assert (free.square().mean(1) - 1).abs().max() < 0.01


def test_logarithmic_bumps_tell_signs_and_sizes_apart():
    """Antisymmetric in q and the number of the bump; the sum is constant; the largest bump moves up with q."""
    f = made("Logarithmic")
    q = torch.tensor([-1e12, -1e4, -3.0, -0.1, 0.0, 0.1, 3.0, 1e4, 1e12], dtype=torch.float64)
    y = f(q)
    assert torch.allclose(y, y.flip(0).flip(1), atol=1e-12)
    assert torch.allclose(y.sum(1), y.sum(1)[:1].expand(9), atol=1e-12)
    assert (y.argmax(1).diff() >= 0).all() and y.argmax(1)[0] == 0 and y.argmax(1)[-1] == 6
    slope = torch.autograd.functional.jacobian(lambda q: f(q)[0], torch.zeros(1, dtype=torch.float64))
    assert slope.abs().max() > 1e-3


def test_masses_are_gaussians_of_the_logarithm():
    """The bumps stand at equal ratios, keep their size between the ends, and see nothing of a sign or of a zero."""
    f = kernels.Masses(16, 30.0, 500.0).double()
    steps = f.centres.diff()
    assert (steps - steps[0]).abs().max() < 1e-14 and abs(f.centres[-1].exp() - 500) < 1e-9
    m = torch.linspace(60, 250, 500, dtype=torch.float64)
    assert (f(m**2).square().mean(1) - 1).abs().max() < 0.02
    assert torch.equal(f(-(m**2)), f(m**2)) and f(torch.zeros(1)).abs().max() < 1e-12
    assert torch.allclose(f(f.centres.exp() ** 2).diagonal(), torch.tensor(f._factor).double(), atol=1e-5)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (2.0, 2.0), (3.0, 2.0), (1.0, float("inf"))])
def test_masses_want_rising_ends(ends):
    with pytest.raises(ValueError, match=r"least|most"):
        kernels.Masses(4, *ends)


def test_mlp_keeps_the_size():
    torch.manual_seed(0)
    q = (torch.rand(2000, dtype=torch.float64) * 0.7 * CUTOFF) ** 2
    squares = [
        kernels.RadialMLP(kernels.Gaussians(8, CUTOFF), [32, 32], 16).double()(q).square().mean() for _ in range(20)
    ]
    assert 0.3 < torch.stack(squares).mean() < 3


@pytest.mark.parametrize("name", ["Bessel", "Gaussians", "Logarithmic", "Masses"])
def test_double_after_float32_is_exact(name):
    single, double = (WITH_CUTOFF | WITHOUT)[name]().double(), None
    torch.set_default_dtype(torch.float64)
    try:
        double = (WITH_CUTOFF | WITHOUT)[name]()
    finally:
        torch.set_default_dtype(torch.float32)
    q = torch.linspace(0, 7, 30, dtype=torch.float64)
    assert torch.equal(single(q), double(q))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.Bessel(0, 1.0), "number: got 0, expected a whole number >= 1"),
        (lambda: kernels.Gaussians(3, -1.0), "cutoff: got -1.0, expected a positive and finite number"),
        (lambda: kernels.Masses(1, 1.0, 2.0), "number: got 1, expected at least 2, one for each end"),
        (lambda: kernels.Logarithmic(1, 1.0, 2.0), "number: got 1, expected at least 2"),
        (lambda: kernels.Logarithmic(3, 0.0, 2.0), "mu: got 0.0, expected a positive and finite number"),
        (
            lambda: kernels.RadialMLP(torch.nn.SiLU(), 3, 3),
            "basis: got SiLU, expected None or a module with an integer .number",
        ),
        (lambda: kernels.RadialMLP(None, [4, 0], 3), "hidden: got \\[4, 0\\], expected a whole number >= 1"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        call()


def derivatives(f, x, order):
    """f and its derivatives up to this order at each x (n,): (order + 1, n, number)."""
    found = [f(x)]
    for _ in range(order):
        number = found[-1].shape[1]
        columns = [torch.autograd.grad(found[-1][:, i].sum(), x, create_graph=True)[0] for i in range(number)]
        found.append(torch.stack(columns, dim=1))
    return torch.stack(found).detach()


@pytest.mark.parametrize("name", WITH_CUTOFF)
def test_energy_force_and_its_derivative_are_continuous_at_the_cutoff(name):
    """As an atom crosses: value, slope and curvature in the distance shrink to 0 as gap^3, gap^2 and gap."""
    f = made(name)
    gaps = torch.tensor([1e-3, 1e-4, 1e-5, 1e-11, 0.0, -1e-11, -1e-3], dtype=torch.float64)
    d = (CUTOFF - gaps).requires_grad_()
    found = derivatives(lambda d: f(d**2), d, 2).abs().amax(2)  # (3, gaps)
    scale = (
        derivatives(lambda d: f(d**2), torch.tensor([CUTOFF / 2], dtype=torch.float64).requires_grad_(), 2).abs().max()
    )
    for order, power in enumerate((3, 2, 1)):
        bound = 1000 * scale * gaps.clamp(min=0) ** power + 1e-11 * scale
        assert (found[order] <= bound).all(), (order, found[order], bound)
    assert found[:, 3:].max() < 1e-8 and (found[:, 5:] == 0).all()


@pytest.mark.parametrize("power", [2, 3, 5, 6])
def test_an_envelope_is_continuous_with_any_power(power):
    d = (CUTOFF - torch.tensor([1e-9, 0.0, -1e-9], dtype=torch.float64)).requires_grad_()
    found = derivatives(lambda d: kernels.envelope(d**2, CUTOFF, power)[:, None], d, 2)
    assert found.abs().max() < 1e-6 and (found[:, 2] == 0).all()


@pytest.mark.parametrize("name", WITH_CUTOFF)
def test_three_derivatives_at_zero_are_those_from_above(name):
    f = made(name)
    q = torch.tensor([0.0, 1e-14, CUTOFF**2, 1.01 * CUTOFF**2], dtype=torch.float64).requires_grad_()
    found = derivatives(f, q, 3)
    assert found.isfinite().all() and (found[:, 3] == 0).all()
    for each in found:
        assert torch.allclose(each[0], each[1], rtol=1e-5, atol=1e-6 * float(each.abs().max()))
    assert found[1:, 0].abs().amax(1).min() > 1e-3


@pytest.mark.parametrize("power", [4, 5, 6])
def test_an_envelope_in_space_has_derivatives_where_two_points_meet(power):
    """1 - c |r|^power ... has three of them at r = 0, all 0, for an odd power too."""
    r = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    value = kernels.envelope((r * r).sum(), CUTOFF, power)
    for _ in range(3):
        (slope,) = torch.autograd.grad(value, r, create_graph=True)
        assert torch.equal(slope, torch.zeros_like(slope))
        value = (slope * torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)).sum()


@pytest.mark.parametrize("name", ["Bessel", "Gaussians"])
def test_the_curvature_where_two_points_meet(name):
    """The Hessian of f(r.r) at r = 0 is 2 f'(0): it must not be lost to a slope of |q| that is 0 there."""
    f = made(name)

    def energy(r):
        return f((r * r).sum()).sum()

    at, beside = (torch.full((2,), x, dtype=torch.float64) for x in (0.0, 1e-7))
    hessian, expected = (torch.autograd.functional.hessian(energy, r) for r in (at, beside))
    assert hessian.abs().max() > 1 and torch.allclose(
        hessian, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max())
    )


@every_radial
def test_derivatives_are_right(name):
    f = made(name)
    q = torch.tensor([0.005, 0.3, 2.0, 6.2, 7.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(f, q) and torch.autograd.gradgradcheck(f, q)
