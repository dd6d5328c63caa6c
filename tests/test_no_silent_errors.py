"""What was once wrong without a word: each case is now right, or refused with the argument's name."""

import warnings

import numpy as np
import pytest
import torch

from eqlib import data, doors, graphs, groups, harmonics, kernels, models, nn, training
from eqlib.groups.spatial import su2_clebsch_gordan
from eqlib.products import engines

O2, O3, SO2, SO3, LORENTZ = groups.O2(), groups.O3(), groups.SO2(), groups.SO3(), groups.Lorentz()
Embedding = groups.Embedding


def turns(*angles):
    """About z."""
    return SO3.element([[0, 0, angle] for angle in angles])


def cyclic(*images):
    """C2 in C4 by the number of quarter turns that each of its elements is."""
    return Embedding(np.zeros((0, 0)), groups.Cyclic(4).element(np.zeros((len(images), 0)), images))


# Embeddings and generators ------------------------------------------------------------------------------------------------

NO_EMBEDDINGS = {
    "a bracket": (SO3, SO3, Embedding(2 * np.eye(3), SO3.identity()), "X_0 and X_1 have another bracket"),
    "an odd permutation of axes": (SO3, SO3, Embedding(np.eye(3)[[1, 0, 2]], SO3.identity()), "have another bracket"),
    "SO(3) along the first generators": (
        SO3,
        groups.SU(3),
        Embedding(np.eye(3, 8), groups.SU(3).identity()),
        "bracket",
    ),
    "a product": (
        groups.Cyclic(4),
        SO3,
        Embedding(np.zeros((0, 3)), turns(0, 0.3, 0.6, 0.9)),
        "components 3 and 1 have another product than the image of theirs, component 0",
    ),
    "a component's turn": (
        O2,
        SO3,
        Embedding(np.array([[0, 0, 1.0]]), SO3.identity(2)),
        "component 1 turns the image of X_0 into something else",
    ),
    "a shape": (SO2, SO3, Embedding(np.eye(3), SO3.identity()), "got an algebra (3, 3), expected (1, 3)"),
    "NaN": (SO2, SO3, Embedding(np.array([[0, 0, np.nan]]), SO3.identity()), "algebra: got NaN"),
    "too few components": (O2, SO3, Embedding(np.array([[0, 0, 1.0]]), SO3.identity()), "1 components, expected 2"),
    "another group's components": (SO2, SO3, Embedding(np.array([[0, 0, 1.0]]), O3.identity()), "elements of SO3"),
    "another identity": (
        SO2,
        SO3,
        Embedding(np.array([[0, 0, 1.0]]), turns(0.1)),
        "than the identity for the identity",
    ),
}


@pytest.mark.parametrize("name", NO_EMBEDDINGS)
def test_an_embedding_that_is_no_homomorphism_is_refused(name):
    sub, group, embedding, words = NO_EMBEDDINGS[name]
    with pytest.raises(ValueError) as error:
        groups.restrict(group.rep([(1, next(a for a in group.irreps() if a.dim > 1))]), sub, embedding)
    assert words in str(error.value) and f"embedding of {sub} in {group}" in str(error.value)


def test_a_turn_that_closes_too_late_fits_no_irrep():
    """Brackets cannot see it: the generator of SO(2), halved, is one of a double cover."""
    with pytest.raises(
        ValueError, match=r"2 of 3 dimensions fit none of the first .* irreps of SO2: the matrices are no"
    ):
        groups.restrict(SO3.rep("1"), SO2, Embedding(np.array([[0, 0, 0.5]]), SO3.identity()))


def test_induction_asks_for_a_homomorphism_too():
    sub, group = groups.Cyclic(2), groups.Cyclic(4)
    assert groups.induce(sub.rep("1"), group, cyclic(0, 2))[0] == group.rep("1")
    for call in (
        lambda: groups.induce(sub.rep("1"), group, cyclic(0, 1)),
        lambda: groups.induced_multiplicity(sub.rep("1"), group.irrep("1"), cyclic(0, 1)),
    ):
        with pytest.raises(ValueError, match="components 1 and 1 have another product"):
            call()


