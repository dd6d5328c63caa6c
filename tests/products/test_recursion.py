"""Recursions of harmonic polynomials in both engines, against the same recursion by torch's own gradients."""

import numpy as np
import pytest
import torch

from eqlib import groups, harmonics, products
from eqlib.products import Recursion, in_numba

ENGINES = products.available()
every_engine = pytest.mark.parametrize("engine", ENGINES)
GROUPS = [groups.O2(), groups.O3(), groups.Lorentz(), groups.G2()]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def made(group, degree=3, start=0.7):
    steps = harmonics.steps(group, degree)
    return Recursion(steps, group.metric, start), steps, torch.tensor(group.metric)


def reference(x, steps, metric, start, unit, mu):
    if unit:
        square = torch.einsum("...i,ij,...j->...", x, metric.to(x), x)
        s = (square**2 + mu**4) ** 0.25 if mu else torch.where(square > 0, square, 1.0).sqrt()
        x = x / s[..., None]
    found = [x.new_full((*x.shape[:-1], 1), start)]
    for step in steps:
        found.append(torch.einsum("...i,...a,iak->...k", found[-1], x, torch.tensor(step).to(x)))
    return torch.cat(found, dim=-1)


def points(group, n=4, dtype=torch.float64):
    x = torch.randn(n, group.vector.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if not group.compact:  # time-like
        x[:, 0] = (1 + x.square().sum(1)).sqrt()
        x = x @ torch.tensor(group.coordinates.T)
    return x.to(dtype)


def derivatives(f, x, orders=3):
    x, rng = x.detach().clone().requires_grad_(), torch.Generator().manual_seed(1)
    found = [f(x)]
    total = (found[0] * torch.randn(found[0].shape, generator=rng, dtype=torch.float64).to(x)).sum()
    for _ in range(orders):
        found.append(torch.autograd.grad(total, x, create_graph=True)[0])
        total = (found[-1] * torch.randn(x.shape, generator=rng, dtype=torch.float64).to(x)).sum()
    return [v.detach() for v in found]


@every_engine
@every_group
@pytest.mark.parametrize(("unit", "mu"), [(False, 0.0), (True, 0.0), (True, 0.8)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-5)])
def test_equals_its_definition_with_three_derivatives(engine, group, unit, mu, dtype, tolerance):
    recursion, steps, metric = made(group)
    x = points(group, dtype=dtype)
    with products.using(engine):
        found = derivatives(lambda x: recursion(x, unit, mu), x)
    expected = derivatives(lambda x: reference(x, steps, metric, 0.7, unit, mu), x)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        assert (ours - theirs).abs().max() < tolerance * max(1.0, float(theirs.abs().max()))


@every_engine
@every_group
@pytest.mark.parametrize(("unit", "mu"), [(False, 0.0), (True, 0.0), (True, 0.8)])
@pytest.mark.parametrize("degree", [0, 1, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-5)])
def test_the_gradient_in_one_pass_is_the_one_that_can_be_differentiated(
    engine, group, unit, mu, degree, dtype, tolerance
):
    recursion, _, _ = made(group, degree)
    x = points(group, 133, dtype)
    x[5] = 0  # and where a square does not fit the dtype
    x[6] *= 1e-30 if dtype == torch.float32 else 1e-200
    x.requires_grad_()
    with products.using(engine):
        y = recursion(x, unit, mu)
        g = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
        once, again = (torch.autograd.grad(y, x, g, True, create_graph)[0] for create_graph in (False, True))
        spread = [torch.autograd.grad(y.sum(), x, retain_graph=True, create_graph=way)[0] for way in (False, True)]
    assert once.isfinite().all()
    for one, other in ((once, again), spread):  # a sum hands back one number for all
        scale = other.detach().abs().amax(1, keepdim=True).clamp(min=1)
        assert ((one - other).abs() / scale).max() < tolerance


@every_engine
def test_a_row_without_coefficients_is_zero(engine):
    step = np.zeros((1, 3, 4))
    step[0, 1, 2] = 2.0
    x = torch.full((200, 3), 5.0, requires_grad=True)
    with products.using(engine):
        y = Recursion([step], np.eye(3))(x)
        (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y[0].tolist() == [1.0, 0.0, 0.0, 10.0, 0.0]
    assert gradient[0].tolist() == [0.0, 2.0, 0.0]


@every_engine
@pytest.mark.parametrize("degree", [0, 1, 4])
@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 0, 3), (2, 5, 3), (127, 3), (128, 3), (129, 3), (300, 3)])
def test_any_shape(engine, degree, shape):
    """None, fewer and more points than a block holds."""
    recursion, steps, metric = made(groups.O3(), degree)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with products.using(engine):
        y, gradient = derivatives(lambda x: recursion(x, True), x, orders=1)
        layouts = recursion(x.mT.contiguous().mT if x.ndim > 1 else x, True)
    assert torch.equal(layouts, y)
    assert y.shape == (*shape[:-1], (degree + 1) ** 2)
    assert gradient.shape == shape
    if x.numel():
        assert (y - reference(x, steps, metric, 0.7, True, 0.0)).abs().max() < 1e-12


@every_engine
@pytest.mark.parametrize("unit", [False, True])
def test_gradcheck_at_generic_points_and_on_the_axes(engine, unit):
    recursion = made(groups.O3(), 4)[0]
    x = torch.cat(
        [torch.eye(3), -2 * torch.eye(3), torch.randn(2, 3, generator=torch.Generator().manual_seed(0))]
    ).double()
    x.requires_grad_()
    with products.using(engine):
        assert torch.autograd.gradcheck(lambda x: recursion(x, unit), x, fast_mode=True)
        assert torch.autograd.gradgradcheck(lambda x: recursion(x, unit), x, fast_mode=True)


@every_engine
def test_the_vector_of_length_zero(engine):
    recursion = made(groups.O3())[0]
    for dtype in (torch.float32, torch.float64):
        with products.using(engine):
            found = derivatives(lambda x: recursion(x, True), torch.zeros(2, 3, dtype=dtype))
        assert all(v.isfinite().all() for v in found)
        assert torch.equal(found[0][:, 0], torch.full((2,), 0.7, dtype=dtype))
        assert not found[0][:, 1:].any()


def test_not_a_number_comes_through():
    recursion = made(groups.O3())[0]
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    x[7, 1], x[200, 0] = float("nan"), float("inf")
    fine = torch.ones(300, dtype=torch.bool)
    fine[[7, 200]] = False
    for engine in ENGINES:
        for unit in (False, True):
            with products.using(engine):
                y = recursion(x, unit)
            assert y[fine].isfinite().all()
            assert not y[7].isfinite().all()
            assert not y[200].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_torchs(dtype, monkeypatch):
    monkeypatch.setattr(in_numba, "recursion", None)
    recursion = made(groups.O3())[0]
    x = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    y = recursion(x.to(dtype), True)
    assert y.dtype == dtype
    with products.using("torch"):
        assert (y.float() - recursion(x, True)).abs().max() < 0.05


@every_engine
def test_the_same_bits_every_time(engine):
    recursion, x = made(groups.O3())[0], points(groups.O3(), 500, torch.float32)
    with products.using(engine):
        assert all(map(torch.equal, *(derivatives(lambda x: recursion(x, True), x) for _ in range(2))))
