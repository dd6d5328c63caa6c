"""The networks for jets: invariant where they claim it, blind to order and padding, finite in the hard places."""

import copy

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, nn, testing
from eqlib.models import rows

CASES = [
    (groups.Lorentz(), ("(1,1)", "(2,0)", "(2,2)")),
    (groups.Lorentz(), ("(1,1)", "(3,1)", "(2,2)")),
    (groups.Lorentz(parity=True), ("(1,1)", "(1,1)o", "(0,0)o", "(2,0)")),
    (groups.SL2C(), ("(1,1)", "(2,0)")),
    (groups.O3(), ("1o", "1e", "2e")),
    (groups.SO3(), ("1", "2")),
    (groups.O2(), ("0o", "1", "2")),
    (groups.SO2(), ("1", "2")),
    (groups.Dihedral(4), ("1", "2e")),
]
every_case = pytest.mark.parametrize(("group", "irreps"), CASES, ids=[f"{g}-{i[-1]}" for g, i in CASES])


every_version = pytest.mark.parametrize("version", [{}, {"pure": True}, {"extra": 2}], ids=["ours", "pure", "extra"])


def extra_of(version, x):
    """Numbers of each particle, where the network takes some."""
    number = version.get("extra", 0)
    return (torch.sin(torch.arange(x[..., 0].numel() * number)).to(x).view(*x.shape[:2], number),) if number else ()


def vectors(group, batch=6, n=9, seed=0):
    """Random vectors in components of group.vector; for the Lorentz group momenta of light particles."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, n, group.vector.dim))
    if not group.compact:
        x[..., 0] = np.sqrt(0.1**2 + (x[..., 1:] ** 2).sum(-1))
    return torch.tensor(x @ group.coordinates.T), torch.tensor(rng.uniform(size=(batch, n)) > 0.2)


def moved(rep, g, x):
    return torch.einsum("nij,n...j->n...i", torch.tensor(rep(g)), x)


@every_case
@every_version
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 3e-5)])
def test_equivariant_with_random_weights_and_biases(group, irreps, version, dtype, tolerance):
    x, mask = vectors(group)
    g = group.sample(len(x), seed=1)
    worst = []
    for seed in range(5):
        torch.manual_seed(seed)
        net = models.LorentzGroupNetwork(group, irreps, mu=1.0, masses=(0.1, 10.0), **version).eval()
        net = testing.randomised(net, seed, dtype)
        extra = extra_of(version, x.to(dtype))
        with torch.no_grad():
            scalars, tensors, jet = net.features(x.to(dtype), mask, *extra)
            after = net.features(moved(group.vector, g, x).to(dtype), mask, *extra)
        assert scalars[..., -2:].std(1).min() > 1e-4  # the particles differ, behind the last layer
        assert tensors.abs().amax((0, 1)).min() > 1e-7  # no tensor is left empty
        before = (scalars, moved(net.rep, g, tensors.double()), jet)
        worst.append(
            max(float((a.double() - b.double()).norm() / b.double().norm()) for a, b in zip(after, before, strict=True))
        )
    # Random weights can make an invariant all but cancel: float32 then loses a digit, in one draw of several. Particles in all
    # directions have no axis to be turned about either, which jets have (`test_vector_output_in_float32_at_any_boost`).
    assert np.median(worst) < tolerance, worst
    assert max(worst) < 20 * tolerance, worst


@every_case
@every_version
def test_blind_to_order_and_to_what_is_masked(group, irreps, version):
    net = testing.randomised(models.LorentzGroupNetwork(group, irreps, mu=1.0, **version).eval(), 0, torch.float64)
    x, mask = vectors(group)
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0))
    extra = extra_of(version, x)
    scores = net(x, mask, *extra)
    assert (
        net(x[:, order], mask[:, order], *(e[:, order] for e in extra)) - scores
    ).abs().max() < 1e-10 * scores.abs().max()
    hidden = [torch.where(mask[..., None], v, 7.0) for v in (x, *extra)]
    assert (net(hidden[0], mask, *hidden[1:]) - scores).abs().max() == 0
    x, *extra = (torch.cat([v, v.new_ones(len(v), 3, v.shape[-1])], dim=1) for v in (x, *extra))
    more = x, torch.cat([mask, mask.new_zeros(len(x), 3)], dim=1), *extra
    assert (net(*more) - scores).abs().max() < 1e-12 * scores.abs().max()


def test_a_boost_in_float32_costs_no_digits_along_the_axis():
    """Light-cone components scale one by one: gamma = 1e4 costs no more than a rotation does."""
    group = groups.Lorentz()
    torch.manual_seed(0)
    net = testing.randomised(models.LorentzGroupNetwork(group, mu=1.0).eval(), 0, torch.float32)
    x, mask = vectors(group)
    g = group.element([0, 0, 0, 0, 0, np.arccosh(1e4)])
    boosted = torch.einsum("ij,bnj->bni", torch.tensor(group.vector(g)[0]), x)
    with torch.no_grad():
        before, after = net.features(x.float(), mask)[0], net.features(boosted.float(), mask)[0]
    assert (after - before).norm() < 1e-5 * before.norm()


def vector_output(net, momenta, mask, dtype):
    """The network's copies of (1,1), summed over particles, (jets, copies, 4): what it says of a jet that turns with it."""
    with torch.no_grad():
        tensors = net.features(torch.tensor(momenta).to(dtype), mask)[1]
    copies = net.rep.blocks[0][0]
    return tensors[..., : 4 * copies].unflatten(-1, (copies, 4)).sum(1).double().numpy()


