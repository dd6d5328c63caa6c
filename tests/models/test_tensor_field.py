"""TensorFieldNetwork: one class for every group, equivariant as a whole, on any number of points."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from eqlib import graphs, groups, kernels, models, nn, testing

CASES = [
    (groups.Dihedral(4), "2x0e+0o+2x1+2e", 2),
    (groups.SO2(), "2x0+2x1+2", 2),
    (groups.O2(), "2x0e+0o+2x1+2", 2),
    (groups.SO3(), "2x0+2x1+2", 2),
    (groups.O3(), "2x0e+0o+2x1o+1e+2e", 2),
    (groups.Lorentz(), "2x(0,0)+2x(1,1)+(2,0)", 1),
    (groups.Lorentz(parity=True), "2x(0,0)+(0,0)o+2x(1,1)", 1),
    (groups.SL2C(), "2x(0,0)+2x(1,0)+(1,1)", 1),
]
every_case = pytest.mark.parametrize(("group", "text", "degree"), CASES, ids=[c[0].name for c in CASES])


def network(group, text, degree, layers=2, mu=1.0):
    scalars = group.rep([(2, group.trivial)])
    return models.TensorFieldNetwork(
        scalars, group.rep(text), [text] * layers, degree, lambda: kernels.Logarithmic(3, 1.0, 3.0), mu, neighbours=4.0
    )


FULL = {"channels": 4, "residual": True}


def full(group, text, degree, mu=1.0, **more):
    """Convolutions channel by channel, residual layers, any output."""
    scalars = group.rep([(2, group.trivial)])
    return models.TensorFieldNetwork(
        scalars,
        group.rep(text),
        [text, text],
        degree,
        lambda: kernels.Logarithmic(3, 1.0, 3.0),
        mu,
        4.0,
        **FULL,
        **more,
    )


class Bodies(torch.nn.Module):
    """A network as a function of features and positions (..., 4, dim): every four points are a body."""

    def __init__(self, net, pooled):
        super().__init__()
        self.net, self.pooled = net, pooled

    def forward(self, x, positions):
        bodies = x.numel() // x.shape[-1] // 4
        more = (torch.arange(bodies).repeat_interleave(4), bodies) if self.pooled else ()
        y = self.net(x.flatten(0, -2), positions.flatten(0, -2), graphs.complete_graph([4] * bodies), *more)
        return y.repeat_interleave(4, 0).unflatten(0, x.shape[:-1]) if self.pooled else y.unflatten(0, x.shape[:-1])


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_equivariant(group, text, degree, dtype, tolerance):
    for mu in (0.0, 1.0) if group.compact else (1.0,):
        net = network(group, text, degree, mu=mu)
        for pooled in (False, True):
            error = testing.equivariance_error(
                Bodies(net, pooled), [net.rep_in, group.vector], net.rep_out, dtype=dtype
            )
            assert error < tolerance, (mu, pooled, error)


class Pairs(torch.nn.Module):
    """A network for pairs as a function of features and positions (..., 4, dim), each point with the sum of its edges."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, positions):
        bodies = x.numel() // x.shape[-1] // 4
        edges = graphs.complete_graph([4] * bodies)
        y = self.net(x.flatten(0, -2), positions.flatten(0, -2), edges)
        return y.new_zeros(4 * bodies, y.shape[1]).index_add(0, edges[1], y).unflatten(0, x.shape[:-1])


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_at_full_strength_equivariant(group, text, degree, dtype, tolerance):
    mu = 0.0 if group.compact else 1.0
    for pairs in (None, group.rep(text)):
        net = full(group, text, degree, mu, pairs=pairs)
        f = Bodies(net, False) if pairs is None else Pairs(net)
        error = testing.equivariance_error(f, [net.rep_in, group.vector], group.rep(text), dtype=dtype)
        assert error < tolerance, (pairs, error)


