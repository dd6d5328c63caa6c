"""torch.func over the engine's operators: Jacobians, gradients, and maps over a batch of examples."""

import pytest
import torch
from torch.func import grad, jacrev, vmap

from eqlib import graphs, groups, harmonics, kernels, nn, products

O3 = groups.O3()
REP, ONE = O3.rep("2x0e+2x1o"), O3.rep("0e+1o")
every_engine = pytest.mark.parametrize("engine", products.available())
RNG = torch.Generator().manual_seed(0)


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=RNG)


def layers():
    """Functions of one tensor, and an input."""
    free = nn.TensorProduct(REP, ONE, ONE, weights=None).double()
    rows = nn.TensorProduct(REP, ONE, REP, depthwise=True).double()
    y, x, r = drawn(3, ONE.dim), drawn(4, REP.dim), drawn(4, 3)
    edges = graphs.radius_graph(r, cutoff=5.0)
    aligned, plain = (
        nn.PointConv(REP, REP, 2, kernels.Bessel(3, 5.0), depthwise=True, aligned=way).double() for way in (True, False)
    )
    spherical, turns = harmonics.Harmonics(O3, 3).double(), torch.tensor(O3.vector(O3.sample(3, seed=0)))
    return {
        "product": (lambda a: free(a, y), drawn(3, REP.dim), True),
        "depthwise": (lambda a: rows(a, y), drawn(3, REP.dim), True),
        "harmonics": (spherical, drawn(3, 3), True),
        "frames": (kernels.Alignment(O3, [O3.irrep("1o")]), drawn(3, 3), True),
        "matrices": (lambda R: harmonics.matrices(O3.rep("2e"), R), turns, False),
        "aligned": (lambda r: aligned(x, r, edges), r, False),
        "plain": (lambda r: plain(x, r, edges), r, False),
    }


@every_engine
@pytest.mark.parametrize("name", layers())
def test_jacobians_and_batches(engine, name):
    f, x, over = layers()[name]
    with products.using(engine):
        expected = torch.autograd.functional.jacobian(f, x)
        assert (jacrev(f)(x) - expected).abs().max() < 1e-12
        slope = torch.autograd.functional.jacobian(lambda v: f(v).sin().sum(), x)
        assert (grad(lambda v: f(v).sin().sum())(x) - slope).abs().max() < 1e-10
        curve = torch.autograd.functional.hessian(lambda v: f(v).sin().sum(), x)
        assert (jacrev(grad(lambda v: f(v).sin().sum()))(x) - curve).abs().max() < 1e-9 * curve.abs().max()
        if over:  # elsewhere a check at the door looks at numbers, which vmap does not allow
            some = torch.stack([x, 2 * x, x.flip(0)])
            assert (vmap(f)(some) - torch.stack([f(v) for v in some])).abs().max() < 1e-12
            slopes = vmap(grad(lambda v: f(v).sin().sum()))(some)
            assert (slopes[0] - slope).abs().max() < 1e-10
