"""GridConv on images and volumes: exact under the grid's symmetries, complete, cheap to keep."""

import copy
import itertools
import warnings

import numpy as np
import pytest
import torch

from eqlib import groups, harmonics, kernels, models, nn, testing
from eqlib.kernels.grid_basis import _harmonics, keeps_grid, offsets, radial_profiles, sampled_basis

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
both_dtypes = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
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


PLANE = [groups.SO2(), groups.O2(), groups.Cyclic(1), groups.Cyclic(4), groups.Cyclic(5), groups.Dihedral(1)]
PLANE += [groups.Dihedral(4), groups.Dihedral(6)]


@pytest.mark.parametrize("group", PLANE, ids=[g.name for g in PLANE])
def test_angular_parts_are_complete_to_frequency_8(group):
    """Degrees up to 16, by characters: dim Hom(a (x) Y_J, b) is the mean of chi_a chi_J chi_b over the group."""
    irreps = list(itertools.islice(group.irreps(), 10))  # both parities of frequency 0, then 1 ... 8
    points = group.spread(4 * 2 * 33)  # exact for products of frequencies up to 32
    matrices = group.matrix(points)
    harmonic = [np.ones(len(points))]
    proper = np.linalg.det(matrices) > 0
    angle = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    harmonic += [np.where(proper, 2 * np.cos(j * angle), 0.0) for j in range(1, 17)]
    chi = {a: np.trace(a(points), axis1=1, axis2=2) for a in irreps}
    x = torch.tensor([[np.cos(t), np.sin(t)] for t in np.arange(64) * 2 * np.pi / 64])
    y = harmonics.harmonics(group, x @ torch.tensor(group.coordinates.T), 16).numpy()
    for a, b in itertools.product(irreps, irreps):
        expected = [round(float(np.mean(chi[a] * h * chi[b]))) for h in harmonic]
        assert [len(kernels.angular_basis(a, b, j)) for j in range(17)] == expected
        parts = kernels.elements(a, b, 16)
        on_circle = np.einsum("nbay,py->nbap", parts, y).reshape(len(parts), b.dim * a.dim * 64)
        # numpy 2.0 refuses the rank of no rows.
        assert (np.linalg.matrix_rank(on_circle) if len(on_circle) else 0) == sum(expected)


@pytest.mark.parametrize("group", [groups.SO2(), groups.O2()], ids=["SO2", "O2"])
def test_angular_parts_fill_all_that_the_stabiliser_of_a_point_leaves(group):
    """A kernel is what it is at one point of each circle, where it commutes with the turns and flips that keep the point."""
    irreps = list(itertools.islice(group.irreps(), 8 + group.components))
    keep = group.element(np.zeros((group.components, 1)), np.arange(group.components))  # 1, and y -> -y in O(2)
    for a, b in itertools.product(irreps, irreps):
        traces = [np.trace(r(keep), axis1=1, axis2=2) for r in (a, b)]
        assert len(kernels.elements(a, b, 16)) == round(float(np.mean(traces[0] * traces[1])))


@pytest.mark.parametrize(
    "group", [groups.Cyclic(1), groups.Cyclic(2), groups.Cyclic(4), groups.Dihedral(1), groups.Dihedral(4)]
)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_group_of_the_grid_has_every_kernel_of_the_grid(group, size):
    """By Burnside: kernels on pixels, K(h p) = b(h) K(p) a(h)^-1, are fixed vectors of a permutation times a matrix."""
    pixels = offsets(size, 2).reshape(-1, 2)
    h = group.element(np.zeros((group.components, 0)), np.arange(group.components))
    kept = (np.abs(pixels @ group.matrix(h).swapaxes(1, 2) - pixels).max(axis=2) < 1e-9).sum(axis=1)
    chi = {a: np.trace(a(h), axis1=1, axis2=2) for a in group.irreps()}
    total = 0
    for a, b in itertools.product(chi, chi):
        basis = sampled_basis(a, b, size, None).reshape(-1, b.dim * a.dim * size**2)
        assert len(basis) == round(float(np.mean(kept * chi[a] * chi[b])))
        assert np.abs(basis @ basis.T - np.eye(len(basis))).max(initial=0.0) < 1e-12
        total += len(basis) * a.dim // a.endo * b.dim // b.endo
    if group.name in ("Cyclic(1)", "Dihedral(1)", "Dihedral(4)"):  # all irreps real: regular to regular has |H| k^2
        assert total == group.components * size**2


