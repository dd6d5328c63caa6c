"""GridConv on images and volumes: exact under the grid's symmetries, complete, cheap to keep."""

import copy

import numpy as np
import pytest
import torch

from eqlib import groups, models, nn, testing
from eqlib.nn.grid import sampled_basis

CASES = [
    (groups.Cyclic(4), "2x0+2x1+2", 9),
    (groups.Cyclic(8), "2x0+2x1+3", 9),
    (groups.Dihedral(4), "2x0e+0o+2x1+2e+2o", 9),
    (groups.Dihedral(1), "2x0e+0o", 9),
    (groups.SO2(), "2x0+2x1+2", 8),
    (groups.O2(), "2x0e+0o+2x1+2", 9),
    (groups.SO3(), "2x0+1+2", 5),
    (groups.O3(), "2x0e+0o+1o+1e+2e", 5),
    (groups.Octahedral(True), "2x1a+1b+2a+3b", 5),
]
pytestmark = pytest.mark.filterwarnings(
    "ignore:kernel_size . carries degrees"
)  # of 3 x 3 and frequency 3; tested by itself
every_case = pytest.mark.parametrize(("group", "text", "size"), CASES, ids=[c[0].name for c in CASES])
COUNTS = {
    "SO2": 4,
    "O2": 8,
    "SO3": 24,
    "O3": 48,
    "Dihedral(1)": 2,
    "Cyclic(4)": 4,
    "Dihedral(4)": 8,
    "Cyclic(8)": 4,
    "Octahedral(inversion=True)": 48,
}


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_exact_under_turns_and_flips(group, text, size, dtype, tolerance):
    rep = group.rep(text)
    assert len(testing.grid_symmetries(group)) == COUNTS[group.name]
    for kernel in (3, 5) if group.vector.dim == 2 else (3,):
        assert (
            testing.grid_equivariance_error(nn.GridConv(rep, rep, kernel), rep, rep, size=size, dtype=dtype) < tolerance
        )
    even = nn.GridConv(rep, rep, 2, padding=0)
    assert testing.grid_equivariance_error(even, rep, rep, size=size, dtype=dtype) < tolerance


def test_convention_is_rot90():
    """+90 degrees is torch.rot90(.., 1, (-2, -1)): x to the right, y up."""
    group = groups.Cyclic(4)
    x = torch.randn(1, 1, 6, 6)
    turned = testing.act_on_grid(group.rep("0"), group.element(np.zeros(0), 1), x)
    assert torch.equal(turned, torch.rot90(x, 1, (-2, -1)))
    flip = groups.O2().element([0.0], 1)
    assert torch.equal(testing.act_on_grid(groups.O2().rep("0e"), flip, x), x.flip(-2))


@every_case
def test_translations(group, text, size):
    rep = group.rep(text)
    f = testing.randomised(nn.GridConv(rep, rep, 3), 0, torch.float64)
    x = torch.zeros(1, rep.dim, *[size + 4] * group.vector.dim, dtype=torch.float64)
    inner = tuple(slice(2, size + 2) for _ in range(group.vector.dim))
    x[(..., *inner)] = torch.randn(1, rep.dim, *[size] * group.vector.dim, dtype=torch.float64)
    shifts = [1, -1, 1][: group.vector.dim]
    axes = tuple(range(2, x.ndim))
    moved = x.roll(shifts, axes)
    bias_free = copy.deepcopy(f)
    with torch.no_grad():
        if bias_free.bias is not None:
            bias_free.bias.zero_()
        assert (bias_free(moved) - bias_free(x).roll(shifts, axes)).abs().max() < 1e-12


def test_finite_group_has_every_kernel():
    """D4 on 5 x 5: 113 over all pairs of irreps is what characters give, (25 * 36 + 1 * 4) / 8."""
    irreps = list(groups.Dihedral(4).irreps())
    assert sum(len(sampled_basis(a, b, 5, None)) for a in irreps for b in irreps) == 113
    counts = [sum(len(sampled_basis(a, b, 5, d)) for a in irreps for b in irreps) for d in range(8)]
    assert counts == sorted(counts)
    assert counts[-1] == 113


@every_case
def test_weights_are_independent(group, text, size):
    rep = group.rep(text)
    f = nn.GridConv(rep, rep, 3).double()
    kernels = torch.stack([_kernel(f, w) for w in torch.eye(f.weight.numel(), dtype=torch.float64)])
    assert torch.linalg.matrix_rank(kernels) == f.weight.numel()


def _kernel(f, w):
    f.weight.data.copy_(w)
    return f.kernel().detach().flatten()


def test_basis_is_kept_for_irreps_not_channels():
    rep = groups.O2().rep("40x0e+40x1")
    f = nn.GridConv(rep, rep, 5)
    assert sum(b.numel() for b in f.buffers()) * 4 < 40_000


def test_eval_keeps_the_kernel_until_the_weights_change():
    rep = groups.O2().rep("0e+1")
    f = nn.GridConv(rep, rep, 3).eval()
    x = torch.randn(1, rep.dim, 7, 7)
    with torch.no_grad():
        first = f(x)
        assert f._kernel() is f._kernel()
        f.weight.mul_(2.0)
        assert torch.allclose(f(x), 2 * first, atol=1e-5)  # the bias is zero
        f.load_state_dict({k: v * 0 for k, v in f.state_dict().items()})
        assert f(x).abs().max() == 0
        assert f.double()(x.double()).dtype == torch.float64


def test_pooling_commutes_with_turns():
    rep = groups.O2().rep("0e+1")
    for size in (8, 9):
        assert testing.grid_equivariance_error(nn.GridPool(), rep, rep, size=size) < 1e-12
    with pytest.raises(ValueError, match="all sizes even or all odd"):
        nn.GridPool()(torch.zeros(1, 1, 4, 5))


@pytest.mark.filterwarnings("ignore")
def test_compiles_without_a_graph_break():
    torch._dynamo.reset()
    rep = groups.SO2().rep("2x0+1")
    f, x = nn.GridConv(rep, rep, 3), torch.randn(1, rep.dim, 6, 6)
    assert torch.allclose(torch.compile(f, fullgraph=True, backend="aot_eager")(x), f(x), atol=1e-5)


@pytest.mark.parametrize(
    ("group", "hidden"), [(groups.SO2(), "2x0+2x1"), (groups.O2(), "2x0e+0o+2x1"), (groups.Dihedral(4), "2x0e+2x1+2e")]
)
def test_harmonic_net_is_invariant(group, hidden):
    net = models.HarmonicNet(group, [hidden, hidden]).eval()
    image = group.rep([(1, group.trivial)])
    scores = group.rep([(10, group.trivial)])
    as_image = torch.nn.Sequential(net, torch.nn.Unflatten(1, (10, 1, 1)))
    for size in (12, 13):
        assert testing.grid_equivariance_error(as_image, image, scores, size=size) < 1e-10
    cnn = torch.nn.Sequential(models.PlainCNN(4).eval(), torch.nn.Unflatten(1, (10, 1, 1)))
    assert testing.grid_equivariance_error(cnn, image, scores, size=12) > 1e-4


def test_rivals_have_the_same_number_of_parameters():
    harmonic = sum(p.numel() for p in models.HarmonicNet(groups.SO2()).parameters())
    plain = sum(p.numel() for p in models.PlainCNN.of_size(harmonic).parameters())
    assert abs(plain / harmonic - 1) < 0.05