def test_matrices_of_no_rep_of_a_finite_group_are_refused():
    with pytest.raises(ValueError, match="1 of 1 dimensions fit no irrep of Cyclic"):
        groups.subgroups.decompose((np.zeros((0, 1, 1)), np.full((1, 1, 1), 0.5)), groups.Cyclic(2))


SCALES = [1e-50, 1e-9, 1e-5, 1.0, 1e5, 1e30]
GIVEN = {
    "SO3": SO3.rep("1+2").generators(),
    "Lorentz": LORENTZ.rep("(1,1)+(2,0)").generators(),
    "SU2": groups.SU(2).rep("(1)+(2)").generators(),
}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("scales", [*SCALES, (1.0, 1e-5, 1e-3)])
def test_the_size_of_generators_does_not_matter(name, scales):
    plain = GIVEN[name]
    each = np.resize(scales, len(plain))[:, None, None]
    reference, rep = (groups.from_generators(x)[0] for x in (plain, each * plain))
    _, q = groups.from_generators(each * plain)
    assert [a.dim for _, a in rep] == [a.dim for _, a in reference] and rep.group.compact == reference.group.compact
    assert np.abs(q @ rep.generators() @ q.T / each - plain).max() < 1e-9
    a, b = rep[-1][1], reference[-1][1]
    assert [(c.dim, n) for c, n in rep.group.tensor_product(a, a).items()] == [
        (c.dim, n) for c, n in reference.group.tensor_product(b, b).items()
    ]
    for c in rep.group.tensor_product(a, a):
        assert rep.group.clebsch_gordan(a, a, c).residual < 1e-10
    moved = rep(rep.group.sample(8)) - np.eye(rep.dim)
    assert np.abs(moved).max() > 0.5  # elements that are not all near the identity


TURN = SO2.rep("1").generators()
NO_GROUPS = {
    "not normalised": ([np.eye(2), np.diag([1, 2.0])], "discrete matrix 1 does not map the Lie algebra onto itself"),
    "not closed": ([np.eye(2), np.array([[0, 1], [1, 0.0]]), np.diag([1, -1.0])], "matrices 1 and 2 have a product"),
    "twice": ([np.eye(2), np.diag([1, -1.0]), np.diag([1, -1.0])], "discrete: got one matrix twice"),
}


@pytest.mark.parametrize("name", NO_GROUPS)
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_discrete_matrices_must_make_a_group_with_the_algebra(name, scale):
    discrete, words = NO_GROUPS[name]
    with pytest.raises(ValueError, match=words):
        groups.from_generators(scale * TURN, discrete)


def test_generators_beyond_any_scale_are_refused():
    for x in (0 * TURN, 1e-200 * TURN, np.array([1e-10, 1, 1])[:, None, None] * SO3.rep("1").generators()):
        with pytest.raises(ValueError, match="generators: got matrices of sizes"):
            groups.from_generators(x)


# Elements, labels and numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("rapidity", [0, 1e-9, 1e-3, 0.5, 2, 4, 7, 10, 15, 18, 20, 23, 26])
def test_lorentz_matrices_of_any_rapidity_give_their_element(rapidity, parity):
    group, rng, n = groups.Lorentz(parity), np.random.default_rng(0), 40
    along = rng.normal(size=(n, 3))
    along *= rapidity / np.linalg.norm(along, axis=1, keepdims=True)
    before, after = (group.element(np.c_[rng.normal(size=(n, 3)), np.zeros((n, 3))]) for _ in range(2))
    component = np.arange(n) % group.components
    g = before * group.element(np.c_[np.zeros((n, 3)), along], component) * after
    matrix = group.matrix(g)
    again = group.from_matrix(matrix)
    assert np.abs(group.matrix(again) - matrix).max() < 1e-13 * np.abs(matrix).max()
    if rapidity < 10:  # an irrep that tells more than the vector
        label = "(2,2)e" if parity else "(2,2)"
        assert np.allclose(
            group.irrep(label)(again), group.irrep(label)(g), rtol=1e-8, atol=1e-8 * np.cosh(rapidity) ** 2
        )
    single = group.from_matrix(matrix.astype(np.float32)) if rapidity < 8 else again
    assert np.abs(group.matrix(single) - matrix).max() < 1e-5 * np.abs(matrix).max()