@every_case
def test_at_full_strength_translations_permutations_and_batches(group, text, degree):
    rng = np.random.default_rng(0)
    net = testing.randomised(full(group, text, degree), 0, torch.float64)
    pairs = testing.randomised(full(group, text, degree, pairs=group.rep(text)), 0, torch.float64)
    order = torch.tensor(rng.permutation(9))
    x, positions = torch.tensor(rng.normal(size=(9, 2))), torch.tensor(rng.normal(size=(9, group.vector.dim)))
    edges, batch = graphs.complete_graph([3, 1, 5]), torch.tensor([0] * 3 + [1] + [2] * 5)
    where = torch.empty(9, dtype=torch.int64)
    where[order] = torch.arange(9)
    for f, out in ((net, order), (pairs, slice(None))):
        y, total = f(x, positions, edges), f(x, positions, edges, batch, 3)
        assert y.std() > 0.05
        assert torch.allclose(f(x, graphs.Edges.between(positions, edges)), y, atol=1e-12)
        assert torch.allclose(f(x, positions - 7.0, edges), y, atol=1e-11)
        assert torch.allclose(f(x[order], positions[order], where[edges]), y[out], atol=1e-11)
        assert torch.allclose(f(x[order], positions[order], where[edges], batch[order], 3), total, atol=1e-11)
        alone = f(x[4:], positions[4:], graphs.complete_graph([5]))
        assert torch.allclose(alone.sum(0), total[2], atol=1e-11)


def test_layers_share_what_depends_on_positions_alone():
    """Frames and harmonics are made once a forward pass, however many layers there are."""
    group, text = groups.O3(), "2x0e+2x1o+2x2e"
    x, positions, edges = torch.ones(4, 1), torch.randn(4, 3), graphs.complete_graph([4])
    for channels, name in ((None, "harmonics of"), (2, "frames of")):
        net = models.TensorFieldNetwork(
            group.rep("0e"), group.rep(text), [text] * 3, 2, lambda: kernels.Gaussians(3, 2.0), channels=channels
        )
        made = []

        class Counted(dict):
            def __setitem__(self, key, value, made=made):
                made.append(str(key))
                super().__setitem__(key, value)

        shared = graphs.Edges.between(positions, edges)
        object.__setattr__(shared, "sharing", lambda e=shared: dataclasses.replace(e, memo=Counted()))
        y = net(x, shared)
        assert torch.allclose(y, net(x, positions, edges), atol=1e-6)
        assert sum(name in key for key in made) == 1, made


@every_case
def test_forces_are_minus_the_gradient(group, text, degree):
    net = testing.randomised(full(group, text, degree, mu=0.0 if group.compact else 1.0), 0, torch.float64)
    rng = np.random.default_rng(1)
    x, positions = torch.tensor(rng.normal(size=(4, 2))), torch.tensor(rng.normal(size=(4, group.vector.dim)))
    edges, batch = graphs.complete_graph([4]), torch.zeros(4, dtype=torch.int64)

    def energy(p):
        return net(x, p, edges, batch, 1)[:, 0]

    found, pull = models.forces(energy, positions)
    assert not found.requires_grad and torch.equal(found, energy(positions).detach())
    h = 1e-5
    numerical = torch.zeros_like(positions)
    for i in range(4):
        for a in range(positions.shape[1]):
            step = torch.zeros_like(positions)
            step[i, a] = h
            numerical[i, a] = -(energy(positions + step) - energy(positions - step)) / (2 * h)
    assert pull.abs().max() > 0.01
    assert (pull - numerical).abs().max() < 1e-6 * max(1, float(pull.abs().max()))
    assert pull.sum(0).abs().max() < 1e-10 * pull.abs().max()
    _, trained = models.forces(energy, positions, train=True)
    trained.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)
    assert sum(p.grad is not None and bool(p.grad.abs().max() > 0) for p in net.parameters()) > 3


def test_an_energy_that_does_not_depend_on_positions_is_refused():
    with pytest.raises(ValueError, match="energy: got one that does not depend on the positions"):
        models.forces(lambda x: torch.ones(1), torch.zeros(2, 3))


@every_case
def test_translations_permutations_and_batches(group, text, degree):
    rng = np.random.default_rng(0)
    net = testing.randomised(network(group, text, degree), 0, torch.float64)
    sizes, order = [3, 1, 5], torch.tensor(rng.permutation(9))
    x, positions = torch.tensor(rng.normal(size=(9, 2))), torch.tensor(rng.normal(size=(9, group.vector.dim)))
    edges, batch = graphs.complete_graph(sizes), torch.tensor([0] * 3 + [1] + [2] * 5)
    where = torch.empty(9, dtype=torch.int64)
    where[order] = torch.arange(9)
    y, total = net(x, positions, edges), net(x, positions, edges, batch, 3)
    assert y.std() > 0.1
    assert torch.allclose(net(x, positions - 7.0, edges), y, atol=1e-11)
    assert torch.allclose(net(x[order], positions[order], where[edges]), y[order], atol=1e-11)
    assert torch.allclose(net(x[order], positions[order], where[edges], batch[order], 3), total, atol=1e-11)
    alone = net(x[4:], positions[4:], graphs.complete_graph([5]))
    assert torch.allclose(alone, y[4:], atol=1e-11)
    assert torch.allclose(alone.sum(0), total[2], atol=1e-11)


