"""Reps, subgroups, the regular rep, the pinned basis of Clebsch-Gordan tensors, and what an import costs."""

import copy
import hashlib
import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eqlib import groups
from tests.groups.test_identities import ALL

Q8 = groups.Finite([[1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5]], name="Q8")  # on its own elements
FINITE = [*(groups.Cyclic(n) for n in range(1, 9)), *(groups.Dihedral(n) for n in range(1, 9))]
FINITE += [Q8, groups.Symmetric(4), groups.Icosahedral(), groups.Product(Q8, groups.Cyclic(3))]
PAIRS = [
    (groups.O2(), "0e+0o+2x1+2+3+8", groups.SO2()),
    (groups.O2(), "0e+0o+2x1+2+3+4+8", groups.Dihedral(4)),
    (groups.O2(), "0e+0o+2x1+2+3+4+9", groups.Cyclic(3)),
    (groups.O2(), "0o+1+2", groups.Dihedral(1)),
    (groups.SO2(), "0+1+2+3", groups.Cyclic(4)),
    (groups.Dihedral(6), "0e+0o+1+2+3e+3o", groups.Dihedral(3)),
    (groups.Dihedral(4), "0e+1+2e+2o", groups.Cyclic(4)),
    (groups.O3(), "0e+0o+1o+2x2e", groups.SO3()),
    (groups.Lorentz(parity=True), "(1,1)+(2,0)+(2,2)o+(3,1)", groups.Lorentz()),
    (groups.Lorentz(), "(1,1)+(2,0)+(2,2)", groups.SL2C()),
]


@pytest.mark.parametrize(("group", "text", "sub"), PAIRS, ids=[f"{g}-{h}" for g, _, h in PAIRS])
def test_restriction(group, text, sub):
    rep = group.rep(text)
    new, q = groups.restrict(rep, sub)
    assert new.group == sub
    assert np.abs(q @ q.T - np.eye(rep.dim)).max() < 1e-12
    h = sub.sample(6, seed=0)
    inside = group.from_matrix(sub.matrix(h))
    assert np.abs(rep(inside) - q @ new(h) @ q.T).max() < 1e-10 * max(1.0, np.abs(rep(inside)).max())


