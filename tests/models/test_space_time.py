"""Convolutions of events: Poincare equivariant as a whole, exact for moving charges; and the rival that treats time apart."""

import numpy as np
import pytest
import torch

from eqlib import data, graphs, groups, kernels, models, nn
from eqlib.testing import randomised

LORENTZ, PARITY = groups.Lorentz(), groups.Lorentz(parity=True)
CASES = [
    (LORENTZ, "(0,0)+(1,1)", "(2,0)", []),
    (LORENTZ, "(0,0)+(1,1)", "(2,0)+(1,1)+(0,0)", ["2x(0,0)+2x(1,1)+(2,0)"]),
    (LORENTZ, "2x(0,0)+(2,0)", "(2,2)+(2,0)", ["(0,0)+(1,1)", "2x(1,1)+(2,2)"]),
    (PARITY, "(0,0)+(1,1)", "(2,0)+(1,1)o", ["(0,0)+2x(1,1)+(2,0)"]),
    (groups.O3(), "0e+1o", "1o+1e+2e", ["2x0e+2x1o+1e"]),
]
every_case = pytest.mark.parametrize(
    ("group", "inside", "outside", "hidden"), CASES, ids=[f"{c[0].name} {len(c[3])} between" for c in CASES]
)


def radial():
    return kernels.RadialMLP(kernels.RestFrame(6, cutoff=6.0, powers=3), 8, 5)


def network(group, inside, outside, hidden, dtype=torch.float64, degree=2):
    torch.manual_seed(0)
    net = models.PoincareNetwork(group.rep(inside), group.rep(outside), hidden, degree, radial, mu=1.0, neighbours=4.0)
    return randomised(net, 0, dtype)


def cloud(group, rep, n=5, m=4, seed=0):
    """Features, events, unit vectors and events asked for, float64 in components of the group's vector."""
    rng = np.random.default_rng(seed)
    v = group.vector.dim
    u = rng.normal(size=(n, v))
    u = (
        u / np.linalg.norm(u, axis=1, keepdims=True)
        if group.compact
        else np.column_stack([np.hypot(1, np.linalg.norm(u[:, 1:], axis=1)), u[:, 1:]])
    )
    raw = rng.normal(size=(n, v)), u, rng.normal(size=(m, v))
    events, u, at = (torch.tensor(x @ group.coordinates.T) for x in raw)
    pairs = torch.cartesian_prod(torch.arange(n), torch.arange(m)).T.contiguous()
    return torch.tensor(rng.normal(size=(n, rep.dim))), events, u, at, pairs, graphs.complete_graph([n])


def off(a, b):
    return float(((a.double() - b.double()).norm() / b.double().norm()).detach())


def moved(group, reps, inputs, g, shift):
    x, events, u, at, *edges = inputs
    D, L = torch.tensor(reps[0](g)[0]), torch.tensor(group.vector(g)[0])
    return x @ D.T, events @ L.T + shift, u @ L.T, at @ L.T + shift, *edges


@every_case
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equivariant_under_the_group_shifts_and_permutations(group, inside, outside, hidden, dtype, limit):
    net = network(group, inside, outside, hidden, dtype)
    inputs = cloud(group, net.rep_in)
    cast = lambda values: [v.to(dtype) if v.is_floating_point() else v for v in values]  # noqa: E731
    expected = net(*cast(inputs))
    assert expected.std() > 1e-2
    elements = group.sample(6, seed=1)
    for i in range(6):
        shift = torch.tensor(np.random.default_rng(i).normal(size=group.vector.dim))
        found = net(*cast(moved(group, (net.rep_in, net.rep_out), inputs, elements[i], shift)))
        assert off(found, expected.double() @ torch.tensor(net.rep_out(elements[i])[0]).T) < limit
    x, events, u, at, pairs, among = cast(inputs)
    one, other = torch.tensor([3, 1, 4, 0, 2]), torch.tensor([2, 0, 3, 1])  # new source i is old source one[i]
    places = one.argsort(), other.argsort()
    renamed = torch.stack([places[0][pairs[0]], places[1][pairs[1]]])
    assert off(net(x[one], events[one], u[one], at[other], renamed, places[0][among]), expected[other]) < limit
    wrong = torch.diag(torch.linspace(1, 2, group.vector.dim)).to(dtype)  # the test can tell: no element of the group
    assert off(net(x, events @ wrong, u, at @ wrong, pairs, among), expected) > 1e-3