def in_its_frame(jets):
    """Components about each jet's axis in float64, mask, and the matrices that took (E, px, py, pz) there."""
    momenta, mask = jets.momenta(50)
    components, mask = data.network_input(momenta, mask)
    matrices = np.tile(np.eye(4), (len(jets), 1, 1))
    matrices[:, 1:, 1:] = data.light_cone.frames(momenta.sum(1)[:, 1:])
    return components, torch.tensor(mask), groups.Lorentz().coordinates @ matrices


@pytest.mark.parametrize("gamma", [1, 10, 100, 1e3, 1e4])
def test_vector_output_in_float32_at_any_boost(gamma):
    """Jets boosted about any axis, components formed in float64: each component of the output is right to 1e-5 of its size.

    The output turns with the jet, from the frame of the jet at rest in the laboratory to that of the boosted one.
    """
    group, jets = groups.Lorentz(), data.jets("test", number=20).ordered("invariant")
    axes = np.random.default_rng(1).normal(size=(len(jets), 3))
    axes *= np.arccosh(gamma) / np.linalg.norm(axes, axis=1)[:, None]
    boost = group.element(np.concatenate([np.zeros_like(axes), axes], axis=1))
    before, mask, frame = in_its_frame(jets)
    after, _, other = in_its_frame(jets.moved(boost))
    turn = other @ group.matrix(boost) @ np.linalg.inv(frame)
    for seed in range(3):
        torch.manual_seed(seed)
        net = models.LorentzGroupNetwork(group).eval()
        exact = copy.deepcopy(net).double()
        wanted = np.einsum("nij,nkj->nki", turn, vector_output(exact, before, mask, torch.float64))
        for one, dtype, limit in ((net, torch.float32, 1e-5), (exact, torch.float64, 1e-6)):
            error = np.abs(vector_output(one, after, mask, dtype) - wanted).max((0, 1)) / np.abs(wanted).max((0, 1))
            assert error.max() < limit, (dtype, error)


NETWORKS = {
    "lorentz": lambda: models.LorentzGroupNetwork(groups.Lorentz()),
    "linear": lambda: models.LorentzGroupNetwork(groups.Lorentz(), products=False),
    "invariants": lambda: models.LorentzGroupNetwork(groups.Lorentz(), irreps=()),
    "pure": lambda: models.LorentzGroupNetwork(groups.Lorentz(), pure=True),
    "no masses": lambda: models.LorentzGroupNetwork(groups.Lorentz(), masses=None, shares=None),
    "particlenet": lambda: models.ParticleNet(),
    "deep sets": lambda: models.DeepSets(),
    "transformer": lambda: models.JetTransformer(),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [True, False])
