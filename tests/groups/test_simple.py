"""Compact simple groups: real forms, Clebsch-Gordan tensors with multiplicities, subgroups, and groups that a reader brings."""

from itertools import islice, product

import numpy as np
import pytest
import scipy.linalg

from eqlib import groups
from eqlib.groups import highest
from eqlib.groups.modules import module

E8 = "(0,0,0,0,0,0,0,1)"
TYPES = [
    "A1",
    "A2",
    "A3",
    "A4",
    "A5",
    "B2",
    "B3",
    "B4",
    "C2",
    "C3",
    "C4",
    "D3",
    "D4",
    "D5",
    "G2",
    "F4",
    "E6",
    "E7",
    "E8",
]


def irreps_up_to(group, bound):
    found = []
    for a in group.irreps():
        if a.dim > bound:
            return found
        found.append(a)
    raise AssertionError


def closure(small, irreps, rounds=1, support=None):
    """[X(u), X(v)] = X(w) in every irrep for random u and v, w read off the small one: one set of structure constants.

    `support` limits u and v to that many generators each, for irreps of which not all can be made in a moment.
    """
    rng, group = np.random.default_rng(0), small.group
    flat = np.array([x.toarray().ravel() for x in small.sparse_generators()])
    size = np.vdot(flat[0], flat[0])
    assert np.abs(flat @ flat.T - size * np.eye(group.dim)).max() < 1e-12 * size  # orthonormal, so independent
    for _ in range(rounds):
        u, v = np.zeros((2, group.dim))
        for c in (u, v):
            c[rng.choice(group.dim, support or group.dim, replace=False)] = rng.normal(size=support or group.dim)
        x, y = ((c @ flat).reshape(small.dim, small.dim) for c in (u, v))
        w = flat @ (x @ y - y @ x).ravel() / size
        assert np.abs(w @ flat - (x @ y - y @ x).ravel()).max() < 1e-12 * np.abs(x).max() * np.abs(y).max() * small.dim
        w[np.abs(w) < 1e-13] = 0.0
        for a in irreps:
            needed = np.flatnonzero(np.abs(u) + np.abs(v) + np.abs(w)).tolist()
            generators = dict(zip(needed, group.sparse(a.label, needed), strict=True))

            def act(c, z, generators=generators):
                return sum(c[n] * (generators[n] @ z) for n in np.flatnonzero(c))

            z = rng.normal(size=(a.dim, 2))
            moved = act(u, act(v, z)) - act(v, act(u, z)) - act(w, z)
            scale = max(1.0, max(abs(g).max() for g in generators.values())) ** 2 * len(needed)
            assert np.abs(moved).max() < 1e-12 * scale * np.abs(z).max(), a
            assert all(abs(g + g.T).max() == 0 for g in generators.values())


@pytest.mark.parametrize("type_", TYPES)
def test_one_set_of_structure_constants(type_):
    group = groups.Simple(type_)
    bound = {"A1": 40, "F4": 300, "E6": 160, "E7": 140, "E8": 300}.get(type_, 120)
    closure(next(islice(group.irreps(), 1, None)), irreps_up_to(group, bound), support=8 if type_ == "E8" else None)


@pytest.mark.parametrize(
    ("type_", "label"), [("E8", "(1,0,0,0,0,0,0,0)"), ("E7", "(0,1,0,0,0,0,0)"), ("G2", "(4,1)"), ("B2", "(0,16)")]
)
def test_structure_constants_of_large_irreps(type_, label):
    """3875, 912, 924 and 969: the deep ones among them lost digits when they were built from simple roots alone."""
    group = groups.Simple(type_)
    closure(next(islice(group.irreps(), 1, None)), [group.irrep(label)], rounds=3, support=3)


@pytest.mark.parametrize("type_", TYPES)
def test_types_and_endomorphisms(type_):
    group = groups.Simple(type_)
    for a in irreps_up_to(group, {"E8": 250, "E7": 140, "A1": 24}.get(type_, 60)):
        sign = groups.weights.indicator(type_, a.label)
        assert a.endo == {1: 1, 0: 2, -1: 4}[sign] == len(a.endomorphisms)
        assert a.dim == groups.weights.dimension(type_, a.label) * (1 if sign == 1 else 2) == a.generators.shape[-1]
        for e, g in product(a.endomorphisms, a.generating):
            assert np.abs(e @ g.toarray() - g @ e).max() < 1e-12
        for e in a.endomorphisms[1:]:
            assert np.abs(e @ e + np.eye(a.dim)).max() < 1e-12
        if a.dim <= 30:
            assert len(groups.intertwiners(a.constraints, a.constraints)) == a.endo