@pytest.mark.parametrize("rapidity", [0, 1, 3, 4, 5, 6, 7, 9, 12, 14])
@pytest.mark.parametrize("by", [0.1, 1e-2, 1e-3])
def test_lorentz_matrices_outside_the_group_are_refused(rapidity, by):
    boost = LORENTZ.matrix(LORENTZ.element([0.3, 0, 1, 0.3 * rapidity, 0.2 * rapidity, 0.93 * rapidity]))[0]
    rng = np.random.default_rng(0)
    wrong = [boost @ np.diag([1, 1, 1, 1 + by]), boost @ np.diag([1 + by, 1, 1, 1]), boost.copy()]
    wrong[2][1, 2] += by
    wrong += [boost + by * rng.normal(size=(4, 4)) for _ in range(5)]
    for matrix in wrong:
        with pytest.raises(ValueError, match=r"must preserve the metric|must not reverse time"):
            LORENTZ.from_matrix(matrix)


def test_lorentz_matrices_beyond_the_digits_are_refused():
    with pytest.raises(ValueError, match=r"has gamma 1\.5e\+13: of the turn in it float64 keeps no digits"):
        LORENTZ.from_matrix(LORENTZ.matrix(LORENTZ.element([0, 0, 0, 0, 0, 31.0])))