def test_edge_cases_are_finite(name, training):
    """No constituents, no room for any, one, 300 of them, all in one place, and jets of zero momentum."""
    torch.manual_seed(0)
    net = NETWORKS[name]().train(training)
    single = torch.tensor([5.0, 1.0, 2.0, 2.0]).expand(2, 1, 4)
    cases = [
        (torch.zeros(3, 0, 4), torch.zeros(3, 0, dtype=torch.bool)),
        (torch.ones(3, 5, 4), torch.zeros(3, 5, dtype=torch.bool)),
        (single, torch.ones(2, 1, dtype=torch.bool)),
        (single.expand(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)),
        (torch.zeros(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)),
        (torch.rand(2, 300, 4), torch.ones(2, 300, dtype=torch.bool)),
    ]
    for x, mask in cases:
        x = x.clone().requires_grad_()
        scores = net(x, mask)
        assert scores.shape == (len(x), 2)
        assert scores.isfinite().all()
        scores.sum().backward()
        assert x.grad is None or x.grad.isfinite().all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("make", [models.ParticleNet, models.DeepSets, models.JetTransformer])
def test_a_detector_s_networks_know_its_symmetries_only(make):
    """Order, padding, and turns about the beam leave their scores alone; a turn of the beam does not."""
    torch.manual_seed(0)
    net = make().double().eval()
    group = groups.Lorentz()
    x, mask = vectors(group)
    x = x @ torch.tensor(group.coordinates)
    scores = net(x, mask)
    order = torch.randperm(x.shape[1])
    assert (net(x[:, order], mask[:, order]) - scores).abs().max() < 1e-10
    assert (net(torch.where(mask[..., None], x, 7.0), mask) - scores).abs().max() < 1e-10
    turn, tilt = (
        torch.tensor(group.matrix(group.element(theta))[0]) for theta in ([0, 0, 0.7, 0, 0, 0], [0.7, 0, 0, 0, 0, 0])
    )
    assert (net(x @ turn.T, mask) - scores).abs().max() < 1e-9
    assert (net(x @ tilt.T, mask) - scores).abs().max() > 1e-4


def test_particle_net_looks_at_its_nearest_neighbours():
    """A particle beyond the k nearest ones has no say in the first block."""
    torch.manual_seed(0)
    block = models.particle_net.EdgeConv(3, (4, 4, 4), neighbours=2).eval()
    place = torch.tensor([[[0.0, 0], [1, 0], [0, 1], [5, 5]]])
    x = torch.randn(1, 4, 3)
    far = x.clone()
    far[0, 3] += 1
    near = x.clone()
    near[0, 1] += 1
    mask = torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(block(x, place, mask)[0, 0], block(far, place, mask)[0, 0])
    assert not torch.allclose(block(x, place, mask)[0, 0], block(near, place, mask)[0, 0])
    mask[0, 1] = False
    assert torch.equal(block(x, place, mask)[0, 0], block(near, place, mask)[0, 0])


@every_case
def test_no_path_is_missing(group, irreps):
    """As many products of each kind as multiplicities say, within a particle and with its vector; Schur's weights for all."""
    net = models.LorentzGroupNetwork(group, irreps, channels=(2, 3, 4), mu=1.0)
    vector, labels = group.vector.blocks[0][1], [group.irrep(a) for a in irreps]
    for layer, before, few, many in zip(net.layers, ([vector], labels), (2, 3), (3, 4), strict=True):
        counts = []
        for c in labels:
            within = sum(group.tensor_product(a, b).get(c, 0) for a in before for b in before)
            across = sum(group.tensor_product(vector, b).get(c, 0) for b in before)
            assert layer.within.blocks[1 + labels.index(c)] == (within, c)
            # F, its sum over pairs, the vector's, and products with the vector before and after the sum.
            counts.append(2 * before.count(c) + (c == vector) + within + 2 * across)
        sizes = [weight.numel() for weight in layer.schur.weights]
        assert sizes == [few * n * many * c.endo for n, c in zip(counts, labels, strict=True)]


