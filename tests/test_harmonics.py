"""Harmonics, irrep matrices and conventions against e3nn and scipy, and by their own identities for every group."""

import itertools

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from eqlib import convert, groups, harmonics, products

L = 10
O3 = groups.O3()
ALL = [
    *(groups.Cyclic(n) for n in (1, 2, 3, 4, 7)),
    *(groups.Dihedral(n) for n in (1, 2, 3, 4, 6)),
    groups.SO2(),
    groups.O2(),
    groups.SO3(),
    O3,
    groups.Lorentz(),
    groups.Lorentz(parity=True),
    groups.SL2C(),
    groups.SU(2),
    groups.Spin(5),
    groups.G2(),
    groups.Octahedral(True),
    groups.Icosahedral(),
    groups.Finite([[[0, 0, 1], [1, 0, 0], [0, 1, 0]]], name="C3 about (1, 1, 1)"),
]
SPINORS = [
    "SL2C:(1,0)",
    "SL2C:(2,0)",
    "SL2C:(2,1)",
    "SL2C:(3,0)",
    "A1:(1)",
    "A1:(3)",
    "B2:(0,1)",
    "B2:(1,1)",
    "B2:(0,3)",
]
every_group = pytest.mark.parametrize("group", ALL, ids=[g.name for g in ALL])
every_engine = pytest.mark.parametrize("engine", products.available())


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def points(group, n=5, seed=0):
    """Random points; for the Lorentz group time-like momenta."""
    x = torch.tensor(np.random.default_rng(seed).normal(size=(n, group.vector.dim)))
    if group.compact:
        return x
    x[:, 0] = (1 + x.square().sum(1)).sqrt()
    return x @ torch.tensor(group.coordinates.T)


@pytest.mark.parametrize("normalization", harmonics.NORMALIZATIONS)
def test_harmonics_equal_e3nn(double, normalization):
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    ours = harmonics.harmonics(O3, x, L, normalization=normalization)
    theirs = o3.spherical_harmonics(list(range(L + 1)), x, True, normalization)
    assert (ours - theirs).abs().max() < 1e-11
    solid = harmonics.harmonics(O3, x, L, normalize=False)
    theirs = o3.spherical_harmonics(list(range(L + 1)), x, False, "component")
    assert ((solid - theirs).abs() / theirs.abs().clamp_min(1)).max() < 1e-11


def test_matrices_equal_e3nn(double):
    turns = o3.rand_matrix(5)
    turns = torch.cat(
        [turns, -turns, torch.eye(3)[None], -torch.eye(3)[None], torch.diag(torch.tensor([1.0, -1, -1]))[None]]
    )
    rep = O3.rep("+".join(f"{l}{p}" for l in range(L + 1) for p in "eo"))
    theirs = convert.to_e3nn(rep).D_from_matrix(turns)
    assert (harmonics.matrices(rep, turns) - theirs).abs().max() < 1e-11
    assert np.abs(rep(O3.from_matrix(turns.numpy())) - theirs.numpy()).max() < 1e-11


def test_clebsch_gordan_equals_wigner_3j_sign_included(double):
    for l1, l2 in itertools.product(range(L + 1), repeat=2):
        for l3 in range(abs(l1 - l2), min(l1 + l2, L) + 1):
            ours = O3.clebsch_gordan(f"{l1}e", f"{l2}o", f"{l3}o").dense()[0]
            theirs = (2 * l3 + 1) ** 0.5 * o3.wigner_3j(l1, l2, l3).numpy()
            assert np.abs(ours - theirs).max() < 1e-11, (l1, l2, l3)


@pytest.mark.parametrize("text", ["8x0e+4x1o", "0e", "1o + 2x2e", "3x0o+0x1e+10x10o"])
def test_rep_strings_equal_e3nn(text):
    rep, irreps = O3.rep(text), o3.Irreps(text)
    assert (str(rep), rep.dim) == (str(irreps), irreps.dim)
    assert O3.rep(str(rep)) == rep == convert.from_e3nn(irreps)
    assert [(s.start, s.stop) for s in rep.slices] == [(s.start, s.stop) for s in irreps.slices()]