REFUSED = {
    "an imaginary part": (lambda: O3.from_matrix(np.eye(3) * 1j), "matrices of O3: got complex numbers"),
    "half a component": (lambda: O3.element(np.zeros(3), component=0.5), "component: got 0.5"),
    "components for other coordinates": (lambda: O3.element(np.zeros((3, 3)), [0, 1]), "component: got 2 for 3"),
    "NaN of a finite group": (lambda: groups.Octahedral().find(np.full((3, 3), np.nan)), "expected elements of"),
    "half a channel": (lambda: groups.fields(O3.rep("1o"), 1.5), "channels: got 1.5"),
    "half a copy": (lambda: O3.rep([(1.5, "1o")]), "multiplicity in a rep of O3: got 1.5"),
    "a true copy": (lambda: O3.rep([(True, "1o")]), "multiplicity in a rep of O3: got True"),
    "a number for a rep": (lambda: O3.rep(1), "rep of O3: got 1"),
    "None for a rep": (lambda: O3.rep(None), "rep of O3: got None"),
    "another script's type": (lambda: groups.Simple("A\N{ARABIC-INDIC DIGIT TWO}"), "unknown simple type"),
    "another script's label": (lambda: SO3.irrep("\N{ARABIC-INDIC DIGIT TWO}"), "expected plain digits"),
    "another script's multiplicity": (lambda: SO3.rep("\N{ARABIC-INDIC DIGIT TWO}x1"), "no irrep|expected plain"),
    "another script's weight": (lambda: groups.SU(3).irrep("(1,\N{ARABIC-INDIC DIGIT TWO})"), "expected plain digits"),
    "a label of 2^63 - 1": (lambda: groups.SU(3).irrep(f"({2**63 - 1},0)"), "whole numbers from 0 to 1000000"),
    "a label of 2^63": (lambda: groups.SU(3).irrep(f"({2**63},0)"), "whole numbers from 0 to 1000000"),
    "half of Cyclic": (lambda: groups.Cyclic(2.5), "n: got 2.5"),
    "no matrix": (lambda: O3.from_matrix("turn"), "matrices of O3: got 'turn'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, words = REFUSED[name]
    with pytest.raises(ValueError) as error:
        call()
    assert any(part in str(error.value) for part in words.split("|")), str(error.value)


def test_dimensions_of_large_labels_are_exact():
    n = 1_000_000  # Weyl: (p + 1)(q + 1)(p + q + 2) / 2, twice for a complex pair
    assert groups.SU(3).irrep(f"({n},{n})").dim == (n + 1) ** 3
    assert groups.SU(3).irrep(f"({n},0)").dim == (n + 1) * (n + 2)
    assert O3.rep([(2**62, "1o"), (2**62, "1o")]).slices[1] == slice(3 * 2**62, 6 * 2**62)


def test_no_elements_are_none():
    for group in (groups.Cyclic(3), O3, LORENTZ):
        assert len(group.identity(0)) == len(group.sample(0)) == 0
        assert group.matrix(group.identity(0)).shape == (0, group.vector.dim, group.vector.dim)


def test_clebsch_gordan_tensors_of_large_spins_are_unitary():
    """Their integers leave the range of floats, their quotients do not."""
    for spin, total in ((120, 0), (120, 120), (120, 238), (121, 2)):  # twice the spins
        c = su2_clebsch_gordan(spin, spin, total)
        assert np.abs(np.einsum("abm,abn->mn", c, c) - np.eye(total + 1)).max() < 1e-12


# The range of float32 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["fast", "torch"])
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e6, 1e10, 1e15, 1e18])
@pytest.mark.parametrize("group", [O2, O3, LORENTZ], ids=str)
def test_harmonics_have_a_direction_at_any_size(group, size, engine):
    x = torch.tensor(group.coordinates @ np.array({2: [3, 4], 3: [1, 2, 2], 4: [5, 1, 2, 3]}[group.vector.dim]))
    layer = harmonics.Harmonics(group, 3, mu=1.0, normalization="norm")
    given = (size * x).float().requires_grad_()
    with engines.using(engine):
        y = layer(given[None])
        (slope,) = torch.autograd.grad(y.sum(), given)
    expected = layer.double()((size * x)[None]).float()
    assert torch.allclose(y, expected, atol=1e-4, rtol=1e-4)
    assert slope.isfinite().all() and (size > 1e9 or slope.abs().max() > 0 or size < 1e-6)
    if size > 10:  # mu no longer counts
        unit = harmonics.Harmonics(group, 3, normalization="norm")(x.float()[None])
        assert (y - unit).abs().max() < 2 / size**2 + 1e-4


@pytest.mark.parametrize("engine", ["fast", "torch"])
@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_harmonics_say_nan_where_a_square_overflows(mu, engine):
    with engines.using(engine):
        y = harmonics.Harmonics(O3, 2, mu=mu)(torch.tensor([[1e20, 0, 0], [1.0, 0, 0], [torch.nan, 0, 0]]))
    assert y[0, 1:].isnan().all() and y[1].isfinite().all() and y[2, 1:].isnan().all()


SIZED = {
    "NormActivation": (lambda rep: nn.NormActivation(rep), 1e18),
    "BatchNorm": (lambda rep: nn.BatchNorm(rep), 1e18),
    "LayerNorm": (lambda rep: nn.LayerNorm(rep), 1e18),
}


@pytest.mark.parametrize(
    "rep", [O3.rep("3x0e+2x1o+2e"), LORENTZ.rep("2x(0,0)+2x(1,1)+(2,0)"), SO2.rep("0+2x1")], ids=repr
)
@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e10, 1e15, 1e18])
def test_layers_answer_at_any_size(rep, name, size):
    """As float64 does, and NaN, not zero, where even the squares leave float32."""
    layer = SIZED[name][0](rep)
    x = torch.tensor(np.random.default_rng(0).normal(size=(20, rep.dim)))
    y, expected = layer((size * x).float()), SIZED[name][0](rep).double()(size * x)
    assert torch.allclose(y.double(), expected, rtol=2e-3, atol=1e-3 * float(expected.detach().abs().max()) + 1e-30)
    y = SIZED[name][0](rep)((1e20 * x).float())
    assert y.isnan().any() and (name == "NormActivation" or not (y == 0).any())  # a ReLU has zeros of its own


