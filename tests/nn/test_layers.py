"""Every layer for every group: equivariant in float64 and float32, as many weights as theory says, compiled, recast."""

import copy

import numpy as np
import pytest
import torch

from eqlib import groups, nn, products, testing

Q8 = groups.Finite([[1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5]], name="Q8")  # on its own elements
CASES = [
    (groups.Cyclic(1), "3x0"),
    (groups.Cyclic(4), "2x0+2x1+2"),
    (groups.Cyclic(5), "2x0+2x1+2"),
    (groups.Dihedral(6), "2x0e+0o+2x1+2+3e"),
    (groups.SO2(), "2x0+2x1+2"),
    (groups.O2(), "2x0e+0o+2x1+2"),
    (groups.SO3(), "2x0+2x1+2"),
    (groups.O3(), "2x0e+0o+2x1o+1e+2e"),
    (groups.Lorentz(), "2x(0,0)+2x(1,1)+(2,0)+(2,2)"),
    (groups.Lorentz(parity=True), "2x(0,0)+(0,0)o+2x(1,1)+(2,0)"),
    (groups.SL2C(), "2x(0,0)+2x(1,0)+(1,1)+(2,0)"),
    (Q8, "2x1a+1c+2x4a"),
    (groups.Symmetric(4), "2x1a+1b+2a+2x3a+3b"),
    (groups.Octahedral(True), "2x1a+1b+2a+2x3b+3c"),
    (groups.Icosahedral(), "2x1a+2x3a+3b+4a+5a"),
    (groups.SU(2), "2x(0)+2x(1)+(2)"),
    (groups.SU(3), "2x(0,0)+2x(1,0)+(1,1)"),
    (groups.Sp(4), "2x(0,0)+2x(1,0)+(0,1)"),
    (groups.G2(), "2x(0,0)+2x(1,0)+(0,1)"),
    (groups.Product(groups.SO2(), groups.SO2()), "2x(0)*(0)+2x(1)*(0)+(1)*(1)+2x(1)*(1)'"),
    (groups.Product(groups.SL2C(), Q8), "2x((0,0))*(1a)+((1,1))*(1c)+2x((1,0))*(4a)"),
]
every_case = pytest.mark.parametrize(("group", "text"), CASES, ids=[g.name for g, _ in CASES])


def layers(rep):
    """(name, module, reps in, rep out)."""
    gate, invariants = nn.Gate(rep), nn.Invariants(rep)
    full = nn.TensorProduct(rep, rep, rep, weights=None)
    norm = nn.BatchNorm(rep)
    norm.running_square.uniform_(0.5, 2.0)
    norm.running_mean.uniform_(-1, 1)
    return [
        ("Linear", nn.Linear(rep, rep), rep, rep),
        ("Gate", gate, gate.rep_in, rep),
        ("NormActivation", nn.NormActivation(rep), rep, rep),
        ("Invariants", invariants, rep, invariants.rep_out),
        ("BatchNorm", norm.eval(), rep, rep),
        ("BatchNorm in training", nn.BatchNorm(rep), rep, rep),
        ("LayerNorm", nn.LayerNorm(rep), rep, rep),
        ("Dropout in eval mode", nn.Dropout(rep).eval(), rep, rep),
        ("TensorProduct", nn.TensorProduct(rep, rep, rep), (rep, rep), rep),
        ("depthwise", nn.TensorProduct(rep, rep, rep, depthwise=True), (rep, rep), rep),
        ("no weights", full, (rep, rep), full.rep_out),
    ]


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equivariant(group, text, dtype, tolerance):
    for name, f, rep_in, rep_out in layers(group.rep(text)):
        error = testing.equivariance_error(f, rep_in, rep_out, dtype=dtype)
        assert error < tolerance, (name, error)


@every_case
def test_weight_counts_leave_no_path_out(group, text):
    rep = group.rep(text)
    linear = nn.Linear(rep, rep)
    assert linear.weight.numel() == sum(m * n * a.endo for m, a in rep.blocks for n, b in rep.blocks if a == b)
    # The same numbers from a null space that knows no formula.
    both = (rep.generators(), rep.discrete())
    assert len(groups.intertwiners(both, both)) == linear.weight.numel()
    product = nn.TensorProduct(rep, rep, rep)
    expected = sum(
        m * n * k * group.tensor_product(a, b).get(c, 0) * c.endo
        for m, a in rep.blocks
        for n, b in rep.blocks
        for k, c in rep.blocks
    )
    assert product.weight_numel == product.weight.numel() == expected