@pytest.mark.parametrize("rapidity", [3.0, 8.0])
def test_float32_under_large_boosts(rapidity):
    """Along z light-cone components are scaled and lose nothing, whatever the rapidity; Cartesian ones have lost everything."""
    net = network(*CASES[0], dtype=torch.float32)
    x, events, u, at, pairs, _ = cloud(LORENTZ, net.rep_in)
    expected = network(*CASES[0])(x, events, u, at, pairs)
    g = LORENTZ.element([0, 0, 0, 0, 0, rapidity])
    inputs = moved(LORENTZ, (net.rep_in, net.rep_out), (x, events, u, at, pairs), g, 0.0)
    back = torch.tensor(net.rep_out(g.inverse())[0]).T
    found = net(*(v.float() for v in inputs[:4]), pairs).double() @ back
    assert off(found, expected) < 1e-5
    turn = torch.tensor(LORENTZ.coordinates)  # by way of t and z in float32
    spoilt = [(v @ turn).float().double() @ turn.T for v in inputs[1:4]]
    if rapidity > 5:
        with pytest.raises(ValueError, match=r"velocities: got u.u"):
            net(inputs[0].float(), *(v.float() for v in spoilt[:1]), torch.zeros(5, 4), spoilt[2].float(), pairs)
        exact = network(*CASES[0])
        exact._check = lambda u: None
        assert off(exact(inputs[0], *spoilt, pairs) @ back, expected) > 1e-2


