"""PointConv: one class for the plane, for space and for space-time, equal to the plain sum over its kernel."""

import copy

import numpy as np
import pytest
import torch

from eqlib import graphs, groups, kernels, nn, testing

CASES = [
    (groups.Dihedral(4), "2x0e+0o+2x1+2e", 3),
    (groups.SO2(), "2x0+2x1+2", 3),
    (groups.O2(), "2x0e+0o+2x1+2", 3),
    (groups.SO3(), "2x0+2x1+2", 3),
    (groups.O3(), "2x0e+0o+2x1o+1e+2e", 3),
    (groups.Lorentz(), "2x(0,0)+2x(1,1)+(2,0)", 2),
    (groups.Lorentz(parity=True), "2x(0,0)+(0,0)o+2x(1,1)", 2),
    (groups.SL2C(), "2x(0,0)+2x(1,0)+(1,1)", 2),
    (groups.Icosahedral(), "2x1a+2x3a+5a", 3),
    (groups.Finite([[[0, 0, 1], [1, 0, 0], [0, 1, 0]]], name="C3 about (1, 1, 1)"), "2x1a+2x2a", 3),
]
every_case = pytest.mark.parametrize(("group", "text", "degree"), CASES, ids=[c[0].name for c in CASES])


def scales(group):
    """mu = 0 wherever all vectors have a length."""
    return (0.0, 1.0) if group.compact else (1.0,)


def profile(number=3):
    """Radial functions of q of either sign, without a cut-off that would leave edges out."""
    return kernels.Logarithmic(number, 1.0, 3.0)