@every_case
def test_linear_weights_are_independent(group, text):
    rep = group.rep(text)
    linear, eye = nn.Linear(rep, rep, bias=False).double(), torch.eye(rep.dim, dtype=torch.float64)
    maps = []
    for w in torch.eye(linear.weight.numel(), dtype=torch.float64):
        linear.weight.data.copy_(w)
        maps.append(linear(eye).flatten())
    assert torch.linalg.matrix_rank(torch.stack(maps)) == linear.weight.numel()


@every_case
def test_product_without_weights_is_an_isometry(group, text):
    rep = group.rep(text)
    products = [c for m, a in rep.blocks for n, b in rep.blocks for c in group.tensor_product(a, b)]
    everything = group.rep([(1, c) for c in dict.fromkeys(products)])
    full = nn.TensorProduct(rep, rep, everything, weights=None).double()
    assert full.rep_out.dim == rep.dim**2
    x, y = torch.randn(2, 4, rep.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    norms = full(x, y).norm(dim=1) / (x.norm(dim=1) * y.norm(dim=1))
    if group.compact:
        assert (norms - 1).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("group", "text"), [(groups.SO2(), "2x0+1"), (groups.Lorentz(), "2x(0,0)+(1,1)")], ids=["SO2", "Lorentz"]
)
@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_compiles_without_a_graph_break_and_exports(group, text):
    torch._dynamo.reset()
    for name, f, rep_in, _ in layers(group.rep(text)):
        reps = rep_in if isinstance(rep_in, tuple) else (rep_in,)
        x = [torch.randn(3, rep.dim) for rep in reps]
        compiled = torch.compile(copy.deepcopy(f), fullgraph=True, backend="aot_eager")
        assert torch.allclose(compiled(*x), f(*x), atol=1e-5), name
        exported = torch.export.export(copy.deepcopy(f).eval(), tuple(x)).module()
        assert torch.allclose(exported(*x), f.eval()(*x), atol=1e-5), name


@every_case
def test_double_after_float32_is_exact(group, text):
    rep = group.rep(text)
    product = nn.TensorProduct(rep, rep, rep).float().double()
    for (i, j, _, _, _), p in zip(product._paths, range(len(product._paths)), strict=True):
        a, b = rep.blocks[i][1], rep.blocks[j][1]
        c = rep.blocks[product._paths[p][2]][1]
        assert np.array_equal(getattr(product, f"cg_{p}").numpy(), group.clebsch_gordan(a, b, c).dense())


@every_case
def test_empty_batches_and_zero_vectors_are_finite(group, text):
    for name, f, rep_in, rep_out in layers(group.rep(text)):
        reps = rep_in if isinstance(rep_in, tuple) else (rep_in,)
        assert f(*(torch.zeros(0, rep.dim) for rep in reps)).shape == (0, rep_out.dim), name
        zeros = [torch.zeros(2, rep.dim, requires_grad=True) for rep in reps]
        out = f(*zeros)
        out.sum().backward()
        assert out.isfinite().all(), name
        assert all(z.grad is None or z.grad.isfinite().all() for z in zeros), name


@pytest.mark.parametrize("engine", products.available())
@every_case
def test_depthwise_is_its_formula(group, text, engine):
    """sum over paths of w x_u CG y, times one over the root of their number, with copies on the right and without."""
    rep = group.rep(text)
    for right in (rep, group.rep([(1, a) for _, a in rep.blocks])):
        f = nn.TensorProduct(rep, right, rep, weights="external", depthwise=True).double()
        x, y = torch.randn(3, 1, rep.dim).double(), torch.randn(4, right.dim).double()
        w = torch.randn(3, 4, f.weight_numel).double()
        first = 0
        with products.using(engine):
            out = f(x, y, w).split([mul * a.dim for mul, a in rep.blocks], -1)
        for found, (mul, c) in zip(out, rep.blocks, strict=True):
            terms, paths = torch.zeros(3, 4, mul, c.dim).double(), 0
            for (u, a), where in zip(rep.blocks, rep.slices, strict=True):
                for (v, b), there in zip(right.blocks, right.slices, strict=True):
                    cg = torch.tensor(group.clebsch_gordan(a, b, c).dense())
                    if u == mul:
                        weights = w[..., first : first + len(cg) * u * v].unflatten(-1, (len(cg), u, v))
                        left, other = x[..., where].unflatten(-1, (u, -1)), y[..., there].unflatten(-1, (v, -1))
                        terms += torch.einsum(
                            "stkuv,stua,tvb,kabc->stuc", weights, left.expand(-1, 4, -1, -1), other, cg
                        )
                        first, paths = first + len(cg) * u * v, paths + len(cg) * v
            assert (found.unflatten(-1, (mul, -1)) - terms / max(1, paths) ** 0.5).abs().max() < 1e-12
        assert first == f.weight_numel