def test_without_products_less_is_left():
    full = NETWORKS["lorentz"]()
    linear = NETWORKS["linear"]()
    assert full.layers[0].within.sizes[2] > 0
    assert linear.layers[0].within.sizes[2] == linear.layers[0].across.sizes[2] == 0


def test_the_published_network_weighs_pairs_by_their_difference():
    """What its layers are given of a pair is (p_i - p_j)^2 in units of the masses' geometric mean, squared."""
    group = groups.Lorentz()
    net = models.LorentzGroupNetwork(group, masses=(4.0, 9.0), pure=True).double().eval()
    x, mask = vectors(group)
    seen = []
    net.layers[0].register_forward_pre_hook(lambda layer, given: seen.append(given[3]))
    net(x, mask)
    apart = (x[:, :, None] - x[:, None]) / 6
    square = torch.einsum("bijm,mn,bijn->bij", apart, torch.tensor(group.metric), apart)
    both = mask[:, :, None] & mask[:, None]
    assert (seen[0] - square)[both].abs().max() < 1e-12


def test_products_sorted_by_irrep_are_those_of_the_layer():
    """Against nn.TensorProduct, block by block; (8,8) x (8,8) -> (8,8) is large and nearly empty, and takes another way there."""
    group = groups.Lorentz()
    for labels, keep in ((["(1,1)", "(2,0)"], ["(0,0)", "(2,0)", "(2,2)"]), (["(8,8)"], ["(0,0)", "(8,8)"])):
        blocks, kept = [(1, group.irrep(a)) for a in labels], [group.irrep(a) for a in keep]
        ours = rows.Products(group, blocks, blocks, kept)
        rep = group.rep(blocks)
        theirs = nn.TensorProduct(rep, rep, group.rep([(1, c) for c in kept]), weights=None).double()
        x, y = torch.randn(2, 7, rep.dim, dtype=torch.float64)
        found, wanted = ours(x.T.contiguous(), y.T.contiguous()), theirs(x, y)
        for (mul, c), part in zip(ours.blocks, found.split([mul * c.dim for mul, c in ours.blocks]), strict=True):
            same = [
                w.unflatten(1, (m, c.dim))
                for w, (m, a) in zip(
                    wanted.split([m * a.dim for m, a in theirs.rep_out.blocks], 1), theirs.rep_out.blocks, strict=True
                )
                if a == c
            ]
            assert torch.allclose(part.unflatten(0, (c.dim, mul)).permute(2, 1, 0), torch.cat(same, 1), atol=1e-12)
    assert theirs._sparse  # the second case is of that kind