def test_restriction_by_a_given_embedding():
    """SO3 inside the Lorentz group: (1,1) is a scalar and a vector."""
    group, sub = groups.Lorentz(), groups.SO3()
    embedding = groups.Embedding(np.eye(3, 6), group.identity())
    new, _ = groups.restrict(group.rep("(1,1)+(2,2)"), sub, embedding)
    assert str(new) == "1x0+1x1+1x0+1x1+1x2"


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_regular_rep_is_a_permutation(group):
    rep, q = groups.regular(group)
    assert rep.dim == group.components
    assert np.abs(q @ q.T - np.eye(rep.dim)).max() < 1e-12
    assert all(rep.multiplicity(a) == a.dim // a.endo for a in group.irreps())
    p = q @ rep(group.element(np.zeros((group.components, 0)), np.arange(group.components))) @ q.T
    assert np.abs(p - p.round()).max() < 1e-12
    assert (p.round().sum(1) == 1).all()
    # The left regular rep: h takes the indicator of e to that of h.
    assert (p.round()[:, :, 0].argmax(1) == np.arange(group.components)).all()
    # So a pointwise function commutes with the group.
    x = np.random.default_rng(0).normal(size=rep.dim)
    f = q.T @ np.maximum(q @ x, 0)
    g = group.sample(3, seed=1)
    moved = np.maximum(np.einsum("ij,njk,k->ni", q, rep(g), x), 0) @ q
    assert np.abs(moved - rep(g) @ f).max() < 1e-12


def test_basis_of_multiple_products_is_pinned():
    """K = 2 in SO2 1 x 1 -> 2 and Lorentz (2,0) x (2,0) -> (2,0): these very numbers, for ever."""
    half = np.sqrt(0.5)
    found = groups.SO2().clebsch_gordan("1", "1", "2").dense()
    first = [[[half, 0], [0, half]], [[0, half], [-half, 0]]]
    second = [[[0, half], [-half, 0]], [[-half, 0], [0, -half]]]
    assert np.abs(found - [first, second]).max() < 1e-12
    found = groups.Cyclic(3).clebsch_gordan("1", "1", "1")
    assert found.shape == (2, 2, 2, 2)
    two = groups.Lorentz().clebsch_gordan("(2,0)", "(2,0)", "(2,0)")
    assert two.shape == (2, 6, 6, 6)
    assert two.values[:3].tolist() == pytest.approx([0.5, 0.5, 0.5], abs=1e-12)
    assert (two.dense() == -two.dense().swapaxes(1, 2)).all()


def test_swap_parts_come_first_symmetric_then_antisymmetric():
    for group, label in ((groups.SO2(), "1"), (groups.Cyclic(5), "2"), (groups.Lorentz(), "(2,0)")):
        a = group.irrep(label)
        for c in group.tensor_product(a, a):
            tensors = group.clebsch_gordan(a, a, c).dense()
            signs = [np.sign(np.vdot(t, t.swapaxes(0, 1))) for t in tensors]
            assert signs == sorted(signs, reverse=True)
            for t, sign in zip(tensors, signs, strict=True):
                assert np.abs(t.swapaxes(0, 1) - sign * t).max() < 1e-12


def test_light_cone_coordinates():
    group = groups.Lorentz()
    e, x, y, z = 5.0, 1.0, 2.0, 3.0
    half = np.sqrt(0.5)
    assert group.coordinates @ [e, x, y, z] == pytest.approx([(e + z) * half, (e - z) * half, x, y], abs=1e-14)
    boost = group.element([0, 0, 0, 0, 0, 0.7])
    assert (group.matrix(boost) @ [2.0, 0, 0, 0])[0] == pytest.approx([2 * np.cosh(0.7), 0, 0, 2 * np.sinh(0.7)])
    assert np.abs(group.metric - group.coordinates @ np.diag([1.0, -1, -1, -1]) @ group.coordinates.T).max() < 1e-14


def boosted_turns(rapidity, seed):
    """Fifty boosts of this rapidity in random directions, and fifty turns."""
    rng = np.random.default_rng(seed)
    turns, boosts = rng.normal(size=(2, 50, 3))
    boosts *= rapidity / np.linalg.norm(boosts, axis=1, keepdims=True)
    group = groups.Lorentz()
    return group.element(np.c_[0 * boosts, boosts]), group.element(np.c_[turns, 0 * turns])


@pytest.mark.parametrize("rapidity", [0.0, 3.0, 6.0, 10.0])
def test_a_turn_is_read_behind_a_strong_boost(rapidity):
    """The turn in boost x turn is found to some gamma eps; undoing the boost first would lose gamma^2 eps."""
    group = groups.Lorentz()
    boost, turn = boosted_turns(rapidity, 0)
    (_, boosts), (_, turns) = group.from_matrix(group.matrix(boost) @ group.matrix(turn)).factors
    off = np.abs(group.matrix(group.element(turns)) - group.matrix(turn)).max()
    assert off < 5e-15 * np.cosh(rapidity)
    assert np.abs(boosts - boost.factors[0][1]).max() < 1e-13


def test_products_of_strong_boosts_in_every_irrep():
    """D(g) D(h) = D(g h) for k + n <= 8 and rapidity 3 each, g h read from its matrix; relative to the two factors."""
    group = groups.Lorentz()
    (boost, turn), (other, back) = boosted_turns(3.0, 1), boosted_turns(3.0, 2)
    g, h = turn * boost, other * back
    anew = group.from_matrix(group.matrix(g) @ group.matrix(h))
    for k, n in zip(*np.tril_indices(9), strict=True):
        if k + n not in (0, 2, 4, 6, 8):
            continue
        a = group.irrep(f"({k},{n})")
        left, right = a(g), a(h)
        size = np.linalg.norm(left, 2, axis=(1, 2)) * np.linalg.norm(right, 2, axis=(1, 2))
        assert (np.linalg.norm(left @ right - a(anew), 2, axis=(1, 2)) < 1e-12 * size).all(), a
        assert np.abs(size / np.exp(3.0 * (k + n)) - 1).max() < 1e-12  # what a boost stretches by, twice


@pytest.mark.parametrize("group", [groups.O3(), groups.Cyclic(6), groups.Lorentz(parity=True)], ids=str)
def test_copies_and_pickles_are_equal(group):
    rep = group.rep([(2, a) for a, _ in zip(group.irreps(), range(3), strict=False)])
    for other in (copy.deepcopy(rep), pickle.loads(pickle.dumps(rep))):
        assert other == rep
        assert hash(other) == hash(rep)
        assert np.array_equal(other(group.sample(2)), rep(group.sample(2)))
    with pytest.raises(AttributeError, match="immutable"):
        rep.blocks = ()
    empty = group.rep("")
    assert empty.dim == 0
    assert empty + rep == rep
    assert empty.generators().shape == (group.dim, 0, 0)


@pytest.mark.parametrize(
    ("package", "absent"),
    [("groups", "torch"), ("models", "torch._dynamo"), ("tasks.jets", "torch._dynamo"), ("models", "numba")],
)
def test_what_is_large_is_not_loaded(package, absent):
    """torch's compiler takes 70 MB and a second, numba as much again: only for those who ask for it."""
    code = f"import sys, eqlib.{package}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def digest():
    """Of every table of every group: generators, matrices, endomorphisms, elements, Clebsch-Gordan tensors."""
    found = hashlib.sha256()
    for group, irreps in ALL:
        for a in irreps:
            for x in (a.generators, a.discrete, a.endomorphisms, a(group.sample(2, seed=1))):
                assert x.dtype == "float64"
                found.update(x.tobytes())
        for a, b, c in itertools.product(irreps, repeat=3):
            found.update(group.clebsch_gordan(a, b, c).values.tobytes())
    return found.hexdigest()


def test_tables_are_the_same_bits_under_any_default_and_in_any_process():
    """What test_identities.py shows under one torch default holds under the other: these are the same numbers."""
    code = "import torch; torch.set_default_dtype(torch.float64); from tests.groups.test_structure import digest; print(digest())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert torch.get_default_dtype() == torch.float32
    assert done.stdout.strip() == digest()