@pytest.mark.parametrize(("group", "weights"), [(LORENTZ, 2), (PARITY, 1)], ids=["Lorentz", "parity"])
def test_a_layer_is_the_field_of_moving_charges(group, weights):
    """Weight 1 for r ^ u, 0 for its dual and the exact profile: the very field, whatever the boost. Parity forbids the dual."""
    made = data.moving_charges(3, charges=5, asked=4, seed=1).moved(LORENTZ.sample(3, seed=0, scale=2.0))
    torch.manual_seed(0)
    mu = 3.0

    class Coulomb(torch.nn.Module):
        number = 1

        def forward(self, invariants):
            r_r, r_u = invariants.unbind(-1)
            return ((r_r**2 + mu**4) ** 0.25 * (r_u**2 - r_r) ** -1.5)[:, None]

    net = models.PoincareNetwork(group.rep("(1,1)"), group.rep("(2,0)"), [], 1, Coulomb, mu=mu).double()
    layer = net.net.convolutions[0]
    assert layer.weight.shape == (weights, 1)
    turn = torch.tensor(group.coordinates.T)
    events, u, at = (torch.tensor(v) @ turn for v in (made.events, made.velocities, made.at))
    pairs = torch.cartesian_prod(torch.arange(15), torch.arange(12)).T
    pairs = pairs[:, pairs[0] // 5 == pairs[1] // 4]
    columns = []
    for row in torch.eye(weights).double():
        layer.weight.data = row[:, None]
        columns.append(net(torch.tensor(made.charges)[:, None] * u, events, u, at, pairs).detach())
    first = group.clebsch_gordan("(1,1)", "(1,1)", "(2,0)").dense()[0]
    q = group.coordinates
    basis = np.einsum("abc,am,bn,kmn->ck", first, q, q, data.field_tensor(np.eye(6))) / 2**0.5
    target = torch.tensor(made.fields @ basis.T)
    found = torch.stack([c.flatten() for c in columns], 1)
    solution = torch.linalg.lstsq(found, target.flatten()[:, None])[0][:, 0]
    assert off(found @ solution, target.flatten()) < 1e-10
    assert solution[0].abs() > 0.1 and not (solution[1:].abs() > 1e-10).any()


def by_kernels(layer, x, u, sources, targets, pairs):
    """The layer as the plain sum of its `SteerableKernel` at the weights of each edge's own invariants."""
    metric, kernel = torch.tensor(LORENTZ.metric), layer.kernel.double()
    found = torch.zeros(len(targets), layer.rep_out.dim).double()
    for source, target in pairs.T.tolist():
        r = sources[source] - targets[target]
        invariants = torch.stack([r @ metric @ r, r @ metric @ u[source]])
        found[target] += kernel(r, layer.weight @ layer.radial(invariants)) @ x[source] / layer.neighbours**0.5
    return found


@pytest.mark.parametrize("case", [CASES[0], CASES[1]], ids=["one layer", "a layer between"])
def test_networks_agree_with_sums_over_kernels(case):
    net = network(*case)
    x, events, u, at, pairs, among = cloud(LORENTZ, net.rep_in, m=3)
    found = net(x, events, u, at, pairs, among)
    *between, last = net.net.convolutions
    for layer, own, gate in zip(between, net.net.own, net.net.gates, strict=True):
        x = gate((by_kernels(layer, x, u, events, events, among) + own(x)) * 0.5**0.5)
    assert off(found, by_kernels(last, x, u, events, at, pairs)) < 1e-12


def test_no_path_from_a_charge_alone():
    """(0,0) has no way to (2,0): without a velocity nothing says which plane of space-time to take."""
    layer = nn.PointConv(LORENTZ.rep("(0,0)"), LORENTZ.rep("(2,0)"), 4, kernels.RestFrame(3, 4.0), mu=1.0)
    assert layer.weight_numel == 0


def test_rest_frame():
    """0 from the cut-off on, powers of s in -1 ... 1, and the same tube from every event of the line for powers=1."""
    radial = kernels.RestFrame(5, cutoff=3.0, powers=3)
    t, d = torch.linspace(-50, 50, 101).double(), torch.tensor([0.0, 0.5, 2.9, 3.0, 4.0]).double()
    t, d = (x.flatten() for x in torch.meshgrid(t, d, indexing="ij"))
    invariants = torch.stack([t**2 - d**2, t], 1)
    found = radial.double()(invariants).unflatten(1, (5, 3))
    assert radial.number == 15 and found.isfinite().all() and not found[d >= 3.0 + 1e-9].any()
    alone = kernels.RestFrame(5, 3.0).double()(invariants)
    inside = (d > 0) & (d < 2.95)
    assert torch.allclose(
        alone[inside].unflatten(0, (101, 2)), alone[inside].unflatten(0, (101, 2))[:1].expand(101, 2, 5), atol=1e-9
    )
    assert torch.allclose(found[..., 0], alone)
    s = (t / (t**2 + d**2 + 1e-300).sqrt())[inside, None]
    assert torch.allclose(found[inside][..., 1], s * alone[inside], atol=1e-9)
    assert torch.allclose(found[inside][..., 2], s**2 * alone[inside], atol=1e-9)
    with pytest.raises(ValueError, match=r"invariants: got \(4, 3\), expected last axis 2"):
        radial(torch.zeros(4, 3))
    with pytest.raises(ValueError, match="powers: got 0"):
        kernels.RestFrame(5, 3.0, powers=0)


def test_edges_beyond_the_cutoff_change_nothing():
    net = network(*CASES[1])
    x, events, u, at, pairs, among = cloud(LORENTZ, net.rep_in)
    far = torch.tensor(LORENTZ.coordinates @ [0.0, 30, 0, 0])[None] + 0 * events[:1]
    rest = torch.tensor(LORENTZ.coordinates @ [1.0, 0, 0, 0])[None]
    more = torch.cat([pairs, torch.tensor([[5] * 4, [0, 1, 2, 3]])], 1)
    near = net(x, events, u, at, pairs, among)
    six = net(torch.cat([x, 9 * x[:1]]), torch.cat([events, far]), torch.cat([u, rest]), at, more, among)
    assert off(six, near) < 1e-12


def test_every_kind_of_input():
    """No sources, no targets, an event on a source, two sources in one place, a null edge: all finite, gradients too."""
    net = network(*CASES[1])
    x, events, u, at, pairs, among = cloud(LORENTZ, net.rep_in)
    at[0], events[1] = events[0], events[2]
    at[1] = events[3] + torch.tensor(LORENTZ.coordinates @ [1.0, 0, 0, 1])
    x.requires_grad_(), at.requires_grad_()
    out = net(x, events, u, at, pairs, among)
    assert out.isfinite().all()
    assert all(
        g.isfinite().all()
        for g in torch.autograd.grad(out.square().sum(), [x, at, *net.parameters()], allow_unused=True)
        if g is not None
    )
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert not net(x, events, u, at, none, among).any()
    assert net(x[:0], events[:0], u[:0], at, none, none).shape == (4, net.rep_out.dim)
    assert net(x, events, u, at[:0], none, among).shape == (0, net.rep_out.dim)


def inputs(**changed):
    given = dict(
        zip(
            ("x", "events", "velocities", "at", "pairs", "among"), cloud(LORENTZ, LORENTZ.rep(CASES[1][1])), strict=True
        )
    )
    return given | {name: change(given[name]) for name, change in changed.items()}


def first(value):
    def change(x):
        x[0, 0] = value
        return x

    return change


def a_row(*row):
    def change(x):
        x[0] = torch.tensor(LORENTZ.coordinates @ np.array(row))
        return x

    return change


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"velocities": lambda u: 2 * u}, "velocities: got u.u = 4, expected 1 for each"),
        ({"velocities": a_row(0.0, 1, 0, 0)}, "velocities: got u.u = -1, expected 1"),
        ({"velocities": a_row(1.0, 1, 0, 0)}, "velocities: got u.u = 0, expected 1|velocities: got u.u = .*e-"),
        ({"velocities": first(float("nan"))}, "velocities: got .* with NaN or infinite"),
        (
            {"velocities": lambda u: u[:3]},
            r"velocities: got torch.float64 \(3, 4\), expected floating point \(5, 4\), as events",
        ),
        ({"velocities": lambda u: u.long()}, "velocities: got torch.int64"),
        ({"events": first(float("inf"))}, "positions: got .* with NaN or infinite"),
        ({"at": first(float("nan"))}, "to: got .* with NaN or infinite"),
        ({"at": lambda at: at[:, :3]}, r"to: got torch.float64 \(4, 3\)"),
        ({"pairs": lambda pairs: pairs + 1}, r"pairs\[0\]: got 1 ... 5, expected 0 ... 4"),
        ({"x": lambda x: x[:, :2]}, "x: got"),
        ({"among": lambda among: None}, "among: got None for a network with 1 layers among sources"),
    ],
)
def test_wrong_input_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        network(*CASES[1])(**inputs(**changed))


