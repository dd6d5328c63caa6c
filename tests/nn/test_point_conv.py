"""PointConv: one class for the plane, for space and for space-time, equal to the plain sum over its kernel."""

import copy

import numpy as np
import pytest
import torch

from eqlib import graphs, groups, harmonics, kernels, nn, products, testing

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
every_engine = pytest.mark.parametrize("engine", products.available())
TURNING = [case for case in CASES if case[0].alignment]
every_turning = pytest.mark.parametrize(("group", "text", "degree"), TURNING, ids=[c[0].name for c in TURNING])


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
@every_engine
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_equivariant(group, text, degree, engine, dtype, tolerance):
    rep = group.rep(text)
    for mu in scales(group):
        turned = [{"depthwise": True, "aligned": True}] if group.alignment and mu == 0 else []
        for options in ({}, {"depthwise": True, "aligned": False}, {"radial": None}, *turned):
            layer = nn.PointConv(rep, rep, degree, **{"radial": profile(), "mu": mu} | options)
            f = Bodies(layer, external=layer.radial is None)
            with products.using(engine):
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
@every_engine
def test_is_the_plain_sum_over_the_kernel(group, text, degree, engine):
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
        external = nn.PointConv(rep, other, degree, None, mu=mu, neighbours=9.0).double()
        assert external.weight_numel == f.kernel.basis_size
        with products.using(engine):
            assert (f(x, positions, edges) - plain).abs().max() < 1e-12 * size
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
                    block[u, u] = narrow.weight.detach()[b + u : b + n * m : m]
                b += n * m
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
@every_engine
def test_gradients_are_finite_where_points_coincide(group, text, degree, engine):
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
            with products.using(engine):
                y = f(x, positions, edges)
                y.square().sum().backward()
            assert y.isfinite().all() and positions.grad.isfinite().all()
            assert all(p.grad.isfinite().all() for p in f.parameters())


@every_engine
def test_gradients_are_those_of_the_function(engine):
    for group, text, degree in CASES[3:7:2]:
        rep = group.rep(text)
        x, positions, edges = cloud(rep, 3)
        f = randomised(nn.PointConv(rep, rep, degree, kernels.Gaussians(3, 4.0), mu=1.0))
        inputs = (x.requires_grad_(), positions.requires_grad_())
        with products.using(engine):
            quick = engine == "torch"
            assert torch.autograd.gradcheck(
                lambda x, p, f=f, edges=edges: f(x, p, edges), inputs, atol=1e-6, fast_mode=quick
            )


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


# Between two frames, and from edges that say more than positions do ---------------------------------------------------------


def axis(group):
    return torch.tensor(group.coordinates @ group.ambient.coordinates.T @ group.ambient.axis)


def hard_edges(group, loops=False, seed=0):
    """Generic vectors, both poles of the axis, a half turn of each, close to a pole; from 4 points to 3 others."""
    v, pole = group.vector.dim, axis(group)
    some = torch.tensor(np.random.default_rng(seed).normal(size=(5, v)))
    vectors = torch.cat(
        [some, -some[:1], pole[None], -2 * pole[None], pole[None] + 1e-9 * some[:1], torch.eye(v).double()]
    )
    if loops:
        vectors = torch.cat([vectors, torch.zeros(2, v).double(), torch.full((1, v), 1e-200).double()])
    e = torch.arange(len(vectors))
    return graphs.Edges(e % 4, (e * e) % 3, vectors, 4)


def pair(rep, degree, edges):
    """The same layer with harmonics of each edge and between frames; features and weights for both."""
    layers = [nn.PointConv(rep, rep, degree, None, depthwise=True, aligned=on).double() for on in (False, True)]
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(4, rep.dim, generator=rng, dtype=torch.float64)
    return *layers, x, torch.randn(len(edges), layers[0].weight_numel, generator=rng, dtype=torch.float64)


def derivatives(layer, edges, x, weights, orders):
    """The value and random combinations of derivatives with respect to features, vectors and weights."""
    places = [v.detach().clone().requires_grad_() for v in (x, edges.vectors, weights)]
    rng = torch.Generator().manual_seed(1)
    found = [layer(places[0], graphs.Edges(edges.source, edges.target, places[1], edges.targets), places[2])]
    total = (found[0] * torch.randn(found[0].shape, generator=rng, dtype=torch.float64)).sum()
    for _ in range(orders):
        some = torch.autograd.grad(total, places, create_graph=True)
        found += some
        total = sum((v * torch.randn(v.shape, generator=rng, dtype=torch.float64)).sum() for v in some)
    return [v.detach() for v in found]