def test_momenta_in_ev_are_refused_with_the_unit():
    jet = np.array([[3e11, 1e11, 2e11, 2e11], [1e11, 0, 0, 1e11]])  # eV
    with pytest.raises(ValueError, match=r"an energy of 3e\+11.* in GeV"):
        data.Jets.from_momenta([jet])
    with pytest.raises(ValueError, match=r"entries up to 3e\+11, expected momenta in GeV"):
        data.network_input(jet[None], np.ones((1, 2), dtype=bool))
    net = models.LorentzGroupNetwork(LORENTZ, ["(1,1)"], channels=(2, 2), scalars=4, hidden=4).eval()
    x = torch.tensor(jet @ LORENTZ.coordinates.T)[None].float()
    with pytest.raises(ValueError, match="expected momenta in the unit of mu and masses, GeV"):
        net(x, torch.ones(1, 2, dtype=torch.bool))
    assert net(x / 1e3, torch.ones(1, 2, dtype=torch.bool)).isfinite().all()  # large, not absurd


# What the caller cannot see -------------------------------------------------------------------------------------------------

C4 = groups.Cyclic(4)
REP = C4.rep("2x0+2x1")
PIXELS = torch.randn(2, REP.dim, 8, 8)


def test_a_kernel_follows_its_weights_however_they_are_written():
    conv = nn.GridConv(REP, REP, 3, bias=True).eval()
    with torch.no_grad():
        for change in (
            lambda p: p.data.mul_(2),
            lambda p: p.detach().numpy().__imul__(3),
            lambda p: torch._foreach_add_([p.data], 0.5),
            lambda p: setattr(p, "data", p.data + 1),
        ):
            conv(PIXELS)
            for p in conv.parameters():
                change(p)
            fresh = nn.GridConv(REP, REP, 3).eval()
            fresh.load_state_dict(conv.state_dict())
            assert torch.equal(conv(PIXELS), fresh(PIXELS))


def test_a_kernel_inside_and_after_inference_mode():
    plain = nn.GridConv(REP, REP, 3).eval()
    with torch.no_grad():
        expected = plain(PIXELS)
    conv = nn.GridConv(REP, REP, 3).eval()
    conv.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        assert torch.equal(conv(PIXELS), expected)
        born = nn.GridConv(REP, REP, 3).eval()
        born.load_state_dict(plain.state_dict())
        assert torch.equal(born(PIXELS), expected)
    with torch.no_grad():
        assert torch.equal(conv(PIXELS), expected)
    assert conv(PIXELS).requires_grad


def test_a_kernel_with_weight_normalisation():
    conv = torch.nn.utils.parametrizations.weight_norm(nn.GridConv(REP, REP, 3))
    trained = conv(PIXELS)
    with torch.no_grad():
        assert torch.allclose(conv.eval()(PIXELS), trained, atol=1e-6)
        conv.parametrizations.weight.original0.mul_(2)
        assert torch.allclose(conv(PIXELS), 2 * trained - (conv.bias @ conv.place)[:, None, None], atol=1e-5)


