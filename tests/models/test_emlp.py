"""EquivariantMLP for every group: equivariant, with as many weights as Schur's lemma leaves, not polynomial, compiled."""

import copy

import pytest
import torch

from eqlib import groups, models, nn, testing
from eqlib.models.emlp import Product

CASES = [
    (groups.Cyclic(4), "2x1", "2+0"),
    (groups.Dihedral(6), "2x1+0o", "2+0e"),
    (groups.SO2(), "2x1", "2+0"),
    (groups.O2(), "2x1+0o", "2+0e"),
    (groups.SO3(), "2x1", "2+0"),
    (groups.O3(), "2x0e+2x1o", "0e+1e+2e"),
    (groups.Lorentz(), "2x(1,1)", "(0,0)+(2,0)"),
    (groups.Lorentz(parity=True), "2x(1,1)", "(0,0)+(2,0)"),
    (groups.SL2C(), "2x(1,0)", "(1,1)+(0,0)"),
]
every_case = pytest.mark.parametrize(("group", "before", "after"), CASES, ids=[g.name for g, *_ in CASES])


def network(group, before, after, **options):
    rep_in, rep_out = group.rep(before), group.rep(after)
    return models.EquivariantMLP(rep_in, models.hidden_rep(rep_in, rep_out, 60, 6), rep_out, **options)


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_equivariant(group, before, after, dtype, tolerance):
    """Weights and biases drawn anew by the measure, which refuses an output that is zero or does not vary."""
    net = network(group, before, after, products=3)
    testing.assert_equivariant(net, net.rep_in, net.rep_out, tolerance=tolerance, dtype=dtype)


@every_case
def test_every_output_answers_to_every_input(group, before, after):
    """No entry of the Jacobian is zero and every weight matters; and the function is no polynomial of degree 8."""
    torch.manual_seed(0)
    net = network(group, before, after, products=3).double()
    x = torch.randn(16, net.rep_in.dim, dtype=torch.float64)
    slopes = torch.func.vmap(torch.func.jacrev(net))(x)
    assert slopes.abs().amax(0).min() > 1e-6
    net(x).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.norm() > 1e-9] == []
    # The tenth difference of a polynomial of degree 8 is zero.
    steps = torch.linspace(-3, 3, 11, dtype=torch.float64)[:, None] * x[:1]
    with torch.no_grad():
        differences = net(steps)
    scale = differences.abs().max()
    for _ in range(10):
        differences = differences.diff(dim=0)
    assert differences.abs().max() > 1e-9 * scale


@every_case
def test_parameters(group, before, after):
    """Counted from multiplicities alone: Hom(a, b) has sum m n endo weights, and a bias stands only on trivial copies."""
    layers, number = 2, 3
    net = network(group, before, after, layers=layers, products=number)
    hidden = net.gates[0].rep
    tensors = sum(mul for mul, a in hidden.blocks if not a.is_trivial)
    gated = hidden + group.rep([(tensors, group.trivial)])

    def maps(a, b):
        return sum(m * n * x.endo for m, x in a.blocks for n, y in b.blocks if x == y)

    irreps = [a for _, a in hidden.blocks]
    many = group.rep([(number, a) for a in irreps])
    found = [(number * group.tensor_product(a, b).get(c, 0), c) for a in irreps for b in irreps for c in irreps]
    product = 2 * maps(gated, many) + maps(group.rep(found), gated)
    scalars = hidden.multiplicity(group.trivial) + tensors
    expected = maps(net.rep_in, gated) + maps(hidden, gated) + 2 * (scalars + product)
    expected += layers * maps(hidden, net.rep_out) + net.rep_out.multiplicity(group.trivial)
    assert sum(p.numel() for p in net.parameters()) == expected


@every_case
def test_products_reach_every_quadratic_map(group, before, after):
    """Over random weights they span what `TensorProduct` with a weight for every path spans, no more and no less."""
    rep = group.rep([(1, a) for a in dict.fromkeys(a for text in (before, after) for _, a in group.rep(text).blocks)])
    full = nn.TensorProduct(rep, rep, rep).double()
    x = torch.randn(60, rep.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected, found = [], []
    with torch.no_grad():
        for weights in torch.eye(full.weight_numel, dtype=torch.float64):
            full.weight.copy_(weights)
            expected.append(full(x, x).flatten())
        for seed in range(full.weight_numel):
            torch.manual_seed(seed)
            f = Product(rep, 2).double()
            found.append(f(x).flatten())
            assert torch.allclose(f(-2 * x).flatten(), 4 * found[-1], atol=1e-10)
    rank = torch.linalg.matrix_rank(torch.stack(expected), rtol=1e-9)
    assert torch.linalg.matrix_rank(torch.stack(found), rtol=1e-9) == rank
    assert torch.linalg.matrix_rank(torch.stack(expected + found), rtol=1e-9) == rank


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
@pytest.mark.parametrize(("group", "before", "after"), [CASES[2], CASES[7]], ids=["SO2", "Lorentz"])
def test_compiles_without_a_graph_break(group, before, after):
    torch._dynamo.reset()
    net = network(group, before, after, layers=1, products=2)
    x = torch.randn(3, net.rep_in.dim)
    compiled = torch.compile(copy.deepcopy(net), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), net(x), atol=1e-4)


def test_hidden_rep():
    """Every irrep gets an equal share of the dimension; products are left out above `max_dim`, inputs and outputs never."""
    group = groups.O3()
    points, tensor = group.rep("5x0e+5x1o"), group.rep("0e+1e+2e")
    assert str(models.hidden_rep(points, tensor, 384)) == "96x0e+32x1o+32x1e+19x2e"
    assert str(models.hidden_rep(group.rep("3o"), group.rep("0o"), 60, max_dim=4)) == "15x0e+15x0o+5x1e+2x3o"
    lorentz = groups.Lorentz(parity=True)
    found = models.hidden_rep(lorentz.rep("4x(1,1)"), lorentz.rep("(0,0)"), 384)
    assert str(found) == "96x(0,0)e+24x(1,1)e+16x(2,0)+10x(2,2)e"