def test_labels():
    """Ascending real dimension; a conjugate names the same irrep; the larger label is the canonical one."""
    assert [a.label for a in islice(groups.SU(3).irreps(), 6)] == ["(0,0)", "(1,0)", "(1,1)", "(2,0)", "(3,0)", "(2,2)"]
    assert groups.SU(3).irrep("(0,1)") == groups.SU(3).irrep(" (1, 0) ")
    assert [a.label for a in islice(groups.G2().irreps(), 4)] == ["(0,0)", "(1,0)", "(0,1)", "(2,0)"]
    assert [a.dim for a in islice(groups.E8().irreps(), 4)] == [1, 248, 3875, 27000]
    assert groups.E7().irrep("(0,0,0,0,0,0,1)").dim == 112
    for group in (groups.SU(4), groups.Spin(8), groups.E6()):
        dims = [a.dim for a in islice(group.irreps(), 25)]
        assert dims == sorted(dims)
        assert len(set(islice(group.irreps(), 25))) == 25


def test_aliases():
    names = {groups.SU(5): "A4", groups.Spin(3): "A1", groups.Spin(5): "B2", groups.Spin(6): "D3", groups.Spin(8): "D4"}
    names |= {groups.Sp(2): "A1", groups.Sp(6): "C3", groups.G2(): "G2", groups.F4(): "F4", groups.E6(): "E6"}
    names |= {groups.E7(): "E7", groups.E8(): "E8"}
    for group, type_ in names.items():
        assert group == groups.Simple(type_)
    assert groups.Spin(6).irrep("(1,0,0)").dim == 6
    assert groups.SU(4).irrep("(0,1,0)").dim == 6
    assert groups.SU(2).dim == 3
    assert groups.E8().dim == 248