class Bodies(torch.nn.Module):
    """A layer as a function of features (..., 4, dim) and positions (..., 4, v): every four points are a body."""

    def __init__(self, layer, external=False):
        super().__init__()
        self.layer, self.external = layer, external

    def forward(self, x, positions):
        edges = graphs.complete_graph([4] * (x.numel() // x.shape[-1] // 4), loops=True)
        weights = []
        if self.external:
            generator = torch.Generator().manual_seed(0)
            weights = [torch.randn(edges.shape[1], self.layer.weight_numel, generator=generator).to(x)]
        out = self.layer(x.flatten(0, -2), positions.flatten(0, -2), edges, *weights)
        return out.unflatten(0, x.shape[:-1])


def cloud(rep, n=9, seed=0, dtype=torch.float64):
    """Random features and positions of n points, all edges, loops included."""
    rng = np.random.default_rng(seed)
    x, positions = rng.normal(size=(n, rep.dim)), rng.normal(size=(n, rep.group.vector.dim))
    return torch.tensor(x, dtype=dtype), torch.tensor(positions, dtype=dtype), graphs.complete_graph([n], loops=True)


def randomised(layer, dtype=torch.float64):
    return testing.randomised(layer, 0, dtype)


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_equivariant(group, text, degree, dtype, tolerance):
    rep = group.rep(text)
    for mu in scales(group):
        for options in ({}, {"depthwise": True}, {"radial": None}):
            layer = nn.PointConv(rep, rep, degree, **{"radial": profile(), "mu": mu} | options)
            f = Bodies(layer, external=layer.radial is None)
            error = testing.equivariance_error(f, [rep, group.vector], rep, dtype=dtype)
            assert error < tolerance, (mu, options, error)


@every_case
def test_translations_and_permutations(group, text, degree):
    rep = group.rep(text)
    x, positions, edges = cloud(rep)
    order, where = torch.randperm(9, generator=torch.Generator().manual_seed(0)), torch.empty(9, dtype=torch.int64)
    where[order] = torch.arange(9)
    for mu in scales(group):
        f = randomised(nn.PointConv(rep, rep, degree, profile(), mu=mu))
        y = f(x, positions, edges)
        assert y.abs().max() > 0.1
        assert torch.allclose(f(x, positions + 3.0, edges), y, atol=1e-12)
        assert torch.allclose(f(x[order], positions[order], where[edges]), y[order], atol=1e-12)
        assert torch.allclose(f(x, positions, edges.flip(1)), y, atol=1e-12)


@every_case
def test_is_the_plain_sum_over_the_kernel(group, text, degree):
    rep = group.rep(text)
    other = group.rep([(3, rep.blocks[1][1]), (2, rep.blocks[0][1]), (1, rep.blocks[0][1])])
    x, positions, edges = cloud(rep)
    r = positions[edges[0]] - positions[edges[1]]
    for mu in scales(group):
        f = randomised(nn.PointConv(rep, other, degree, profile(), mu=mu, neighbours=9.0))
        assert f.weight.shape == (f.kernel.basis_size, 3)
        weights = f.radial(torch.einsum("ei,ij,ej->e", r, _form(group), r)) @ f.weight.T
        plain = torch.einsum("eij,ej->ei", f.kernel(r, weights), x[edges[0]])
        plain = torch.zeros(9, other.dim, dtype=x.dtype).index_add(0, edges[1], plain) / 3
        size = plain.abs().max()
        assert (f(x, positions, edges) - plain).abs().max() < 1e-12 * size
        external = nn.PointConv(rep, other, degree, None, mu=mu, neighbours=9.0).double()
        assert external.weight_numel == f.kernel.basis_size
        assert (external(x, positions, edges, weights) - plain).abs().max() < 1e-12 * size


def _form(group):
    """The invariant square in components of group.vector."""
    q = torch.tensor(group.ambient.coordinates @ group.coordinates.T)
    return q.T @ torch.tensor(group.metric) @ q


@every_case
def test_depthwise_is_the_diagonal_of_the_whole(group, text, degree):
    rep = group.rep(text)
    x, positions, edges = cloud(rep)
    narrow = randomised(nn.PointConv(rep, rep, degree, profile(), mu=1.0, depthwise=True))
    full = nn.PointConv(rep, rep, degree, profile(), mu=1.0).double()
    weights, a, b = torch.zeros_like(full.weight), 0, 0
    for m, out in rep.blocks:
        for mul, c in rep.blocks:
            n = sum(len(_elements(c, out, j)) for j in range(degree + 1))
            block = weights[a : a + m * mul * n].view(m, mul, n, 3)
            a += m * mul * n
            if m == mul:
                for u in range(m):
                    block[u, u] = narrow.weight.detach()[b : b + n]
                    b += n
    assert b == narrow.weight_numel < full.weight_numel == a
    full.weight.data = weights
    assert (narrow(x, positions, edges) - full(x, positions, edges)).abs().max() < 1e-12


def _elements(a, b, degree):
    from eqlib.kernels import angular_basis

    return angular_basis(a, b, degree)


def test_weight_counts_leave_no_path_out():
    """Numbers of elements from the Clebsch-Gordan series, with what parity forbids: 0e -> 1e has none, 1e -> 1e has two."""
    table = {
        groups.O3(): "0e 0e 1, 0e 1e 0, 0e 2e 1, 1o 1o 2, 1o 1e 1, 2e 2e 3",
        groups.SO3(): "0 1 1, 1 1 3, 2 1 3",
        groups.O2(): "0e 1 1, 1 1 2",
        groups.SO2(): "0 2 2, 1 1 4",
        groups.Lorentz(): "(0,0) (1,1) 1, (0,0) (2,0) 0, (1,1) (1,1) 2, (2,0) (1,1) 2",
        groups.Lorentz(parity=True): "(2,0) (1,1) 1, (0,0) (1,1) 1, (0,0) (1,1)o 0",
    }
    for group, a, b, n in [(group, *row.split()) for group, rows in table.items() for row in rows.split(", ")]:
        number = int(n)
        f = nn.PointConv(group.rep([(3, a)]), group.rep([(2, b)]), 4, profile(5), mu=1.0)
        assert f.weight.shape == (6 * number, 5), (group, a, b)
        assert f.weight_numel == f.kernel.basis_size == 6 * number
        wide = nn.PointConv(group.rep([(3, a)]), group.rep([(3, b)]), 4, profile(5), mu=1.0, depthwise=True)
        assert wide.weight_numel == 3 * number
        assert nn.PointConv(group.rep([(3, a)]), group.rep([(2, b)]), 4, None, mu=1.0, depthwise=True).weight_numel == 0


def test_weights_are_independent():
    rep = groups.O3().rep("0e+1o+2e")
    x, positions, edges = cloud(rep)
    f = nn.PointConv(rep, rep, 4, profile(2)).double()
    outputs = []
    for w in torch.eye(f.weight.numel(), dtype=torch.float64):
        f.weight.data = w.view_as(f.weight)
        outputs.append(f(x, positions, edges).detach().flatten())
    assert torch.linalg.matrix_rank(torch.stack(outputs)) == f.weight.numel()


def test_never_holds_a_kernel_for_each_edge():
    """Of all tensors made on the way none has an entry for each edge, input channel and output channel."""
    rep = groups.O3().rep("16x0e+16x1o")
    x, positions, edges = cloud(rep, 40, dtype=torch.float32)
    f, largest = nn.PointConv(rep, rep, 1, profile(4)), 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            largest = max(largest, out.numel() if isinstance(out, torch.Tensor) else 0)
            return out

    with Watch():
        f(x, positions, edges)
    assert 0 < largest < edges.shape[1] * rep.dim**2 / 4


@every_case
def test_initial_weights_keep_the_variance(group, text, degree):
    """To a factor of three, averaged over weights; boosts make sizes vary more, so the compact groups are asked."""
    if not group.compact:
        return
    rep = group.rep(text)
    squares = []
    for seed in range(8):
        torch.manual_seed(seed)
        f = nn.PointConv(rep, rep, degree, kernels.Gaussians(8, 6.0), neighbours=30.0).double()
        x, positions, edges = cloud(rep, 30, seed)
        squares.append(f(x, positions, edges).detach().square().mean())
    assert 1 / 3 < torch.stack(squares).mean() < 3


@every_case
def test_few_points_and_none(group, text, degree):
    rep = group.rep(text)
    v = group.vector.dim
    none = torch.zeros(2, 0, dtype=torch.int64)
    for mu in scales(group):
        for options in ({}, {"depthwise": True}):
            f = nn.PointConv(rep, rep, degree, profile(), mu=mu, **options)
            assert f(torch.zeros(0, rep.dim), torch.zeros(0, v), none).shape == (0, rep.dim)
            assert torch.equal(f(torch.ones(3, rep.dim), torch.ones(3, v), none), torch.zeros(3, rep.dim))
            one = f(torch.ones(1, rep.dim), torch.ones(1, v), torch.zeros(2, 1, dtype=torch.int64))
            assert one.isfinite().all() and one.abs().max() > 0


@every_case
def test_gradients_are_finite_where_points_coincide(group, text, degree):
    rep = group.rep(text)
    for basis in (
        profile(),
        kernels.Bessel(3, 2.0),
        kernels.Gaussians(3, 2.0),
        kernels.RadialMLP(kernels.Bessel(3, 2.0), 4, 3),
    ):
        for mu in scales(group):
            f = nn.PointConv(rep, rep, degree, basis, mu=mu)
            x, positions, edges = cloud(rep, 4, dtype=torch.float32)
            positions[0] = 0
            positions[1] = positions[0]
            positions[2] = 1e-21
            positions.requires_grad_()
            y = f(x, positions, edges)
            y.square().sum().backward()
            assert y.isfinite().all() and positions.grad.isfinite().all()
            assert all(p.grad.isfinite().all() for p in f.parameters())


def test_gradients_are_those_of_the_function():
    for group, text, degree in CASES[3:7:2]:
        rep = group.rep(text)
        x, positions, edges = cloud(rep, 3)
        f = randomised(nn.PointConv(rep, rep, degree, kernels.Gaussians(3, 4.0), mu=1.0))
        inputs = (x.requires_grad_(), positions.requires_grad_())
        assert torch.autograd.gradcheck(lambda x, p, f=f, edges=edges: f(x, p, edges), inputs, atol=1e-6)


@every_case
def test_double_after_float32_is_exact(group, text, degree):
    rep = group.rep(text)
    f = nn.PointConv(rep, rep, degree, kernels.Bessel(3, 2.0), mu=1.0)
    with _default(torch.float64):
        g = nn.PointConv(rep, rep, degree, kernels.Bessel(3, 2.0), mu=1.0)
    g.load_state_dict(f.double().state_dict())
    x, positions, edges = cloud(rep)
    assert torch.equal(f(x, positions, edges), g(x, positions, edges))


class _default:
    def __init__(self, dtype):
        self.dtype, self.before = dtype, torch.get_default_dtype()

    def __enter__(self):
        torch.set_default_dtype(self.dtype)

    def __exit__(self, *_):
        torch.set_default_dtype(self.before)


def test_differences_are_taken_before_the_cast():
    """Positions in float64, features in float32: far from the origin nothing is lost."""
    rep = groups.O3().rep("2x0e+1o")
    f = nn.PointConv(rep, rep, 2, profile())
    x, positions, edges = cloud(rep)
    x = x.float()
    far = f(x, positions + 1e6, edges)
    assert far.dtype == torch.float32
    assert torch.allclose(far, f(x, positions, edges), atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
@pytest.mark.parametrize(
    ("rep", "depthwise"),
    [(groups.O3().rep("2x0e+0o+2x1o"), False), (groups.Lorentz().rep("2x(0,0)+2x(1,1)+(2,0)"), True)],
    ids=["O3", "Lorentz-depthwise"],
)
def test_compiles_and_exports(rep, depthwise):
    torch._dynamo.reset()
    f = nn.PointConv(rep, rep, 1, kernels.RadialMLP(kernels.Gaussians(4, 3.0), 8, 3), mu=1.0, depthwise=depthwise)
    inputs = cloud(rep, dtype=torch.float32)
    compiled = torch.compile(copy.deepcopy(f), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(*inputs), f(*inputs), atol=1e-4)
    points, pairs = torch.export.Dim("points", min=2, max=1000), torch.export.Dim("pairs", min=2, max=10**6)
    exported = torch.export.export(f, inputs, dynamic_shapes=({0: points}, {0: points}, {1: pairs})).module()
    for other in (inputs, cloud(rep, 5, dtype=torch.float32)):
        assert torch.allclose(exported(*other), f(*other), atol=1e-4)


def test_agrees_with_e3nn():
    """The uvw convolution of e3nn's tutorials, whose numbers differ from ours by factors for each path."""
    from e3nn import o3

    group = groups.O3()
    rep = group.rep("2x0e+2x1o")
    x, positions, edges = cloud(rep)
    edges = edges[:, edges[0] != edges[1]]
    f = randomised(nn.PointConv(rep, rep, 2, profile(4)))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        product = o3.FullyConnectedTensorProduct(
            str(rep), "1x0e+1x1o+1x2e", str(rep), shared_weights=False, internal_weights=False,
            irrep_normalization="none", path_normalization="none",
        )  # fmt: skip
        r = positions[edges[0]] - positions[edges[1]]
        y = o3.spherical_harmonics([0, 1, 2], r, True, normalization="norm")
        weights = f.radial(r.square().sum(1)) @ f.weight.T
        # Ours: output, input, (out, in, element); theirs: a path in their order, (in, 1, out). wigner_3j has norm 1.
        ours, start = {}, 0
        for i, (m, b) in enumerate(rep.blocks):
            for j, (mul, a) in enumerate(rep.blocks):
                degrees = [d for d in range(3) for _ in range(len(_elements(a, b, d)))]
                block = weights[:, start : start + m * mul * len(degrees)].view(-1, m, mul, len(degrees))
                start += m * mul * len(degrees)
                ours |= {(j, d, i): block[..., n].transpose(1, 2) * b.dim**0.5 for n, d in enumerate(degrees)}
        theirs = torch.cat([ours[p.i_in1, p.i_in2, p.i_out].flatten(1) for p in product.instructions], dim=1)
        messages = product(x[edges[0]], y, theirs)
    finally:
        torch.set_default_dtype(before)
    expected = torch.zeros_like(x).index_add(0, edges[1], messages)
    assert (f(x, positions, edges) - expected).abs().max() < 1e-10 * expected.abs().max()