def test_profiles_turn_as_well_as_they_say():
    """The promised error is met by a kernel that is made of one profile, on images with the spectrum it was made for."""
    group = groups.O2()
    for size, degree in ((3, 2), (5, 0), (5, 3), (5, 4), (7, 2)):
        profiles, errors = radial_profiles(group, size, degree)
        assert len(profiles) == (size - 1 - degree) // 2 + 1
        assert errors.max() < 0.15
        a, b = group.irrep("0e"), group.irrep(str(degree) if degree else "0e")
        conv = nn.GridConv(group.rep([(1, a)]), group.rep([(1, b)]), size, bias=False)
        found = testing.grid_equivariance_error(conv, conv.rep_in, conv.rep_out, [0.3, np.pi / 4], width=1.5, size=25)
        assert found < 0.15, (size, degree)
    assert len(radial_profiles(group, 3, 3)[0]) == 0
    assert radial_profiles(group, 3, 3)[1][0] > 0.4


@every_case
def test_profiles_are_orthonormal_kernels(group, text, size):
    for degree in range(3):
        profiles, _ = radial_profiles(group.ambient, 3, degree)
        y = _harmonics(group.ambient, 3, degree)
        gram = np.einsum("np,mp,pi,pi->nm", profiles, profiles, y, y)
        assert np.abs(gram - np.eye(len(gram))).max() < 1e-9


def test_a_kernel_too_small_warns_once_with_the_numbers():
    rep = groups.SO2().rep("0+3")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nn.GridConv(rep, rep, 3)
        nn.GridConv(rep, rep, 5)
    assert len(caught) == 1
    assert "carries degrees up to 2" in str(caught[0].message)
    assert "0 -> 3 needs degree 3, off by 66 %" in str(caught[0].message)
    assert "3 -> 3" not in str(caught[0].message)  # has degree 0
    assert caught[0].filename == __file__


def test_a_kernel_large_enough_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.GridConv(groups.SO2().rep("0+2"), groups.SO2().rep("0+2"), 5)
        nn.GridConv(groups.SO2().rep("0+3"), groups.SO2().rep("0+3"), 1)  # a map of features, pixel by pixel
        nn.GridConv(groups.Dihedral(4).rep("0e+0o"), groups.Dihedral(4).rep("0e+0o"), 3)  # has every kernel of the grid


@every_case
def test_output_has_the_variance_of_white_input(group, text, size):
    rep = group.rep([(30, a) for _, a in group.rep(text).blocks])
    torch.manual_seed(0)
    for kernel in (1, 3) if group.vector.dim == 3 else (1, 3, 5):
        conv = nn.GridConv(rep, rep, kernel, padding=0)
        y = conv(torch.randn(60 if group.vector.dim == 2 else 6, rep.dim, *[kernel] * group.vector.dim))
        for where in rep.slices:
            assert abs(float(y[:, where].detach().square().mean()) - 1) < 0.25


@every_case
@pytest.mark.parametrize("stride", [1, 2])
def test_export_is_a_plain_convolution(group, text, size, stride):
    rep = group.rep(text)
    conv = testing.randomised(nn.GridConv(rep, rep, 3, stride=stride, padding=1), 0, torch.float64)
    plain = conv.export()
    assert type(plain) is (torch.nn.Conv2d if group.vector.dim == 2 else torch.nn.Conv3d)
    odd = size + 1 - size % 2  # as the stride wants it
    x = torch.randn(2, rep.dim, *[odd] * group.vector.dim, dtype=torch.float64)
    assert torch.equal(plain(x), conv(x))
    assert not any(p.data_ptr() == conv.weight.data_ptr() for p in plain.parameters())


@pytest.mark.parametrize("stride", [1, 2, 3])
@both_dtypes
def test_strides_are_exact_where_the_size_is_one_plus_a_multiple(stride, dtype, tolerance):
    rep = groups.O2().rep("2x0e+0o+2x1+2")
    conv = nn.GridConv(rep, rep, 3, stride=stride)
    assert testing.grid_equivariance_error(conv, rep, rep, size=13, dtype=dtype) < tolerance
    if stride == 2:
        with pytest.warns(
            UserWarning, match="Expected size \\+ 2 padding - kernel_size, here size -1, to be a multiple of 2"
        ):
            assert testing.grid_equivariance_error(conv, rep, rep, size=12) > 0.1