def test_generators_are_physics_conventional():
    """tr(T_a T_b) = delta_ab / 2 over C, which is 1 over the real form of C^n; SU(2) is SO(3)'s double cover."""
    for n in (2, 3, 4):
        x = groups.SU(n).irrep("(1" + (n - 2) * ",0" + ")").generators
        x = x[..., :, : x.shape[-1] // (2 if n == 2 else 1)] if n > 2 else x
        assert np.abs(np.einsum("aij,bij->ab", x, x) - np.eye(n * n - 1)).max() < 1e-13
    vector = groups.SU(2).irrep("(2)").generators
    assert np.abs(np.einsum("aij,bij->ab", vector, vector) - 2 * np.eye(3)).max() < 1e-13
    spin = groups.SU(2).irrep("(1)")
    turn = groups.SU(2).element(2 * np.pi * np.eye(3))
    assert np.abs(spin(turn) + np.eye(4)).max() < 1e-12
    assert np.abs(groups.SU(2).irrep("(2)")(turn) - np.eye(3)).max() < 1e-12


@pytest.mark.parametrize("type_", ["A1", "A2", "A3", "B2", "C3", "D4", "G2"])
def test_elements_act_on_the_algebra(type_):
    """D(g) X_a D(g)^-1 = sum_b Ad_ba X_b with one Ad for every irrep, the exponential of the structure constants."""
    group = groups.Simple(type_)
    small = next(islice(group.irreps(), 1, None))
    flat = small.generators.reshape(group.dim, -1)
    g = group.sample(3, seed=1)
    bracket = np.einsum("aij,bjk->abik", small.generators, small.generators)
    f = np.linalg.lstsq(flat.T, (bracket - bracket.swapaxes(0, 1)).reshape(group.dim**2, -1).T, rcond=None)[0]
    f = f.T.reshape(3 * (group.dim,))
    assert np.abs(f + f.transpose(0, 2, 1)).max() < 1e-12  # the basis is orthonormal
    ad = np.eye(group.dim)
    for _, theta in g.factors:
        ad = ad @ np.array([scipy.linalg.expm(np.einsum("a,abc->cb", t, f)) for t in theta])
    for a in islice(group.irreps(), 1, 4):
        d = a(g)
        moved = np.einsum("nij,ajk,nlk->nail", d, a.generators, d)
        assert np.abs(moved - np.einsum("nba,bij->naij", ad, a.generators)).max() < 1e-11


def test_swap_eigenvalues():
    """SU(3): 8 x 8 -> 8 is one symmetric and one antisymmetric, 27 x 27 -> 27 two and one."""
    for label, signs in (("(1,1)", [1, -1]), ("(2,2)", [1, 1, -1])):
        tensors = groups.SU(3).clebsch_gordan(label, label, label).dense()
        assert len(tensors) == len(signs)
        for t, sign in zip(tensors, signs, strict=True):
            assert (t.swapaxes(0, 1) == sign * t).all()


def test_su3_structure_constants():
    """The antisymmetric 8 x 8 -> 8 is f_abc, known from the brackets of the generators; the symmetric one is orthogonal."""
    group = groups.SU(3)
    x = group.irrep("(1,0)").generators
    bracket = np.einsum("aij,bjk->abik", x, x)
    f = np.einsum("abij,cij->abc", bracket - bracket.swapaxes(0, 1), x)
    adjoint = group.irrep("(1,1)")
    turn = groups.intertwiners((f.transpose(0, 2, 1), np.zeros((0, 8, 8))), (adjoint.generators, np.zeros((0, 8, 8))))
    assert len(turn) == 1
    q = turn[0] * np.sqrt(8)  # from the Lie algebra's own basis to the irrep's
    f = np.einsum("abc,ia,jb,kc->ijk", f, q, q, q)
    symmetric, antisymmetric = group.clebsch_gordan("(1,1)", "(1,1)", "(1,1)").dense()
    ratio = np.vdot(f, antisymmetric) / np.vdot(f, f)
    assert np.abs(ratio * f - antisymmetric).max() < 1e-12
    assert abs(np.vdot(symmetric, f)) < 1e-12


def test_octonions():
    """G2 7 x 7 -> 7 is the cross product of the imaginary octonions: 42 equal entries, and x x (x x y) = (x.y) x - (x.x) y."""
    cg = groups.G2().clebsch_gordan("(1,0)", "(1,0)", "(1,0)")
    assert cg.shape == (1, 7, 7, 7)
    assert len(cg.values) == 42
    assert np.abs(np.abs(cg.values) - 1 / np.sqrt(6)).max() < 1e-14
    t = cg.dense()[0] * np.sqrt(6)
    assert (t == -t.swapaxes(0, 1)).all()
    x, y = np.random.default_rng(0).normal(size=(2, 7))
    cross = np.einsum("ijk,i,j->k", t, x, y)
    assert np.abs(np.einsum("ijk,i,j->k", t, x, cross) - (x @ y * x - x @ x * y)).max() < 1e-12


@pytest.mark.parametrize(
    ("type_", "bound"), [("A1", 12), ("A2", 20), ("A3", 20), ("B2", 16), ("C3", 28), ("D4", 8), ("G2", 14)]
)
def test_clebsch_gordan_of_all_triples(type_, bound):
    """Residuals, isometry and completeness; tests/groups/test_identities.py does the same with elements for the smallest."""
    group = groups.Simple(type_)
    irreps = irreps_up_to(group, bound)
    for a, b in product(irreps, irreps):
        found = group.tensor_product(a, b)
        assert sum(n * c.dim for c, n in found.items()) == a.dim * b.dim
        for c, n in found.items():
            if c.dim > 40:
                continue
            cg = group.clebsch_gordan(a, b, c)
            assert cg.shape == (n * c.endo, a.dim, b.dim, c.dim)
            assert cg.residual < 1e-12
            t = cg.dense()
            assert np.abs(np.einsum("kijm,lijm->kl", t, t) - c.dim * np.eye(len(t))).max() < 1e-12 * c.dim
            worst = 0.0
            for x, y, z in zip(a.generators, b.generators, c.generators, strict=True):
                moved = (
                    np.einsum("kijm,il->kljm", t, x)
                    + np.einsum("kijm,jl->kilm", t, y)
                    - np.einsum("kijm,nm->kijn", t, z)
                )
                worst = max(worst, np.abs(moved).max())
            assert worst < 1e-12 * max(1.0, np.abs(c.generators).max())


def test_no_digit_is_lost_on_a_long_way_down():
    """SO(3)'s l = 12 x 12: lowering alone loses five digits, projection onto Casimir's eigenspaces gives them back."""
    group = groups.SU(2)
    for c in group.tensor_product("(24)", "(24)"):
        assert group.clebsch_gordan("(24)", "(24)", c).residual < 2e-13


@pytest.mark.parametrize(
    ("type_", "label", "dims"),
    [
        ("F4", "(0,0,0,1)", [1, 26, 52, 273]),
        ("E6", "(1,0,0,0,0,0)", [1, 54, 78]),
        ("E7", "(1,0,0,0,0,0,0)", [1, 133]),
        ("E8", E8, [1, 248, 3875]),
    ],
)
def test_clebsch_gordan_of_exceptional_groups(type_, label, dims):
    group = groups.Simple(type_)
    a = group.irrep(label)
    for c in group.tensor_product(a, a):
        if c.dim in dims:
            cg = group.clebsch_gordan(a, a, c)
            assert cg.residual < 1e-12
            assert cg.shape[0] == group.tensor_product(a, a)[c] * c.endo
            # An isometry: |C(x, y)|^2 summed over orthonormal x and y is dim c, map by map.
            assert np.bincount(cg.indices[:, 0], cg.values**2) == pytest.approx(c.dim, rel=1e-12)


def test_residual_sees_a_broken_tensor():
    """The residual is computed, not assumed: one entry off by 1e-6 shows, in the dense and in the sparse computation."""
    from dataclasses import replace

    from eqlib.groups.clebsch_gordan import _residual

    for group, label in ((groups.G2(), "(1,0)"), (groups.E8(), E8)):
        a = group.irrep(label)
        cg = group.clebsch_gordan(a, a, a)
        values = cg.values.copy()
        values[3] += 1e-6
        assert _residual(cg, a, a, a) < 1e-12
        assert 1e-8 < _residual(replace(cg, values=values), a, a, a) < 1e-5


def test_too_large_for_dense():
    group = groups.E8()
    cg = group.clebsch_gordan(E8, E8, "(1,0,0,0,0,0,0,0)")
    with pytest.raises(ValueError, match=r"1\.8 GiB"):
        cg.dense()
    with pytest.raises(ValueError, match="dimension 147250"):
        module("E8", (0, 1, 0, 0, 0, 0, 0, 0))


def test_what_is_large_is_let_go():
    """E8's tensors leave neither dense generators behind nor the action on the product: 120 MB each."""
    group = groups.E8()
    adjoint = group.irrep(E8)
    for a in (adjoint, group.trivial):
        assert group.clebsch_gordan(a, adjoint, adjoint).shape[0] == 1
    assert "_matrices" not in vars(adjoint)
    weight = group.system.check(E8)
    assert not {"lower", "reflections"} & vars(highest.module_product("E8", weight, weight)).keys()


RESTRICTIONS = [
    (groups.G2(), groups.SU(3), [(0, 1), (3, 1)], {"(1,0)": "1x(0,0)+1x(1,0)", "(0,1)": "1x(1,0)+1x(1,1)"}),
    (groups.SU(3), groups.SU(2), [(1, 0)], {"(1,1)": "1x(0)+1x(2)+1x(1)", "(1,0)": "1x(0)+1x(0)+1x(1)"}),
    (groups.F4(), groups.Spin(9), [(-2, -3, -4, -2), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)],
     {"(0,0,0,1)": "1x(0,0,0,0)+1x(1,0,0,0)+1x(0,0,0,1)"}),
    (groups.G2(), groups.SU(2), [(1, 0)], {"(1,0)": "1x(2)+1x(1)"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("group", "sub", "images", "expected"), RESTRICTIONS, ids=[f"{s} in {g}" for g, s, _, _ in RESTRICTIONS]
)
def test_subgroups_from_roots(group, sub, images, expected):
    embedding = groups.embed_roots(sub, group, images)
    for label, text in expected.items():
        rep = group.rep(label)
        new, q = groups.restrict(rep, sub, embedding)
        assert str(new) == text
        inside = np.einsum("ha,aij->hij", embedding.algebra, rep.generators())
        assert np.abs(inside @ q - q @ new.generators()).max() < 1e-12
        assert np.abs(q.T @ q - np.eye(rep.dim)).max() < 1e-12


def test_g2_in_spin7():
    """The spinor of Spin(7) has one vector that G2 leaves alone."""
    group, sub = groups.Spin(7), groups.G2()
    branching = {"(1,0,0)": "1x(1,0)", "(0,0,1)": "1x(0,0)+1x(1,0)", "(0,1,0)": "1x(1,0)+1x(0,1)", "(2,0,0)": "1x(2,0)"}
    for label, text in branching.items():
        rep = group.rep(label)
        new, q = groups.restrict(rep, sub)
        assert str(new) == text
        inside = np.einsum("ha,aij->hij", groups.embed(sub, group).algebra, rep.generators())
        assert np.abs(inside @ q - q @ new.generators()).max() < 1e-12


GIVEN = [
    (groups.SU(3), "(1,1)+2x(1,0)", [(6, 2), (6, 2), (8, 1)]),
    (groups.G2(), "2x(1,0)+(0,0)", [(1, 1), (7, 1), (7, 1)]),
    (groups.SU(2), "2x(1)+(2)+(2)", [(3, 1), (3, 1), (4, 4), (4, 4)]),
    (groups.O3(), "1o+2e+0o+0e+1e", [(1, 1), (1, 1), (3, 1), (3, 1), (5, 1)]),
    (groups.O2(), "2x1+0o+3", [(1, 1), (2, 1), (2, 1), (2, 1)]),
    (groups.Dihedral(5), "1+0o+2x2", [(1, 1), (2, 1), (2, 1), (2, 1)]),
    (groups.Cyclic(5), "1+0+2x2", [(1, 1), (2, 2), (2, 2), (2, 2)]),
]


@pytest.mark.parametrize(("group", "text", "expected"), GIVEN, ids=[str(g) for g, _, _ in GIVEN])
@pytest.mark.parametrize("turned", ["orthogonal", "skewed"])
def test_from_generators(group, text, expected, turned):
    """A rep in an unknown basis: its irreps, their types, and the basis; also where that is not orthonormal."""
    rep = group.rep(text)
    change = np.random.default_rng(0).normal(size=(rep.dim, rep.dim))
    change = np.linalg.qr(change)[0] if turned == "orthogonal" else change
    x, h = (np.linalg.inv(change) @ m @ change for m in (rep.generators(), rep.discrete()))
    new, q = groups.from_generators(x, h)
    assert [(a.dim, a.endo) for _, a in new.blocks] == expected
    tolerance = 1e-10 * np.linalg.cond(change)
    assert np.abs(x @ q - q @ new.generators()).max(initial=0.0) < tolerance
    if group.dim:
        assert np.abs(h @ q - q @ new.discrete()).max() < tolerance
    else:
        found = new.group.find(h) if turned == "orthogonal" else None
        if found is not None:
            assert np.abs(h @ q - q @ new(found)).max() < tolerance
    if turned == "orthogonal":
        assert np.abs(q.T @ q - np.eye(rep.dim)).max() < 1e-10


def test_from_generators_knows_products():
    """SU(3) from its 3 alone: 6 x 6 over R, with its multiplicities, and what is found in it."""
    rep, _ = groups.from_generators(groups.SU(3).irrep("(1,0)").generators, name="mine")
    group = rep.group
    three = rep.blocks[0][1]
    assert {a.label: n for a, n in group.tensor_product(three, three).items()} == {"1a": 2, "6a": 1, "8a": 2, "12a": 1}
    assert group.clebsch_gordan(three, three, "8a").residual < 1e-12
    eight = group.irrep("8a")
    assert {a.dim: n for a, n in group.tensor_product(eight, eight).items()} == {1: 1, 8: 2, 20: 1, 27: 1}
    assert [a.dim for a in islice(group.irreps(), 4)] == [1, 6, 8, 12]
    circle = groups.from_generators([[[0.0, -1.0], [1.0, 0.0]]])[0].group
    assert [a.label for a in islice(circle.irreps(), 28)][-2:] == ["2aa", "2ab"]  # more than the alphabet
    lorentz = groups.Lorentz()
    new, q = groups.from_generators(lorentz.irrep("(1,1)").generators)
    assert not new.group.compact
    assert [(a.dim, a.endo) for _, a in new.blocks] == [(4, 1)]
    vector = new.blocks[0][1]
    assert {a.dim: a.endo for a in new.group.tensor_product(vector, vector)} == {1: 1, 6: 2, 9: 1}
    assert np.abs(new.group.matrix(new.group.sample(2)) @ q - q @ new(new.group.sample(2))).max() < 1e-12