RADIAL = kernels.Bessel(4, 3.0)
MADE = {
    "Linear": lambda: nn.Linear(SO2.rep("2x0+2x1"), SO2.rep("0+1")),
    "GridConv": lambda: nn.GridConv(O2.rep("2x0e+1"), O2.rep("0e+2x1+2"), 3),
    "PointConv": lambda: nn.PointConv(O3.rep("2x0e+2x1o"), O3.rep("0e+1o+2e"), 2, kernels.Bessel(4, 3.0)),
    "depthwise": lambda: nn.PointConv(
        O3.rep("4x0e+4x1o"), O3.rep("4x0e+4x1o"), 2, kernels.Bessel(4, 3.0), depthwise=True
    ),
    "TensorProduct": lambda: nn.TensorProduct(O3.rep("2x1o"), O3.rep("1o"), O3.rep("0e+1e+2e")),
    "bare TensorProduct": lambda: nn.TensorProduct(O3.rep("2x1o"), O3.rep("1o"), O3.rep("0e+1e+2e"), weights=None),
    "Gate": lambda: nn.Gate(O3.rep("2x0e+1o")),
    "NormActivation": lambda: nn.NormActivation(LORENTZ.rep("(0,0)+(1,1)")),
    "BatchNorm": lambda: nn.BatchNorm(SO2.rep("0+1")),
    "LayerNorm": lambda: nn.LayerNorm(LORENTZ.rep("(0,0)+(1,1)")),
    "Invariants": lambda: nn.Invariants(LORENTZ.vector),
    "Restrict": lambda: nn.Restrict(O3.rep("1o+2e"), groups.Octahedral()),
    "FourierActivation": lambda: nn.FourierActivation(groups.regular(C4)[0]),
    "GroupPool": lambda: nn.GroupPool(groups.regular(C4)[0]),
    "CircularMask": lambda: nn.CircularMask(8),
    "Harmonics": lambda: harmonics.Harmonics(groups.Octahedral(), 3),
    "space-time harmonics": lambda: harmonics.Harmonics(LORENTZ, 2, mu=1.0),
    "SteerableKernel": lambda: kernels.SteerableKernel(O2.rep("0e"), O2.rep("1"), 2),
    "RadialMLP": lambda: kernels.RadialMLP(kernels.Gaussians(4, 3.0), 8, 2),
    "Elements": lambda: models.PhononNet(
        models.TensorFieldNetwork(O3.rep("4x0e"), O3.rep("4x0e"), ["4x0e+2x1o"], 1, lambda: RADIAL), [29, 79]
    ),
    "LorentzGroupNetwork": lambda: models.LorentzGroupNetwork(LORENTZ, ["(1,1)"], channels=(2, 2), scalars=4, hidden=4),
    "EquivariantMLP": lambda: models.EquivariantMLP(O3.rep("2x1o"), O3.rep("4x0e+2x1o"), O3.rep("0e+2e"), 1, 2),
    "CoordinateMLP": lambda: models.CoordinateMLP(points=4, outputs=6, hidden=[8]),
    "DenseGraphs": lambda: models.DenseGraphs([8], nodes=4),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.filterwarnings("ignore:kernel_size . carries degrees")
def test_a_module_made_without_memory_has_its_constants_when_it_gets_some(name):
    """`torch.device("meta")`, then `to_empty`, as large models are made: only parameters and saved buffers are to be loaded."""
    plain = MADE[name]()
    with torch.device("meta"):
        other = MADE[name]()
    other = other.to_empty(device="cpu")
    other.load_state_dict(plain.state_dict())
    for (one, a), (two, b) in zip(plain.named_buffers(), other.named_buffers(), strict=True):
        assert one == two and torch.equal(a, b) and a.dtype == b.dtype, one
    for module in other.modules():
        for held in vars(module).values():
            for tensor in held if isinstance(held, list | tuple) else [held]:
                assert not (isinstance(tensor, torch.Tensor) and tensor.is_meta), type(module)


def test_a_stride_that_turns_cannot_follow_is_said_once():
    conv = nn.GridConv(REP, REP, 3, stride=2)
    with pytest.warns(
        UserWarning, match="Expected size \\+ 2 padding - kernel_size, here size -1, to be a multiple of 2"
    ):
        conv(PIXELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        conv(PIXELS)
        nn.GridConv(REP, REP, 3, stride=2)(PIXELS[..., :7, :7])
        trivial = groups.Cyclic(1).rep("0")
        nn.GridConv(trivial, trivial, 3, stride=2)(PIXELS[:, :1])


JETS = {
    "ParticleNet": lambda: models.ParticleNet(channels=((8, 8, 8),), hidden=8),
    "DeepSets": lambda: models.DeepSets(width=8),
    "JetTransformer": lambda: models.JetTransformer(width=8, layers=1),
    "LorentzGroupNetwork": lambda: models.LorentzGroupNetwork(LORENTZ, ["(1,1)"], channels=(2, 2), scalars=4, hidden=4),
}


@pytest.mark.parametrize("what", [torch.nan, torch.inf, 1e30, -7.0])
@pytest.mark.parametrize("name", JETS)
def test_masked_particles_count_for_nothing_whatever_they_hold(name, what):
    torch.manual_seed(0)
    net = JETS[name]()
    momenta, mask = torch.rand(3, 6, 4) + torch.tensor([2.0, 0, 0, 0]), torch.rand(3, 6) > 0.3
    mask[:, :2] = True
    clean = momenta.masked_fill(~mask[..., None], 0.0)
    for mode in (net.eval(), net.train()):
        torch.manual_seed(1)
        expected = mode(clean, mask)
        torch.manual_seed(1)
        assert torch.equal(mode(momenta.masked_fill(~mask[..., None], what), mask), expected)
    momenta.masked_fill_(~mask[..., None], what).requires_grad_()
    net(momenta, mask).sum().backward()
    assert momenta.grad.isfinite().all() and not momenta.grad[~mask].any()


# A last batch of one, and costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "size", "expected"),
    [(33, 32, [33]), (65, 32, [32, 33]), (34, 32, [32, 2]), (1, 4, [1]), (3, 1, [1, 1, 1])],
)
def test_a_last_batch_of_one_joins_the_one_before(number, size, expected):
    seen = []

    class Counting(torch.nn.Linear):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    x = torch.randn(number, 1)
    training.fit(Counting(1, 1), torch.nn.functional.mse_loss, (x, x), epochs=1, batch_size=size, progress=False)
    assert seen == expected


@pytest.mark.parametrize("name", ["harmonic", "cnn"])
def test_networks_with_batch_norm_train_on_33_images_in_batches_of_32(name):
    images = torch.rand(33, 1, 13, 13)
    norm = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(169, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2)
    )
    net = norm if name == "cnn" else models.SteerableCNN(SO2, ["2x0+2x1"], classes=2)
    labels = torch.arange(33) % 2
    history = training.fit(net, training.cross_entropy, (images, labels), epochs=2, batch_size=32, progress=False)
    assert np.isfinite(history.loss).all()