@both_dtypes
def test_an_even_kernel_with_stride_two_is_exact_on_even_images(dtype, tolerance):
    rep = groups.O2().rep("2x0e+0o+2x1+2")
    conv = nn.GridConv(rep, rep, 4, stride=2, padding=1)
    assert conv(torch.zeros(1, rep.dim, 12, 12)).shape[2:] == (6, 6)
    assert testing.grid_equivariance_error(conv, rep, rep, size=12, dtype=dtype) < tolerance
    with pytest.warns(UserWarning, match="stride 2 keeps pixels that no turn takes to each other"):
        assert testing.grid_equivariance_error(conv, rep, rep, size=13) > 0.1


@every_case
def test_set_kernel_finds_the_weights_again(group, text, size):
    rep = group.rep(text)
    conv, other = (testing.randomised(nn.GridConv(rep, rep, 3), seed, torch.float64) for seed in (0, 1))
    other.set_kernel(conv.kernel())
    assert (other.weight - conv.weight).abs().max() < 1e-10
    before = other.weight.detach().clone()
    with pytest.raises(ValueError, match="expected a steerable one"):
        other.set_kernel(torch.randn_like(conv.kernel()))
    assert torch.equal(other.weight, before)
    with pytest.raises(ValueError, match="expected"):
        other.set_kernel(conv.kernel()[:1])


@pytest.mark.parametrize("group", [groups.Cyclic(4), groups.Dihedral(4)], ids=["p4", "p4m"])
def test_group_convolution_and_its_fourier_twin(group):
    """(f * psi)(h) = sum over g of psi(h^-1 g, h^-1 p): written out with flips and turns, then in irreps."""
    rep, q = groups.regular(group)
    order, table, inverse = group.components, group.table, group.component_inverses
    psi = torch.randn(order, 5, 5, dtype=torch.float64)

    def turned(k, image):
        trivial = group.rep([(len(image), group.trivial)])
        return testing.act_on_grid(trivial, group.element(np.zeros(0), k), image[None])[0]

    kernel = torch.stack([turned(h, psi)[[table[inverse[h], g] for g in range(order)]] for h in range(order)])
    merged = groups.fields(rep, 1)
    conv = nn.GridConv(merged, merged, 5, bias=False).double()
    q = torch.tensor(q)
    conv.set_kernel(torch.einsum("hi,hgxy,gj->ijxy", q, kernel, q))
    x = torch.randn(2, order, 9, 9, dtype=torch.float64)
    slow = torch.relu(torch.nn.functional.conv2d(x, kernel, padding=2))
    fast = nn.FourierActivation(merged, axis=1).double()(conv(torch.einsum("gi,ngxy->nixy", q, x)))
    assert (torch.einsum("gi,nixy->ngxy", q, fast) - slow).abs().max() < 1e-12
    assert conv.weight.numel() == order * 25  # psi's


def test_circular_mask():
    mask = nn.CircularMask(33)
    image = mask(torch.ones(1, 1, 33, 33))[0, 0]
    radius = np.linalg.norm(offsets(33, 2), axis=-1)
    assert image[radius <= 13.5].min() == 1
    assert image[radius >= 16.5].max() == 0
    assert (image.numpy()[(radius > 13.6) & (radius < 16.4)] < 1).all()
    rep = groups.O2().rep("0e+1")
    assert testing.grid_equivariance_error(nn.CircularMask(11), rep, rep) < 1e-15
    assert nn.CircularMask(7, 2.0, 3)(torch.ones(1, 2, 7, 7, 7)).shape == (1, 2, 7, 7, 7)
    assert set(nn.CircularMask(9, 0.0)(torch.ones(1, 1, 9, 9)).unique().tolist()) == {0.0, 1.0}


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
    assert sum(b.numel() for b in f.buffers() if b.is_floating_point()) * 4 < 40_000