@every_case
def test_small_bodies_and_gradients(group, text, degree):
    net = network(group, text, degree, mu=0.0 if group.compact else 1.0)
    none = torch.zeros(2, 0, dtype=torch.int64)
    v = group.vector.dim
    empty = net(torch.zeros(0, 2), torch.zeros(0, v), none, torch.zeros(0, dtype=torch.int64), 2)
    assert torch.equal(empty, torch.zeros(2, net.rep_out.dim))
    assert net(torch.ones(1, 2), torch.ones(1, v), none).isfinite().all()
    positions = torch.ones(3, v, requires_grad=True)
    y = net(torch.randn(3, 2), positions, graphs.complete_graph([3]))
    y.square().sum().backward()
    assert y.isfinite().all() and positions.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_a_single_layer_is_the_convolution():
    group = groups.O3()
    scalar, out = group.rep("0e"), group.rep("0e+2e")
    net = models.TensorFieldNetwork(scalar, out, [], 2, lambda: kernels.Gaussians(4, 2.0), self_interaction=False)
    assert sum(p.numel() for p in net.parameters()) == 2 * 4
    x, positions, edges = torch.randn(5, 1), torch.randn(5, 3), graphs.complete_graph([5])
    assert torch.equal(net(x, positions, edges), net.convolutions[0](x, positions, edges))


def test_size_of_features_is_kept():
    """A mean square of about 1 after three layers, averaged over initial weights."""
    group = groups.O3()
    squares = []
    for seed in range(10):
        torch.manual_seed(seed)
        net = models.TensorFieldNetwork(
            group.rep("8x0e"), group.rep("8x0e+4x1o+2x2e"), ["8x0e+4x1o+2x2e"] * 2, 2, lambda: kernels.Gaussians(8, 5.0),
            neighbours=19.0,
        )  # fmt: skip
        squares.append(
            net(torch.randn(20, 8), torch.randn(20, 3), graphs.complete_graph([20])).detach().square().mean()
        )
    assert 0.1 < torch.stack(squares).mean() < 3


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_compiles_without_a_graph_break():
    torch._dynamo.reset()
    net = network(groups.SO2(), "0+1", 1, layers=1)
    x, positions, edges = torch.randn(6, 2), torch.randn(6, 2), graphs.complete_graph([2, 4])
    batch = torch.tensor([0, 0, 1, 1, 1, 1])
    compiled = torch.compile(copy.deepcopy(net), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x, positions, edges, batch, 2), net(x, positions, edges, batch, 2), atol=1e-5)


def test_wrong_input_is_refused():
    group = groups.O3()
    scalar = group.rep("0e")
    inputs = torch.zeros(2, 1), torch.zeros(2, 3), graphs.complete_graph([2])
    with pytest.raises(
        ValueError, match="hidden: got the string '0e', expected a list of reps, one for each layer between"
    ):
        models.TensorFieldNetwork(scalar, scalar, "0e", 1, lambda: kernels.Gaussians(2, 1.0))
    with pytest.raises(ValueError, match="rep_in, rep_out: got reps of O3, O2, expected reps of one group"):
        models.TensorFieldNetwork(scalar, groups.O2().rep("0e"), [], 1, lambda: kernels.Gaussians(2, 1.0))
    net = models.TensorFieldNetwork(scalar, scalar, [], 1, lambda: kernels.Gaussians(2, 1.0))
    with pytest.raises(ValueError, match="batch, bodies: got bodies=2 without batch, expected both or none"):
        net(*inputs, bodies=2)
    with pytest.raises(ValueError, match=r"batch: got torch.int64 \(3,\), expected torch.int64 \(2,\)"):
        net(*inputs, torch.zeros(3, dtype=torch.int64), 1)
    with pytest.raises(ValueError, match=r"batch: got 0 ... 1, expected 0 ... 0"):
        net(*inputs, torch.tensor([0, 1]), 1)