@pytest.mark.parametrize("engine", products.available())
@pytest.mark.parametrize("weights", ["external", None])
def test_products_have_first_and_second_derivatives(engine, weights):
    group = groups.SO3()
    rep, right = group.rep("2x0+2x1+1x2"), group.rep("0+1")
    f = nn.TensorProduct(rep, right, rep, weights=weights, depthwise=weights is not None).double()
    given = [torch.randn(2, n).double().requires_grad_() for n in (rep.dim, right.dim, f.weight_numel) if n]
    with products.using(engine):
        assert torch.autograd.gradcheck(f, given)
        assert torch.autograd.gradgradcheck(f, given)


def test_external_weights():
    group = groups.O3()
    rep = group.rep("2x0e+1o")
    f = nn.TensorProduct(rep, rep, rep, weights="external")
    shared = nn.TensorProduct(rep, rep, rep)
    x, y = torch.randn(2, 5, rep.dim)
    w = shared.weight.detach()
    assert torch.allclose(f(x, y, w.expand(5, -1)), shared(x, y), atol=1e-6)
    with pytest.raises(ValueError, match=r"weights: got .* in forward, expected them exactly where"):
        f(x, y)


def test_batch_norm_normalises():
    rep = groups.O3().rep("2x0e+3x1o")
    norm = nn.BatchNorm(rep).double()
    x = 5 * torch.randn(4000, rep.dim, dtype=torch.float64) + 1
    y = norm(x)
    assert y[:, :2].mean(0).abs().max() < 1e-6
    assert (y[:, :2].var(0) - 1).abs().max() < 1e-2
    assert (y[:, 2:].unflatten(1, (3, 3)).square().mean((0, 2)) - 1).abs().max() < 1e-2