@pytest.mark.parametrize(
    "text_in, text_out", [("4x0o+2x1+2x2+4x0e", "2x1+4x0e+2x3"), ("0o", "0e+0o"), ("9x0e+9x1", "9x1+9x2")]
)
def test_pairs_that_share_a_product_keep_their_places(text_in, text_out, monkeypatch):
    """Joint or each by itself, with reps that mix, miss and repeat multiplicities: the same kernel and gradient."""
    group, kernels, gradients = groups.O2(), [], []
    for joint in (0, 2**12, 2**30):
        monkeypatch.setattr("eqlib.nn.grid_conv.JOINT", joint)
        torch.manual_seed(0)
        f = nn.GridConv(group.rep(text_in), group.rep(text_out), 5).double()
        kernels.append(f.kernel())
        (kernels[-1] * torch.randn(kernels[-1].shape, dtype=torch.float64)).sum().backward()
        gradients.append(f.weight.grad)
        other = nn.GridConv(group.rep(text_in), group.rep(text_out), 5).double()
        other.set_kernel(kernels[-1])
        assert torch.allclose(other.weight, f.weight, atol=1e-12)
    for kernel, gradient in zip(kernels[1:], gradients[1:], strict=True):
        assert torch.allclose(kernel, kernels[0], atol=1e-14)
        assert torch.allclose(gradient, gradients[0], atol=1e-12)


def test_eval_keeps_the_kernel_until_the_weights_change():
    rep = groups.O2().rep("0e+1")
    f = nn.GridConv(rep, rep, 3).eval()
    x = torch.randn(1, rep.dim, 7, 7)
    with torch.no_grad():
        first = f(x)
        assert f._kernel() is f._kernel()
        f.weight.mul_(2.0)
        assert torch.allclose(f(x), 2 * first, atol=1e-5)  # the bias is zero
        f.bias.add_(1.0)
        assert torch.allclose(f(x)[:, 0], 2 * first[:, 0] + 1, atol=1e-5)
        f.load_state_dict({k: v * 0 for k, v in f.state_dict().items()})
        assert f(x).abs().max() == 0
        assert f.double()(x.double()).dtype == torch.float64


def test_pooling_commutes_with_turns():
    rep = groups.O2().rep("0e+1")
    for size in (8, 9):
        assert testing.grid_equivariance_error(nn.GridPool(), rep, rep, size=size) < 1e-12
    with pytest.raises(ValueError, match="all sizes even or all odd"):
        nn.GridPool()(torch.zeros(1, 1, 4, 5))
    pool, x = nn.GridPool(rep), torch.randn(2, 3, 9, 9)
    assert torch.equal(pool(x), nn.GridPool()(x))
    assert pool.rep == pool.rep_out == rep
    assert not hasattr(nn.GridPool(), "rep")  # or a reader of a chain of layers would stop there


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


ACTIVE = {
    "Gate": lambda rep: nn.Gate(rep, axis=1),
    "NormActivation": lambda rep: nn.NormActivation(rep, axis=1),
    "FourierActivation": lambda rep: nn.FourierActivation(rep, axis=1),
    "GroupPool": lambda rep: nn.GroupPool(rep, axis=1),
    "Invariants": lambda rep: nn.Invariants(rep, axis=1),
    "BatchNorm": lambda rep: nn.BatchNorm(rep, axis=1),
    "LayerNorm": lambda rep: nn.LayerNorm(rep, axis=1),
    "Linear": lambda rep: nn.Linear(rep, rep, axis=1),
    "GridPool": lambda _: nn.GridPool(),
    "CircularMask": lambda _: nn.CircularMask(9),
    "strided": lambda rep: nn.GridConv(rep, rep, 3, stride=2),
}


@pytest.mark.parametrize("name", ACTIVE)
@pytest.mark.parametrize(
    "rep",
    [
        groups.fields(groups.regular(groups.Cyclic(4))[0], 2),
        groups.fields(groups.regular(groups.Dihedral(4))[0], 2),
        groups.fields(groups.regular(groups.Cyclic(8))[0], 2),
        groups.SO2().rep("2x0+2x1+2x2"),
        groups.O2().rep("2x0e+2x1+2x2"),
        groups.O2().rep("2x0e+2x0o+4x1+4x2"),
    ],
    ids=lambda rep: repr(rep),
)
@both_dtypes
def test_every_activation_and_pooling_is_exact_on_the_grid(rep, name, dtype, tolerance):
    layer = ACTIVE[name](rep)
    rep_in, rep_out = getattr(layer, "rep_in", rep), getattr(layer, "rep_out", rep)
    assert testing.grid_equivariance_error(layer, rep_in, rep_out, size=9, dtype=dtype) < tolerance