def test_scipy_rotations_and_harmonics():
    turns = Rotation.random(6, random_state=0)
    g = convert.from_scipy(turns)
    assert np.abs(groups.SO3().matrix(g) - turns.as_matrix()).max() < 1e-12
    assert np.abs((convert.to_scipy(g) * turns.inv()).as_rotvec()).max() < 1e-7
    x = np.random.default_rng(0).normal(size=(9, 3))
    theta, phi = np.arccos(x[:, 1] / np.linalg.norm(x, axis=1)), np.arctan2(x[:, 0], x[:, 2])
    ours = harmonics.harmonics(O3, torch.tensor(x), 6, normalization="integral").numpy()
    for l in range(7):
        theirs = np.array([sph_harm_y(l, m, theta, phi) for m in range(-l, l + 1)])
        found = convert.from_scipy_harmonics(l) @ theirs
        assert np.abs(found - ours[:, l * l : (l + 1) ** 2].T).max() < 1e-12
    with pytest.raises(ValueError, match="reflection"):
        convert.to_scipy(O3.element(np.zeros(3), 1))
    with pytest.raises(ValueError, match="got a rep of O2, expected one of O3"):
        convert.to_e3nn(groups.O2().rep("1"))


@every_group
def test_harmonics_move_with_the_group(group):
    x, g = points(group), group.sample(5, seed=1)
    rep = harmonics.rep(group, 4)
    moved = torch.einsum("nij,nj->ni", torch.tensor(group.vector(g)), x)
    for normalize in (True, False):
        y = harmonics.harmonics(group, x, 4, normalize=normalize)
        after = harmonics.harmonics(group, moved, 4, normalize=normalize)
        before = torch.einsum("nij,nj->ni", torch.tensor(rep(g)), y)
        assert ((after - before).norm(dim=1) / before.norm(dim=1)).max() < 1e-12


@every_engine
@every_group
def test_matrices_are_the_reps_own(group, engine):
    g = group.sample(4, seed=2)
    reachable = [a for a, _ in zip(group.irreps(), range(6), strict=False) if str(a) not in SPINORS]
    rep = group.rep([(2, a) for a in reachable])
    with products.using(engine):
        found = harmonics.matrices(rep, torch.tensor(group.vector(g)))
    assert np.abs(found.numpy() - rep(g)).max() < 1e-12 * max(1, np.abs(rep(g)).max())


@pytest.mark.parametrize("normalize", [True, False])
def test_gradients_are_finite_in_the_hard_places(normalize):
    x = torch.tensor(
        [[0.0, 0, 0], [0, 1, 0], [0, -1, 0], [1, 0, 0], [0, 0, 1e-8]], dtype=torch.float64, requires_grad=True
    )
    harmonics.harmonics(O3, x, 5, normalize=normalize).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    turns = (
        torch.stack([torch.eye(3), torch.diag(torch.tensor([1.0, -1, -1])), -torch.eye(3)]).double().requires_grad_()
    )
    harmonics.matrices(O3.rep("3o+2e+1e"), turns).sum().backward()
    assert turns.grad is not None
    assert turns.grad.isfinite().all()


