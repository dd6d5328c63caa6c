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


def test_mlp_keeps_the_size():
    torch.manual_seed(0)
    q = (torch.rand(2000, dtype=torch.float64) * 0.7 * CUTOFF) ** 2
    squares = [
        kernels.RadialMLP(kernels.Gaussians(8, CUTOFF), [32, 32], 16).double()(q).square().mean() for _ in range(20)
    ]
    assert 0.3 < torch.stack(squares).mean() < 3


@pytest.mark.parametrize("name", ["Bessel", "Gaussians", "Logarithmic"])
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
        (lambda: kernels.Bessel(0, 1.0), "number: got 0, expected a positive integer"),
        (lambda: kernels.Gaussians(3, -1.0), "cutoff: got -1.0, expected a positive and finite number"),
        (lambda: kernels.Logarithmic(1, 1.0, 2.0), "number: got 1, expected at least 2"),
        (lambda: kernels.Logarithmic(3, 0.0, 2.0), "mu: got 0.0, expected a positive and finite number"),
        (
            lambda: kernels.RadialMLP(torch.nn.SiLU(), 3, 3),
            "basis: got SiLU, expected None or a module with an integer .number",
        ),
        (lambda: kernels.RadialMLP(None, [4, 0], 3), "hidden: got 0, expected a positive integer"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        call()