def test_a_label_above_the_classes_is_named():
    x = torch.randn(8, 3)
    with pytest.raises(ValueError, match=r"train: got targets 0 \.\.\. 7, expected labels 0, 1, \.\.\. below"):
        training.fit(
            torch.nn.Linear(3, 2), training.cross_entropy, (x, torch.arange(8)), epochs=1, batch_size=8, progress=False
        )


MANY = 10**8
HUGE = O3.rep([(MANY, "0e"), (MANY, "1o")])
FLAT = O2.rep([(MANY, "0e"), (MANY, "1")])
COSTLY = {
    "generators": lambda: O3.irrep("5000e").generators,
    "a rep's generators": lambda: HUGE.generators(),
    "a rep's matrices": lambda: HUGE(O3.identity()),
    "harmonics.matrices": lambda: harmonics.matrices(HUGE, torch.eye(3)),
    "restrict": lambda: groups.restrict(HUGE, SO3),
    "induce": lambda: groups.induce(SO3.rep([(MANY, "1")]), O3),
    "regular": lambda: groups.regular(groups.Cyclic(50_000)),
    "a tensor of spins": lambda: O3.clebsch_gordan("300e", "300e", "300e"),
    "a Lorentz tensor": lambda: LORENTZ.clebsch_gordan("(60,60)", "(60,60)", "(60,60)"),
    "elements": lambda: O3.sample(10**11),
    "Linear": lambda: nn.Linear(HUGE, HUGE),
    "TensorProduct": lambda: nn.TensorProduct(HUGE, HUGE, HUGE),
    "bare TensorProduct": lambda: nn.TensorProduct(HUGE, HUGE, HUGE, weights=None),
    "GridConv": lambda: nn.GridConv(FLAT, FLAT, 3),
    "PointConv": lambda: nn.PointConv(HUGE, HUGE, 1, RADIAL),
    "NormActivation": lambda: nn.NormActivation(O3.rep([(10**10, "1o")])),
    "BatchNorm": lambda: nn.BatchNorm(O3.rep([(10**10, "1o")])),
    "CircularMask": lambda: nn.CircularMask(MANY),
    "a wide network": lambda: models.DeepSets(width=MANY),
    "a wide radial network": lambda: kernels.RadialMLP(RADIAL, MANY, 4),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_cost_is_said_before_it_is_paid(name):
    with pytest.raises(ValueError, match=r"entries would take .* GB, more than|expected a whole number from 1 to"):
        COSTLY[name]()


def test_dimensions_alone_cost_nothing():
    assert O3.irrep("500000e").dim == 1_000_001 and HUGE.dim == 4 * MANY
    assert nn.Gate(HUGE).rep_in.dim == 5 * MANY
    assert groups.Product(O3, SO3).irrep("(500000e)*(2)").dim == 5 * 1_000_001
    assert doors.LIMIT * 8 < 3e9


FLOATS = {
    "Linear": lambda: nn.Linear(O3.rep("2x0e+1o"), O3.rep("1o")),
    "TensorProduct": lambda: (lambda layer: lambda x: layer(x, x))(nn.TensorProduct(*[O3.rep("2x0e+1o")] * 3)),
    "Gate": lambda: nn.Gate(O3.rep("2x0e+1o")),
    "NormActivation": lambda: nn.NormActivation(O3.rep("2x0e+1o")),
    "BatchNorm": lambda: nn.BatchNorm(O3.rep("2x0e+1o")),
    "LayerNorm": lambda: nn.LayerNorm(O3.rep("2x0e+1o")),
    "Invariants": lambda: nn.Invariants(O3.rep("2x0e+1o")),
    "FourierActivation": lambda: nn.FourierActivation(O2.rep("0e+2x1")),
    "Harmonics": lambda: harmonics.Harmonics(O3, 2),
    "GridConv": lambda: nn.GridConv(O2.rep("2x0e+0o+1"), O2.rep("0e"), 1),
}


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("name", FLOATS)
def test_numbers_that_are_not_floating_point_are_refused(name, dtype):
    shape = {"Gate": (2, 6), "Harmonics": (2, 3), "GridConv": (2, 5, 3, 3)}.get(name, (2, 5))
    with pytest.raises(ValueError, match=rf"x: got {dtype}, expected floating point numbers"):
        FLOATS[name]()(torch.ones(shape).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
@pytest.mark.parametrize("name", ["Linear", "TensorProduct", "FourierActivation", "GridConv"])
def test_another_precision_than_the_layers_is_named(name, dtype):
    shape = {"GridConv": (2, 5, 3, 3)}.get(name, (2, 5))
    with pytest.raises(ValueError, match=rf"x: got {dtype}, expected torch.float32, which the layer has"):
        FLOATS[name]()(torch.ones(shape, dtype=dtype))


def test_edges_are_counted_in_whole_numbers():
    with pytest.raises(ValueError, match=r"targets: got 1\.5, expected a whole number >= 0"):
        graphs.Edges(torch.tensor([0]), torch.tensor([0]), torch.zeros(1, 3), 1.5)


def test_the_doors_themselves():
    assert doors.count("n", np.int64(3)) == 3 and doors.count("n", torch.tensor(3)) == 3
    for bad in (None, True, 1.0, "1", -1, np.float64(2), [1]):
        with pytest.raises(ValueError, match="n: got "):
            doors.count("n", bad)
    with pytest.raises(ValueError, match="n: got 4, expected a whole number from 1 to 3"):
        doors.count("n", 4, 1, 3)
    for bad in (None, "a", [1, "b"], [[1], [1, 2]], 1j, np.nan, [np.inf]):
        with pytest.raises(ValueError, match="x: got "):
            doors.real("x", bad)