def test_a_vector_field_comes_out_as_one():
    """The gradient of an image, learnt by least squares in one layer, turns with it; scalars cannot make it."""
    group = groups.SO2()
    field = testing.blobs(group.rep("0"), 8.0)
    image = testing.sample_field(field, 33)
    h = 1e-5

    def slope(p):
        return np.concatenate([(field(p + h * e) - field(p - h * e)) / (2 * h) for e in np.eye(2)], axis=1)

    wanted = testing.sample_field(slope, 33)
    conv = nn.GridConv(group.rep("0"), group.rep("1"), 5).double()
    columns = []
    for w in torch.eye(conv.weight.numel(), dtype=torch.float64):
        conv.weight.data.copy_(w)
        columns.append(conv(image).detach()[..., 6:-6, 6:-6].flatten())
    target = wanted[..., 6:-6, 6:-6].flatten()
    weights = torch.linalg.lstsq(torch.stack(columns, 1), target[:, None]).solution[:, 0]
    conv.weight.data.copy_(weights)
    turned = testing.induced(group.rep("0"), group.element([0.7]), np.zeros(2), field)
    expected = testing.sample_field(testing.induced(group.rep("1"), group.element([0.7]), np.zeros(2), slope), 33)
    for x, y in ((image, wanted), (testing.sample_field(turned, 33), expected)):
        gap = (conv(x).detach() - y)[..., 6:-6, 6:-6]
        assert gap.norm() < 5e-3 * y[..., 6:-6, 6:-6].norm()


def test_groups_that_do_not_keep_the_grid_get_kernels_that_turn():
    """C8 and D6 at an angle of their own that moves pixels between pixels, where kernels made pixel by pixel would fail."""
    for group, angle in ((groups.Cyclic(8), np.pi / 4), (groups.Dihedral(6), np.pi / 3)):
        rep = groups.fields(groups.regular(group)[0], 2)
        trivial = group.rep([(1, group.trivial)])
        conv = nn.GridConv(trivial, rep, 7)
        assert testing.grid_equivariance_error(conv, trivial, rep, [angle]) < 0.01
    assert not keeps_grid(groups.Cyclic(8))
    assert keeps_grid(groups.Dihedral(4)) and keeps_grid(groups.Octahedral(True))
    assert not keeps_grid(groups.SO2()) and not keeps_grid(groups.Icosahedral())


@every_case
def test_smooth_pooling_commutes_with_turns_and_flips(group, text, size):
    """On odd and even sizes; at any angle it is closer to that than a plain mean, which lets fine waves pass."""
    rep = group.rep(text)
    for n in (size, size + 1):
        assert testing.grid_equivariance_error(nn.GridPool(rep, smooth=True), rep, rep, size=n) < 1e-12


def test_smooth_pooling_is_closer_at_any_angle():
    rep = groups.O3().rep("0e+1o")
    how = {"size": 16, "width": 1.0, "samples": 2, "inside": 5.0, "reach": 2.0}
    plain, smooth = (
        testing.grid_equivariance_error(nn.GridPool(rep, smooth=s), rep, rep, [0.5], **how) for s in (False, True)
    )
    assert smooth < 0.06 and plain > 3 * smooth


def test_smooth_pooling_by_hand():
    x = torch.randn(2, 3, 8, 8, 8, dtype=torch.float64)
    line = np.zeros((4, 8))
    for i in range(4):
        for j, w in enumerate([1, 5, 10, 10, 5, 1], start=2 * i - 2):
            if 0 <= j < 8:
                line[i, j] = w / 32
    wanted = np.einsum("ai,bj,dk,ncijk->ncabd", line, line, line, x.numpy())
    assert np.abs(nn.GridPool(smooth=True)(x).numpy() - wanted).max() < 1e-14


def test_volumes_at_any_angle():
    """A layer of kernels of 5 voxels is off by less than 0.001 on blobs of two voxels, and by less than 0.02 on blobs of one."""
    rep = groups.O3().rep("2x0e+2x1o+1x2e")
    for width, limit in ((2.0, 1e-3), (1.0, 0.02)):
        how = {"size": 17, "width": width, "samples": 1, "inside": 5.0, "reach": 2.0}
        assert testing.grid_equivariance_error(nn.GridConv(rep, rep, 5), rep, rep, [0.3, 0.7], **how) < limit