@every_turning
@every_engine
def test_aligned_is_the_same_function_with_three_derivatives(group, text, degree, engine):
    """At generic edges, at the poles, and at half turns of each other."""
    edges = hard_edges(group)
    plain, turned, x, weights = pair(group.rep(text), degree, edges)
    with products.using(engine):
        found = derivatives(turned, edges, x, weights, 3)
        expected = derivatives(plain, edges, x, weights, 3)
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert theirs.abs().max() > 0.1
        assert (ours - theirs).abs().max() < 1e-12 * theirs.abs().max(), number


@every_turning
@every_engine
def test_aligned_where_points_coincide(group, text, degree, engine):
    """r = 0 has no direction: the same values, gradients to features and weights too; that to r is finite, and 0 there."""
    edges = hard_edges(group, loops=True)
    plain, turned, x, weights = pair(group.rep(text), degree, edges)
    with products.using(engine):
        found = derivatives(turned, edges, x, weights, 2)
        expected = derivatives(plain, edges, x, weights, 1)
    assert all(v.isfinite().all() for v in (*found, *expected))
    for place in (0, 1, 3):
        assert (found[place] - expected[place]).abs().max() < 1e-12 * expected[place].abs().max()
    assert (found[2][:-3] - expected[2][:-3]).abs().max() < 1e-12 * expected[2].abs().max()
    assert not found[2][-3:].any()


def test_aligned_by_count_of_products():
    """None takes what is cheaper: frames at high degrees, harmonics where a vector is only scaled."""
    group = groups.O3()
    wide = group.rep([(8, f"{l}{'eo'[l % 2]}") for l in range(5)])

    def chosen(rep, degree, **options):
        parts = nn.PointConv(rep, rep, degree, None, depthwise=True, **options)._parts
        return [part.frames is not None for part in parts]

    assert chosen(wide, 4) == [True]
    assert chosen(wide, 4, aligned=False) == chosen(wide, 4, mu=1.0) == [False]
    vector = group.rep("1o")
    costs = [
        nn.PointConv(vector, vector, 0, None, depthwise=True, aligned=on)._parts[0].map.cost for on in (False, True)
    ]
    assert costs[0] < costs[1]
    assert chosen(vector, 0) == [False]
    assert chosen(vector, 0, aligned=True) == [True]


@every_engine
@pytest.mark.parametrize("aligned", [False, True])
def test_forces_and_their_gradients_at_the_poles(engine, aligned):
    """A chain along the axis, and a bent one: minus the numerical gradient to 1e-6, and right in the second order."""
    group = groups.O3()
    rep = group.rep("2x0e+2x1o")
    f = randomised(nn.PointConv(rep, rep, 2, kernels.Gaussians(3, 4.0), depthwise=True, aligned=aligned))
    x, edges = cloud(rep, 3)[0], graphs.complete_graph([3])
    chain = torch.tensor([0.0, 1.0, 2.5]).double()[:, None] * axis(group)
    bent = chain + torch.tensor([[0.0, 0, 0], [0, 0, 0], [0.7, 0, -0.4]]).double()

    def energy(positions):
        return f(f(x, positions, edges), positions, edges).square().sum()

    with products.using(engine):
        for positions in (chain, bent):
            positions = positions.clone().requires_grad_()
            (slope,) = torch.autograd.grad(energy(positions), positions)
            steps = 1e-4 * torch.eye(9, dtype=torch.float64).view(9, 3, 3)
            with torch.no_grad():
                numerical = torch.stack([energy(positions + h) - energy(positions - h) for h in steps]) / 2e-4
            assert (slope.flatten() - numerical).abs().max() < 1e-6 * slope.abs().max()
            assert torch.autograd.gradgradcheck(energy, positions, fast_mode=True)


@every_engine
@pytest.mark.parametrize("options", [{}, {"depthwise": True}, {"depthwise": True, "aligned": True}], ids=str)
def test_a_block_that_no_path_leaves_has_gradient_zero(engine, options):
    rep, out = groups.O3().rep("2x0e+2x3o"), groups.O3().rep("2x0e")
    f = randomised(nn.PointConv(rep, out, 1, profile(), **options))
    x, positions, edges = cloud(rep)
    with products.using(engine):
        (gradient,) = torch.autograd.grad(f(x.requires_grad_(), positions, edges).sum(), x)
    assert gradient[:, :2].abs().max() > 0.1
    assert not gradient[:, 2:].any()