def test_gradients_of_messages_and_of_their_gradients():
    """In place, computed anew, against the plain way; with channels and without."""
    torch.manual_seed(0)
    for channels in (2, 0):
        shapes = ((3, 2, 4), (3, 2, 4), (3, 5), (5, 2, 4, 4), (channels, 3))
        inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
        assert torch.autograd.gradcheck(rows.messages, inputs)
        assert torch.autograd.gradgradcheck(rows.messages, inputs)
        several = torch.stack([inputs[0].detach(), 2 * inputs[0].detach()])
        rest = [x.detach() for x in inputs[1:]]
        grads = torch.func.vmap(torch.func.grad(lambda left, rest=rest: rows.messages(left, *rest)[0].square().sum()))(
            several
        )
        plain = torch.func.grad(lambda left, rest=rest: rows.plain_messages(left, *rest)[0].square().sum())
        assert torch.allclose(grads, torch.stack([plain(left) for left in several]), atol=1e-12)


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_compiles_without_a_graph_break():
    torch._dynamo.reset()
    # Two layers are all kinds there are, one on momenta and one on what a layer gives; more irreps are more of the same.
    lorentz = models.LorentzGroupNetwork(groups.Lorentz(), ("(1,1)", "(2,0)"), channels=(2, 3, 2))
    pure = models.LorentzGroupNetwork(groups.Lorentz(), ("(1,1)", "(2,0)"), channels=(2, 3, 2), pure=True)
    others = {"particlenet": models.ParticleNet(), "deep sets": models.DeepSets()}
    for name, net in {"lorentz": lorentz, "pure": pure, **others}.items():
        net = net.eval()
        x, mask = torch.rand(2, 5, 4), torch.ones(2, 5, dtype=torch.bool)
        compiled = torch.compile(copy.deepcopy(net), fullgraph=True, backend="aot_eager")
        assert torch.allclose(compiled(x, mask), net(x, mask), atol=1e-5), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: models.LorentzGroupNetwork(groups.Dihedral(2)),
            "with vector 1x1e+1x1o, expected one whose vector is one irrep",
        ),
        (
            lambda: models.LorentzGroupNetwork(groups.Lorentz(), ("(0,0)", "(1,1)")),
            "irreps: got ('(0,0)', '(1,1)'), expected none that is (0,0)",
        ),
        (
            lambda: models.LorentzGroupNetwork(groups.Lorentz(), channels=(2,)),
            "channels: got (2,), expected at least an input and an output",
        ),
        (lambda: models.LorentzGroupNetwork(groups.Lorentz(), mu=0.0), "mu: got 0.0, expected a positive number"),
        (lambda: NETWORKS["lorentz"]()(torch.ones(2, 3, 5), torch.ones(2, 3) > 0), "got (2, 3, 5)"),
        (
            lambda: NETWORKS["lorentz"]()(torch.ones(2, 3, 4), torch.ones(2, 3)),
            "mask: got torch.float32 (2, 3), expected torch.bool (2, 3)",
        ),
        (
            lambda: NETWORKS["lorentz"]()(torch.full((1, 1, 4), torch.nan), torch.ones(1, 1) > 0),
            "vectors: got NaN or inf, expected finite numbers",
        ),
        (
            lambda: NETWORKS["particlenet"]()(torch.ones(2, 3, 5), torch.ones(2, 3) > 0),
            "momenta: got (2, 3, 5), expected (batch, n, 4)",
        ),
        (
            lambda: NETWORKS["particlenet"]()(torch.ones(2, 3, 4), torch.ones(2, 4) > 0),
            "mask: got torch.bool (2, 4), expected torch.bool (2, 3)",
        ),
        (
            lambda: models.LorentzGroupNetwork(groups.Lorentz(), extra=2)(torch.ones(2, 3, 4), torch.ones(2, 3) > 0),
            "extra: got None, expected (batch, n, 2), as many as the network has",
        ),
        (
            lambda: NETWORKS["lorentz"]()(torch.ones(2, 3, 4), torch.ones(2, 3) > 0, torch.ones(2, 3, 1)),
            "extra: got (2, 3, 1), expected none: the network has none",
        ),
        (
            lambda: models.LorentzGroupNetwork(groups.Lorentz(), extra=1)(
                torch.ones(1, 1, 4), torch.ones(1, 1) > 0, torch.full((1, 1, 1), torch.inf)
            ),
            "extra: got NaN or inf, expected finite numbers",
        ),
        (lambda: models.LorentzGroupNetwork(groups.Lorentz(), extra=-1), "extra: got -1, expected a whole number >= 0"),
        (lambda: models.LorentzGroupNetwork(groups.Lorentz(), (), pure=True), "pure: got True without masses, irreps"),
        (lambda: models.JetTransformer(width=6), "width: got 6, expected a multiple of heads, 4"),
        (lambda: models.ParticleNet(neighbours=0), "neighbours: got 0, expected a whole number >= 1"),
    ],
)
def test_refused_with_the_reason(call, message):
    with pytest.raises(ValueError) as caught:  # the message is looked at whole
        call()
    assert message in str(caught.value)