@every_case
def test_layer_norm_normalises_each_row_alone(group, text):
    rep = group.rep(text)
    norm = nn.LayerNorm(rep).double()
    x = 500 * torch.randn(6, rep.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 100
    y = norm(x).detach()
    assert torch.allclose(norm(x[2:3]), y[2:3])
    for (mul, a), where in zip(rep.blocks, rep.slices, strict=True):
        if a.is_trivial and mul == 1:
            assert torch.equal(y[:, where], x[:, where])
        elif group.compact:
            assert (y[:, where].square().mean(1) - 1).abs().max() < 1e-4
        if a.is_trivial and mul > 1:
            assert y[:, where].mean(1).abs().max() < 1e-6


def test_layer_norm_leaves_a_single_scalar_alone():
    """Its mean over the copies is itself: without the exception it would always be zero."""
    rep = groups.O3().rep("0e+2x1o")
    x = torch.randn(5, rep.dim)
    assert torch.equal(nn.LayerNorm(rep)(x)[:, :1], x[:, :1])


def test_batch_norm_remembers_what_it_saw():
    """In eval mode, after many equal batches, it does what it did in training."""
    rep = groups.O3().rep("2x0e+3x1o")
    norm, x = nn.BatchNorm(rep).double(), 5 * torch.randn(40, rep.dim, dtype=torch.float64) + 1
    for _ in range(300):
        trained = norm(x)
    assert (norm.eval()(x) - trained).abs().max() < 1e-9


def test_dropout_takes_whole_copies_and_keeps_the_mean():
    rep = groups.O3().rep("2x0e+3x1o+1x2e")
    x = torch.ones(4000, rep.dim)
    y = nn.Dropout(rep, 0.25)(x)
    assert y.unique().tolist() == pytest.approx([0.0, 4 / 3], rel=1e-6)
    for (mul, a), where in zip(rep.blocks, rep.slices, strict=True):
        copies = y[:, where].unflatten(1, (mul, a.dim))
        assert torch.equal(copies, copies[..., :1].expand_as(copies))
    assert abs(float(y.mean()) - 1) < 0.02
    image = nn.Dropout(rep, 0.5, axis=1)(torch.ones(100, rep.dim, 4, 5))
    assert torch.equal(image, image[..., :1, :1].expand_as(image))
    assert len(image.flatten(1).unique(dim=0)) > 40  # of the 64 that six copies make: each image has its own
    with pytest.raises(ValueError, match="expected a probability below 1"):
        nn.Dropout(rep, 1.0)


RESTRICTIONS = [
    (groups.O2(), "2x0e+0o+2x1+3x2", groups.SO2()),
    (groups.O2(), "2x0e+0o+2x1+3x4", groups.Dihedral(4)),
    (groups.O3(), "2x0e+1o+2x2e", groups.Octahedral(True)),
    (groups.SO3(), "2x0+1+2x2", groups.Icosahedral()),
]


@pytest.mark.parametrize(("group", "text", "sub"), RESTRICTIONS, ids=[f"{g} to {h}" for g, _, h in RESTRICTIONS])
def test_restrict_commutes_with_the_subgroup(group, text, sub):
    rep = group.rep(text)
    for axis in (-1, 1):
        layer = nn.Restrict(rep, sub, axis=axis).double()
        assert len({a for _, a in layer.rep_out.blocks}) == len(layer.rep_out.blocks)
        h = sub.sample(5, seed=3)
        in_group = group.from_matrix(sub.matrix(h))
        x = torch.randn(5, rep.dim, dtype=torch.float64)
        moved = torch.einsum("nij,nj->ni", torch.tensor(rep(in_group)), x)
        expected = torch.einsum("nij,nj->ni", torch.tensor(layer.rep_out(h)), layer(x))
        assert (layer(moved) - expected).abs().max() < 1e-12
        assert (layer(x).norm(dim=1) - x.norm(dim=1)).abs().max() < 1e-12
    with pytest.raises(ValueError, match=r"subgroup|not in"):
        nn.Restrict(sub.rep([(1, sub.trivial)]), group)


def test_feature_axis_may_stand_anywhere():
    rep = groups.SO2().rep("2x0+2x1")
    x = torch.randn(3, rep.dim, 4, 5)
    for make in (nn.NormActivation, nn.Invariants, nn.BatchNorm, nn.LayerNorm):
        assert torch.allclose(make(rep, axis=1)(x), make(rep)(x.movedim(1, -1)).movedim(-1, 1), atol=1e-6)


def test_the_measure_itself_finds_what_is_broken():
    rep = groups.O3().rep("2x0e+2x1o")
    assert testing.equivariance_error(torch.relu, rep, rep) > 0.1
    linear = nn.Linear(rep, rep)
    assert testing.equivariance_error(lambda x: linear.double()(x) + 0.01 * x.flip(-1), rep, rep) > 1e-3
    with pytest.raises(AssertionError, match="not equivariant"):
        testing.assert_equivariant(torch.relu, rep, rep)
    with pytest.raises(ValueError, match="zero"):
        testing.equivariance_error(lambda x: 0 * x, rep, rep)
    with pytest.raises(ValueError, match="does not vary"):
        testing.equivariance_error(lambda x: torch.ones_like(x), rep, rep)


def test_layers_show_their_reps():
    O2 = groups.O2()
    gate = nn.Gate(O2.rep("4x0e+2x1"), axis=1)
    shown = {
        nn.GridConv(O2.rep("0e"), gate.rep_in, 5): "GridConv(O2: 1x0e -> 4x0e+2x1+2x0e)",
        gate: "Gate(O2: 4x0e+2x1+2x0e -> 4x0e+2x1, axis=1)",
        nn.BatchNorm(gate.rep): "BatchNorm(O2: 4x0e+2x1, axis=-1)",
        nn.Dropout(gate.rep): "Dropout(O2: 4x0e+2x1, axis=-1)",
        nn.Linear(gate.rep, gate.rep, axis=1): "Linear(O2: 4x0e+2x1 -> 4x0e+2x1, axis=1)",
        nn.Restrict(gate.rep, groups.SO2()): "Restrict(O2: 4x0e+2x1 -> SO2: 4x0+2x1, axis=-1)",
        nn.GridPool(): "GridPool()",
        nn.GridPool(gate.rep): "GridPool(O2: 4x0e+2x1 -> 4x0e+2x1)",
        nn.GroupPool(O2.rep("0e+0o+2x1")): "GroupPool(O2: 1x0e+1x0o+2x1 -> 1x0e, axis=-1)",
    }
    assert {layer: repr(layer) for layer in shown} == shown
    assert "O2: 4x0e+2x1, 1x1 -> 1x0e\n" in repr(nn.TensorProduct(gate.rep, O2.rep("1"), O2.rep("0e")))
    assert "PointConv(\n  O2: 1x0e -> 1x1\n" in repr(nn.PointConv(O2.rep("0e"), O2.rep("1"), 1, None))