@every_engine
@pytest.mark.parametrize("options", [{}, {"depthwise": True}, {"depthwise": True, "aligned": True}], ids=str)
def test_periodic_images_are_points_of_their_own(engine, options):
    """A crystal of two atoms with shifts is the same as its atoms among copies of all of them: sources more than targets."""
    rep = groups.O3().rep("2x0e+2x1o")
    f = randomised(nn.PointConv(rep, rep, 2, kernels.Gaussians(3, 2.0), **options))
    x, positions, _ = cloud(rep, 2)
    cell = torch.tensor([[1.5, 0, 0], [0.4, 1.3, 0], [-0.2, 0.3, 1.4]]).double().requires_grad_()
    steps = torch.cartesian_prod(*[torch.arange(-1, 2)] * 3)
    a, b, n = torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(27)).T
    other = (a != b) | steps[n].any(dim=1)  # an atom sees its own images, and not itself
    a, b, n = a[other], b[other], n[other]
    crystal = graphs.Edges.between(positions, torch.stack([a, b]), steps[n], cell)
    copies = (positions[None] + (steps.double() @ cell)[:, None]).flatten(0, 1)
    many = graphs.Edges.between(copies, torch.stack([2 * n + a, b]), to=positions)
    with products.using(engine):
        y, expected = f(x, crystal), f(x.repeat(27, 1), many)
    assert y.shape == expected.shape == (2, rep.dim)
    assert (y - expected).abs().max() < 1e-12 * expected.abs().max()
    stress, theirs = (torch.autograd.grad(v.sum(), cell, retain_graph=True)[0] for v in (y, expected))
    assert (stress - theirs).abs().max() < 1e-12 * theirs.abs().max()


@every_case
def test_edges_are_positions_differences(group, text, degree):
    rep = group.rep(text)
    x, positions, pairs = cloud(rep)
    f = randomised(nn.PointConv(rep, rep, degree, profile(), mu=1.0))
    edges = graphs.Edges.between(positions, pairs)
    assert torch.equal(f(x, edges), f(x, positions, pairs))
    more = graphs.Edges(edges.source, edges.target + 2, edges.vectors, 12)  # targets that nothing reaches
    y = f(x, more)
    assert y.shape == (12, rep.dim)
    assert torch.allclose(y[2:11], f(x, edges), atol=1e-12)
    assert not y[:2].any()
    assert not y[11:].any()


@pytest.mark.parametrize("aligned", [False, True])
def test_layers_share_what_depends_on_edges_alone(aligned, monkeypatch):
    group = groups.O3()
    rep = group.rep("2x0e+2x1o+3x1o")
    layers = [randomised(nn.PointConv(rep, rep, 2, profile(), depthwise=True, aligned=aligned)) for _ in range(3)]
    x, positions, pairs = cloud(rep)
    counts = []

    def counted(run):
        def inner(self, r):
            counts.append(type(self))
            return run(self, r)

        return inner

    for kind, name in ((harmonics.Harmonics, "forward"), (kernels.Alignment, "__call__")):
        monkeypatch.setattr(kind, name, counted(getattr(kind, name)))

    def run(edges):
        counts.clear()
        y = x
        for layer in layers:
            y = layer(y, edges)
        return y, len(counts)

    positions.requires_grad_()
    edges = graphs.Edges.between(positions, pairs)
    apart, number = run(edges)
    together, fewer = run(edges.sharing())
    assert (number, fewer) == (6, 1)  # a layer has two parts, one for each number of channels
    assert torch.equal(apart, together)
    grads = [torch.autograd.grad(y.sum(), positions, retain_graph=True)[0] for y in (apart, together)]
    assert (grads[0] - grads[1]).abs().max() < 1e-12 * grads[0].abs().max()


