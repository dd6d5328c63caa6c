"""A trilinear form with each of its places open, in both engines, against an einsum."""

import pytest
import torch

from eqlib import products
from eqlib.products import in_numba, in_torch, opened

ENGINES = products.available()
every_engine = pytest.mark.parametrize("engine", ENGINES)
SIZES = (4, 3, 5)
# The same place twice, a row of each that no coefficient asks for.
TERMS = torch.tensor([[0, 0, 0], [2, 1, 3], [0, 1, 3], [2, 1, 3], [1, 0, 4], [0, 0, 1]])
VALUES = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0, 1 / 3], dtype=torch.float64)
GIVEN = {0: "jk", 1: "ik", 2: "ij"}


def dense():
    out = torch.zeros(SIZES, dtype=torch.float64)
    for (i, j, k), value in zip(TERMS.tolist(), VALUES, strict=True):
        out[i, j, k] += value
    return out


def reference(a, b, place, rows):
    given = GIVEN[place]
    if rows:
        return torch.einsum(f"ijk,{given[0]}e,{given[1]}e->{'ijk'[place]}e", dense().to(a), a, b)
    return torch.einsum(f"ijk,e{given[0]},e{given[1]}->e{'ijk'[place]}", dense().to(a), a, b)


def pair(place, rows, n=7, dtype=torch.float64):
    rng, sizes = torch.Generator().manual_seed(0), [s for i, s in enumerate(SIZES) if i != place]
    found = [torch.randn((s, n) if rows else (n, s), generator=rng, dtype=torch.float64).to(dtype) for s in sizes]
    return [v.requires_grad_() for v in found]


def derivatives(f, a, b):
    found, rng = [f(a, b)], torch.Generator().manual_seed(1)
    g = torch.randn(found[0].shape, generator=rng, dtype=torch.float64).to(a).requires_grad_()
    total = (g * found[0]).sum()
    for _ in range(3):  # of the third order all are constant but those of one product
        some = torch.autograd.grad(total, (a, b, g), create_graph=True, allow_unused=True, materialize_grads=True)
        found += some
        total = sum((v * v * torch.randn(v.shape, generator=rng, dtype=torch.float64).to(v)).sum() for v in some)
    return [v.detach() for v in found]


@every_engine
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
@pytest.mark.parametrize("overhead", [0, 10**9])  # coefficient by coefficient, or one dense product where torch may
def test_equals_an_einsum_with_three_derivatives(engine, rows, place, dtype, tolerance, overhead, monkeypatch):
    monkeypatch.setattr(in_torch, "OVERHEAD", overhead)
    a, b = pair(place, rows, dtype=dtype)
    with products.using(engine):
        found = derivatives(lambda a, b: opened(a, b, TERMS, VALUES, SIZES, place, rows), a, b)
    expected = derivatives(lambda a, b: reference(a, b, place, rows), a, b)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        assert (ours - theirs).abs().max() < tolerance * max(1.0, float(theirs.abs().max()))


@every_engine
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("n", [0, 1, 127, 128, 300])
def test_blocks_layouts_and_nothing(engine, rows, n):
    for place in range(3):
        a, b = pair(place, rows, n)
        with products.using(engine):
            y = opened(a, b, TERMS, VALUES, SIZES, place, rows)
            other = opened(a.mT.contiguous().mT, b.mT.contiguous().mT, TERMS, VALUES, SIZES, place, rows)
            none = opened(a, b, TERMS[:0], VALUES[:0], SIZES, place, rows)
        assert torch.equal(y, other)
        assert torch.allclose(y, reference(a, b, place, rows), atol=1e-12)
        assert none.shape == y.shape
        assert not none.any()


@every_engine
def test_gradcheck(engine):
    with products.using(engine):
        for place in range(3):
            for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
                assert check(lambda a, b, to=place: opened(a, b, TERMS, VALUES, SIZES, to, True), pair(place, True, 2))


@pytest.mark.parametrize("rows", [False, True])
def test_not_a_number_comes_through(rows):
    a, b = (v.detach() for v in pair(2, rows))
    (a[0] if rows else a[:, 0])[3] = float("nan")
    for engine in ENGINES:
        with products.using(engine):
            y = opened(a, b, TERMS, VALUES, SIZES, 2, rows)
        y = y if rows else y.T
        assert y.isnan()[
            [0, 1, 3], 3
        ].all()  # what reads row 0; a dense product, which is torch's for few points, has more
        assert not y.isnan()[:, torch.arange(7) != 3].any()


def test_half_precision_is_torchs(monkeypatch):
    monkeypatch.setattr(in_numba, "form", None)
    a, b = (v.detach() for v in pair(2, True))
    y = opened(a.half(), b.half(), TERMS, VALUES, SIZES, 2, True)
    assert (y - reference(a, b, 2, True)).abs().max() < 0.02