def test_a_scale_keeps_null_and_space_like_momenta_finite():
    group = groups.Lorentz()
    x = torch.tensor([[100.0, 0, 0, 100], [0, 100, 0, 0], [100, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    x = (x @ torch.tensor(group.coordinates.T)).requires_grad_()
    y = harmonics.Harmonics(group, 4, mu=100.0).double()(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert y.abs().max() < 1e3
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_built_in_float32_then_double_is_exact():
    module = harmonics.Harmonics(O3, 6)
    x = torch.randn(4, 3, dtype=torch.float64)
    assert (module.double()(x) - harmonics.harmonics(O3, x, 6)).abs().max() == 0
    assert module.float()(x.float()).dtype == torch.float32
    assert (module.double()(x) - harmonics.harmonics(O3, x, 6)).abs().max() == 0


def test_constants_do_not_depend_on_the_default_dtype(double):
    x = torch.randn(4, 3, dtype=torch.float64)
    ours = harmonics.Harmonics(O3, 5)(x)
    torch.set_default_dtype(torch.float32)
    assert torch.equal(harmonics.Harmonics(O3, 5).double()(x), ours)


def test_one_matrix_gives_one_matrix():
    group = groups.O3()
    rep, R = group.rep("0e+2x1o+3e"), torch.tensor(group.vector(group.sample(1, seed=2)))
    assert torch.equal(harmonics.matrices(rep, R[0]), harmonics.matrices(rep, R)[0])


def errors(degree, dtype, engine):
    """|Y(Rx) - D(R) Y(x)| / |Y(x)| for each degree, the largest over poles, generic points, half turns and small turns.

    D, and what it does, in float64: so that the error is that of Y in `dtype` alone.
    """
    rng = np.random.default_rng(0)
    x = torch.tensor(np.concatenate([rng.normal(size=(40, 3)), np.eye(3), -np.eye(3)]))
    vectors = [*rng.normal(size=(3, 3)), np.pi * np.eye(3)[0], np.pi * np.eye(3)[1], 1e-4 * rng.normal(size=3)]
    x = x.to(dtype).double()
    turns = torch.tensor(Rotation.from_rotvec(vectors).as_matrix())
    turns = torch.cat([turns, -turns[:1]])
    moved = torch.einsum("nij,ej->nei", turns, x).to(dtype)
    with products.using(engine):
        before = harmonics.harmonics(O3, x.to(dtype), degree, normalization="norm").double()
        after = harmonics.harmonics(O3, moved, degree, normalization="norm").double()
    D = harmonics.matrices(harmonics.rep(O3, degree), turns)
    found = []
    for l in range(degree + 1):
        here = slice(l * l, (l + 1) ** 2)
        expected = torch.einsum("nij,ej->nei", D[:, here, here], before[:, here])
        found.append(float((after[:, :, here] - expected).norm(dim=-1).max() / before[:, here].norm(dim=1).min()))
    return found


@every_engine
def test_harmonics_up_to_degree_24_move_to_twelve_digits(engine):
    assert max(errors(24, torch.float64, engine)) < 1e-12


@every_engine
def test_harmonics_in_single_precision(engine):
    assert max(errors(10, torch.float32, engine)) < 2e-6


@every_engine
def test_a_small_turn_is_not_lost_in_single_precision(engine):
    """By 1e-4 rad: what Y changes by is right to a few percent, though x itself is only known to 1e-7."""
    x = torch.tensor(np.random.default_rng(0).normal(size=(50, 3)), dtype=torch.float32)
    for axis in np.eye(3):
        turn = torch.tensor(Rotation.from_rotvec(1e-4 * axis).as_matrix())
        moved = (x.double() @ turn.T).float()
        with products.using(engine):
            f = harmonics.Harmonics(O3, 10)
            change = f(moved) - f(x)
            f = f.double()
            expected = f(x.double() @ turn.T) - f(x.double())
            for l in range(1, 11):
                here = slice(l * l, (l + 1) ** 2)
                assert (change[:, here] - expected[:, here]).norm() < 0.05 * expected[:, here].norm(), l
        D = harmonics.matrices(O3.rep("10e"), turn.float()) - torch.eye(21)
        exact = harmonics.matrices(O3.rep("10e"), turn) - torch.eye(21)
        assert (D - exact).norm() < 0.05 * exact.norm()


@every_engine
@pytest.mark.parametrize("normalize", [True, False])
def test_gradients_at_generic_points_and_at_the_poles(engine, normalize):
    f = harmonics.Harmonics(O3, 6, normalize=normalize).double()
    x = torch.tensor([[0.3, -1.2, 0.7], [0, 1, 0], [0, -2, 0], [1, 0, 0], [0, 0, -1]], dtype=torch.float64)
    x.requires_grad_()
    with products.using(engine):
        assert torch.autograd.gradcheck(f, x)
        assert torch.autograd.gradgradcheck(f, x, fast_mode=True)


@every_engine
def test_second_derivatives_are_finite_at_the_zero_vector(engine):
    for normalize in (True, False):
        x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
        with products.using(engine):
            y = harmonics.harmonics(O3, x, 4, normalize=normalize)
            (first,) = torch.autograd.grad(y.square().sum() + y.sum(), x, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), x)
        assert y.isfinite().all()
        assert first.isfinite().all()
        assert second.isfinite().all()


@every_engine
def test_gradients_of_matrices_at_the_identity_and_at_half_turns(engine):
    turns = torch.tensor(np.stack([np.eye(3), *(2 * np.outer(e, e) - np.eye(3) for e in np.eye(3)), -np.eye(3)]))
    turns = torch.cat([turns, torch.tensor(Rotation.random(1, random_state=0).as_matrix())]).requires_grad_()
    rep = O3.rep("1o+2e+3o")

    def f(R):
        return harmonics.matrices(rep, R).flatten(1)[:, ::7]

    with products.using(engine):
        assert torch.autograd.gradcheck(f, turns, fast_mode=True)
        assert torch.autograd.gradgradcheck(f, turns, fast_mode=True)