def test_rivals_have_the_symmetries_they_promise():
    """PairMLP: translations and renaming, no turns. CoordinateMLP: translations where asked for, no renaming, no turns."""
    rng = np.random.default_rng(0)
    x, positions, edges = torch.rand(6, 1), torch.tensor(rng.normal(size=(6, 3))).float(), graphs.complete_graph([3, 3])
    turn = torch.tensor(groups.O3().matrix(groups.O3().sample(1, seed=1))[0]).float()
    pairs = models.PairMLP(6, [5])
    renamed = torch.tensor([2, 0, 1, 3, 4, 5])
    for net, shifts, names in [
        (pairs, True, True), (models.CoordinateMLP(3, 6, [5]), False, False),
        (models.CoordinateMLP(3, 6, [5], differences=True), True, False),
    ]:  # fmt: skip
        y = net(x, positions, edges)
        assert y.shape == (6, 6)
        assert torch.allclose(net(x, positions + 2.0, edges), y, atol=1e-5) == shifts
        assert torch.allclose(net(x[renamed], positions[renamed], edges), y[renamed], atol=1e-5) == names
        assert not torch.allclose(net(x, positions @ turn.T, edges)[:, 0], y[:, 0], atol=1e-3)
    assert torch.allclose(pairs(2 * x, positions, edges), 2 * pairs(x, positions, edges), atol=1e-6)
    with pytest.raises(ValueError, match="x: got 6 points, expected bodies of 4 points each"):
        models.CoordinateMLP(4, 6, [5])(x, positions, edges)


@every_case
def test_rows_compute_what_the_layers_written_out_do(group, text, degree):
    """Schur's maps and the convolution by channel of one layer, by `nn.Linear` and `nn.PointConv` on flat features."""
    rep, mu = group.rep(text), 0.0 if group.compact else 1.0
    net = testing.randomised(
        models.TensorFieldNetwork(rep, rep, [], degree, lambda: kernels.Gaussians(3, 2.0), mu, channels=4),
        0,
        torch.float64,
    )
    (layer,) = net.rows.layers
    irreps = [a for _, a in rep.blocks]
    inside = group.rep([(4, a) for a in irreps])

    def linear(before, after, weights):
        found = nn.Linear(before, after, bias=False).double()
        with torch.no_grad():  # (endo, out, in) of each irrep -> out block after out block, (out, in, endo)
            found.weight.copy_(torch.cat([w.permute(1, 2, 0).flatten() for w in weights]))
        return found

    after = [w.split([4, w.shape[2] - 4], dim=2) for w in layer.after.weights]
    mixed, own = (linear(r, rep, [w[i] for w in after]) for i, r in ((0, inside), (1, rep)))
    x, positions = torch.randn(5, rep.dim).double(), torch.randn(5, group.vector.dim).double()
    edges = graphs.complete_graph([5])
    y = layer.convolution(linear(rep, inside, layer.before.weights)(x), positions, edges)
    expected = mixed(y) + own(x)
    expected[:, rep.slices[0]] += layer.bias[:, 0]  # the first block is the trivial one
    assert torch.allclose(net(x, positions, edges), expected, atol=1e-12)


@pytest.mark.parametrize("channels", [None, 2])
def test_layers_share_a_radial_basis(channels):
    """One basis for all layers is computed once a pass, one for each layer as often as there are layers; the same function."""
    group, calls, found = groups.O3(), [], []
    x, positions, edges = torch.ones(4, 1), torch.rand(4, 3), graphs.complete_graph([4])
    one = kernels.Bessel(3, 2.0)
    for basis in (lambda: one, lambda: kernels.Bessel(3, 2.0)):
        torch.manual_seed(0)
        net = models.TensorFieldNetwork(
            group.rep("0e"),
            group.rep("0e"),
            ["2x0e+2x1o"] * 2,
            1,
            lambda basis=basis: kernels.RadialMLP(basis(), 4, 4),
            channels=channels,
        )
        bases = {m for m in net.modules() if isinstance(m, kernels.Bessel)}
        counted = []
        for module in bases:
            module.register_forward_hook(lambda *_, counted=counted: counted.append(1))
        found.append(net(x, positions, edges))
        calls.append(len(counted))
    assert calls == [1, 3] and torch.equal(*found)
