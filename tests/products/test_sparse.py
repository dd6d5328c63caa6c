"""Tensors too large, or too empty, for dense products give the same layer, and E8 fits."""

import pytest
import torch

from eqlib import groups, nn, testing
from eqlib.products import sparse

E8 = "(0,0,0,0,0,0,0,1)"
CASES = [
    (groups.G2(), "2x(0,0)+3x(1,0)+(0,1)"),
    (groups.SU(3), "2x(0,0)+2x(1,0)+3x(1,1)"),
    (groups.Lorentz(), "2x(0,0)+2x(1,1)+(2,0)"),
    (groups.Octahedral(True), "2x1a+2a+2x3b"),
]


@pytest.mark.parametrize(("group", "text"), CASES, ids=[str(g) for g, _ in CASES])
@pytest.mark.parametrize(
    ("weights", "depthwise"), [("shared", False), ("shared", True), ("external", False), (None, False)]
)
def test_the_same_as_dense(group, text, weights, depthwise, monkeypatch):
    rep = group.rep(text)

    def build(large):
        monkeypatch.setattr(sparse, "LARGE", large)
        monkeypatch.setattr(sparse, "EMPTY", 1)
        torch.manual_seed(0)
        return nn.TensorProduct(rep, rep, rep, weights=weights, depthwise=depthwise).double()

    dense, gathered = build(10**9), build(5)
    assert len(dense._sparse) == 0 < len(gathered._sparse)
    assert dense.rep_out == gathered.rep_out
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 3, 4, rep.dim, dtype=torch.float64, generator=generator)
    w = torch.randn(4, dense.weight_numel, dtype=torch.float64, generator=generator) if weights == "external" else None
    one, other = dense(x, y, w), gathered(x, y[:1], w) if weights == "shared" else gathered(x, y, w)
    if weights == "shared":
        one = dense(x, y[:1])
    if weights is None:  # the copies of an irrep may be turned among themselves
        for _, where in zip(dense.rep_out.blocks, dense.rep_out.slices, strict=True):
            assert one[..., where].square().sum(-1).allclose(other[..., where].square().sum(-1), atol=1e-12)
        assert testing.equivariance_error(gathered, (rep, rep), gathered.rep_out) < 1e-12
    else:
        assert (one - other).abs().max() < 1e-12


def test_e8():
    """A layer on E8's 248 dimensions: sparse, equivariant, compiled without a break, with gradients."""
    group = groups.E8()
    rep = group.rep(f"2x(0,0,0,0,0,0,0,0)+2x{E8}")

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Gate(rep)
            self.product = nn.TensorProduct(rep, rep, self.gate.rep_in)

        def forward(self, x):
            return self.gate(self.product(x, x))

    f = Layer()
    product = f.product
    assert len(product._sparse) == 1
    assert testing.equivariance_error(f, rep, rep, samples=2) < 1e-12
    assert testing.equivariance_error(f, rep, rep, samples=2, dtype=torch.float32) < 1e-5
    product.float()
    x = torch.randn(3, rep.dim, requires_grad=True)
    out = torch.compile(product, backend="aot_eager", fullgraph=True)(x, x)
    assert (out - product(x, x)).abs().max() < 1e-5 * out.abs().max()
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert product(x[:0], x[:0]).shape == (0, f.gate.rep_in.dim)