def test_layers_that_differ_share_nothing_false():
    """Reps, degrees, scales, dtypes and parities on the same edges, in one memo."""
    layers = [
        randomised(nn.PointConv(rep, rep, degree, profile(), mu=mu, depthwise=depthwise, aligned=aligned), dtype)
        for rep in map(groups.O3().rep, ("2x0e+2x1o+2x2e", "2x2e+2x3o"))
        for dtype in (torch.float64, torch.float32)
        for degree in (1, 2)
        for mu, depthwise, aligned in ((0.0, False, None), (1.0, False, None), (0.0, True, False), (0.0, True, True))
    ]
    _, positions, pairs = cloud(layers[0].rep_in)
    edges = graphs.Edges.between(positions, pairs)
    shared = edges.sharing()
    for layer in layers:
        x = torch.randn(9, layer.rep_in.dim, generator=torch.Generator().manual_seed(0)).to(layer.weight.dtype)
        assert torch.equal(layer(x, shared), layer(x, edges))


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_compiles_and_exports_between_frames():
    """Once, for both engines and any number of edges, with gradients; loops included, for no branch may ask for them."""
    torch._dynamo.reset()
    group = groups.O3()
    rep = group.rep("2x0e+2x1o")
    f = nn.PointConv(rep, rep, 2, kernels.Gaussians(4, 3.0), depthwise=True, aligned=True)

    class Conv(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.f = f

        def forward(self, x, source, target, vectors):
            edges = graphs.Edges(source, target, vectors, x.shape[0]).sharing()
            return self.f(self.f(x, edges), edges)

    def cases(n, seed):
        x, positions, pairs = cloud(rep, n, seed, torch.float32)
        return x, pairs[0], pairs[1], (positions[pairs[0]] - positions[pairs[1]]).requires_grad_()

    compiled = torch.compile(Conv(), fullgraph=True, backend="aot_eager")
    some, more = cases(6, 0), cases(9, 1)
    points, pairs = torch.export.Dim("points", min=2, max=1000), torch.export.Dim("pairs", min=2, max=10**6)
    with torch.no_grad():
        exported = torch.export.export(
            Conv(), some, dynamic_shapes=({0: points}, {0: pairs}, {0: pairs}, {0: pairs})
        ).module()
    for v in some:
        torch._dynamo.mark_dynamic(v, 0)
    for number, inputs in enumerate((some, more)):
        expected = Conv()(*inputs)
        (slope,) = torch.autograd.grad(expected.sum(), inputs[-1])
        for engine in products.available():
            # What was compiled for one engine and number of edges serves all.
            with products.using(engine), torch._dynamo.config.patch(error_on_recompile=bool(number)):
                y = compiled(*inputs)
                (found,) = torch.autograd.grad(y.sum(), inputs[-1])
                assert torch.allclose(y, expected, atol=1e-4)
                assert torch.allclose(found, slope, atol=1e-3)
                assert torch.allclose(exported(*inputs), expected, atol=1e-4)


@every_engine
@pytest.mark.parametrize(
    "options", [{}, {"depthwise": True, "aligned": False}, {"depthwise": True, "aligned": True}], ids=str
)
def test_under_autocast(engine, options):
    """Products of matrices are then in bfloat16, the map on edges in the dtype of the features."""
    rep = groups.O3().rep("2x0e+2x1o")
    f = nn.PointConv(rep, rep, 2, profile(), **options)
    x, positions, edges = cloud(rep, dtype=torch.float32)
    x.requires_grad_()
    expected = f(x, positions, edges)
    with products.using(engine):
        with torch.autocast("cpu", torch.bfloat16):
            y = f(x, positions, edges)
        (gradient,) = torch.autograd.grad(y.float().square().sum(), x)
    assert (y - expected).abs().max() < 0.05 * expected.abs().max()
    (theirs,) = torch.autograd.grad(expected.square().sum(), x)
    assert (gradient - theirs).abs().max() < 0.05 * theirs.abs().max()


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


@every_case
@pytest.mark.parametrize("depthwise", [False, True])
def test_invariants_take_the_place_of_r_r(group, text, degree, depthwise):
    """The same layer where they are r.r, any others through the radial module, gradients to them, and refused where wrong."""
    rep = group.rep(text)
    torch.manual_seed(0)
    layer = nn.PointConv(rep, rep, degree, profile(), mu=1.0, depthwise=depthwise).double()
    x, positions, pairs = cloud(rep)
    edges = graphs.Edges.between(positions, pairs)
    q = layer.harmonics.square(edges.vectors)
    expected = layer(x, edges)
    assert torch.equal(layer(x, edges, invariants=q), expected)
    assert torch.equal(layer(x, positions, pairs, invariants=q), expected)
    other = (q + torch.linspace(0, 1, len(q)).double()).requires_grad_()
    found = layer(x, edges, invariants=other)
    given = nn.PointConv(rep, rep, degree, None, mu=1.0, depthwise=depthwise).double()
    weights = layer.radial(other) @ layer.weight.T
    assert torch.allclose(found, given(x, edges, weights), atol=1e-12) and not torch.allclose(
        found, expected, atol=1e-3
    )
    assert torch.autograd.grad(found.square().sum(), other)[0].abs().min() > 0
    nan = q.clone()
    nan[3] = float("nan")
    for wrong, message in (
        (q[:-1], r"invariants: got torch.float64 \(80,\), expected floating point \(81, ...\)"),
        (q.long(), "invariants: got torch.int64"),
        (nan, "invariants: got .* with NaN or infinite numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            layer(x, edges, invariants=wrong)
    with pytest.raises(ValueError, match="invariants: got some for a layer with radial=None"):
        given(x, edges, weights, invariants=q)