def test_wrong_networks_are_refused():
    reps = LORENTZ.rep("(0,0)"), LORENTZ.rep("(1,1)")
    with pytest.raises(ValueError, match="hidden: got the string"):
        models.PoincareNetwork(*reps, "(0,0)", 1, radial, mu=1.0)
    with pytest.raises(ValueError, match="rep_in"):
        models.PoincareNetwork(reps[0], groups.O3().rep("0e"), [], 1, radial, mu=1.0)
    group = groups.Product(groups.O2(), groups.O2())
    rep = group.rep([(1, group.trivial)])
    with pytest.raises(ValueError, match=r"rep_in: got a rep of .*, expected a group whose vector is one irrep"):
        models.PoincareNetwork(rep, rep, [], 1, radial, mu=1.0)


def apart():
    torch.manual_seed(0)
    radial = lambda: kernels.RadialMLP(models.SpaceAndTime(), 8, 4)  # noqa: E731
    return models.TimeApartNetwork(radial, data.field_basis()).double()


def test_time_apart_knows_turns_and_shifts_and_no_boosts():
    """Equivariant under turns, mirrors, shifts in space and time and permutations of sources; 20 % off under a small boost."""
    net, group = apart(), PARITY
    x, events, u, at, pairs, _ = cloud(LORENTZ, LORENTZ.rep("(0,0)+(1,1)"), seed=2)
    expected = net(x, events, u, at, pairs)
    q, basis = torch.tensor(LORENTZ.coordinates), torch.tensor(data.field_basis())
    angles = np.random.default_rng(0).normal(size=(3, 3))
    for component in (0, 1):
        for angle in angles:
            L = torch.tensor(group.matrix(group.element([*angle, 0, 0, 0], component=component))[0])
            V, R = q @ L @ q.T, L[1:, 1:]
            found = net(torch.cat([x[:, :1], x[:, 1:] @ V.T], 1), events @ V.T + 1.5, u @ V.T, at @ V.T + 1.5, pairs)
            turned = torch.block_diag(R, torch.linalg.det(R) * R)  # E is a vector, B an axial one
            assert off(found @ basis, (expected @ basis) @ turned.T) < 1e-12
    order = torch.tensor([3, 1, 4, 0, 2])
    renamed = torch.stack([order.argsort()[pairs[0]], pairs[1]])
    assert off(net(x[order], events[order], u[order], at, renamed), expected) < 1e-12
    g = LORENTZ.element([0, 0, 0, 0.5, 0, 0])
    found = net(*moved(LORENTZ, (LORENTZ.rep("(0,0)+(1,1)"),), (x, events, u, at, pairs), g, 0.0))
    assert off(found, expected @ torch.tensor(LORENTZ.irrep("(2,0)")(g)[0]).T) > 0.05


def test_time_apart_can_say_the_field():
    """With functions that know the distance in the rest frame its one layer is exact: it has to learn, it is not barred."""
    made = data.moving_charges(3, charges=5, asked=4, seed=1).moved(LORENTZ.sample(3, seed=0, scale=2.0))

    class Exact(torch.nn.Module):
        number = 2

        def forward(self, invariants):
            square, t, x_u, energy = invariants.unbind(-1)
            cube = ((energy * t - x_u) ** 2 - t**2 + square) ** -1.5
            return torch.stack([(square**2 + 1.0) ** 0.25 * cube, t * cube], -1)

    net = models.TimeApartNetwork(Exact, data.field_basis(), degree=1).double()
    turn = torch.tensor(LORENTZ.coordinates.T)
    events, u, at = (torch.tensor(v) @ turn for v in (made.events, made.velocities, made.at))
    pairs = torch.cartesian_prod(torch.arange(15), torch.arange(12)).T
    pairs = pairs[:, pairs[0] // 5 == pairs[1] // 4]
    q = torch.tensor(made.charges)[:, None]
    weight, columns = net.net.convolutions[0].weight, []
    for row in torch.eye(weight.numel()).double():
        weight.data = row.reshape(weight.shape)
        columns.append(net(torch.cat([q, q * u], 1), events, u, at, pairs).flatten().detach())
    found, target = torch.stack(columns, 1), torch.tensor(made.fields @ data.field_basis().T).flatten()
    assert off(found @ torch.linalg.lstsq(found, target[:, None], driver="gelsd")[0][:, 0], target) < 1e-10
