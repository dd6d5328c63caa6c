"""Reps as readers of e3nn know them: blocks, multiples, order, and what becomes of features."""

import copy
import pickle

import numpy as np
import pytest

from eqlib import groups

O3 = groups.O3()
REP = O3.rep("2x1o + 0x2e + 3x0e + 0o + 1o")


def test_a_rep_is_a_sequence_of_its_blocks():
    assert len(REP) == len(list(REP)) == 5
    assert tuple(REP) == REP.blocks
    assert [(mul, a.label) for mul, a in REP][:2] == [(2, "1o"), (0, "2e")]
    assert REP[0] == (2, O3.irrep("1o"))
    assert REP[-1] == (1, O3.irrep("1o"))
    assert str(REP[1:3]) == "0x2e+3x0e"
    assert not O3.rep("")
    assert REP
    assert O3.rep(list(REP)) == REP
    with pytest.raises(IndexError):
        REP[5]


def test_membership():
    assert "1o" in REP
    assert O3.irrep("0o") in REP
    assert "2e" not in REP  # no copy of it
    assert "4o" not in REP
    with pytest.raises(ValueError, match="no irrep '1'"):
        "1" in REP  # noqa: B015
    with pytest.raises(ValueError, match="belongs to SO3"):
        groups.SO3().irrep("1") in REP  # noqa: B015


def test_multiples():
    one = O3.rep("0e + 2x1o")
    assert str(2 * one) == str(one * 2) == "1x0e+2x1o+1x0e+2x1o"
    assert np.int64(3) * one == one * np.int64(3) == one + one + one
    assert 0 * one == O3.rep("")
    with pytest.raises(ValueError, match="times: got -1"):
        -1 * one
    for wrong in (1.5, "2", one):
        with pytest.raises(TypeError):
            one * wrong


def test_simplify_keeps_the_flat_axis():
    rep = O3.rep("0x1e + 1o + 0x2e + 2x1o + 0e + 1o + 0x0e + 1o")
    assert str(rep.simplify()) == "3x1o+1x0e+2x1o"
    g = O3.sample(2)
    assert np.array_equal(rep.simplify()(g), rep(g))
    assert rep.simplify().simplify() == rep.simplify()
    assert O3.rep("0x1o").simplify() == O3.rep("")


@pytest.mark.parametrize(
    ("group", "text", "expected"),
    [
        (O3, "2x1o + 0x2e + 3x0e + 0o + 1o", "3x0e+1x0o+2x1o+1x1o+0x2e"),
        (groups.SO2(), "10 + 2 + 0 + 9", "1x0+1x2+1x9+1x10"),
        (groups.SU(3), "(2,0) + (1,1) + (1,0)", "1x(1,0)+1x(1,1)+1x(2,0)"),
        (groups.Icosahedral(), "5a + 3b + 2x3a + 1a", "1x1a+2x3a+1x3b+1x5a"),
        (O3, "", ""),
    ],
)
def test_sort(group, text, expected):
    rep = group.rep(text)
    result = rep.sort()
    assert str(result.rep) == expected
    assert result == (result.rep, result.p, result.inv)
    assert all(result.rep[result.p[n]] == block for n, block in enumerate(rep))
    assert all(rep[result.inv[n]] == block for n, block in enumerate(result.rep))
    g = group.sample(2, seed=1)
    x = np.random.default_rng(0).normal(size=(2, rep.dim))
    moved = np.einsum("nij,nj->ni", rep(g), x)
    assert np.array_equal(np.sort(result.places), np.arange(rep.dim))
    after = np.einsum("nij,nj->ni", result.rep(g), x[:, result.places])
    assert np.abs(after - moved[:, result.places]).max(initial=0.0) < 1e-14


def test_e3nn_agrees():
    o3 = pytest.importorskip("e3nn.o3")
    theirs = o3.Irreps(str(REP))
    assert str(theirs.simplify()) == str(REP.simplify())
    assert str(2 * theirs) == str(2 * REP)
    assert len(theirs) == len(REP)
    p, inv = theirs.sort()[1:]
    assert sorted(p) == sorted(REP.sort().p)
    assert sorted(inv) == sorted(REP.sort().inv)


def test_what_comes_out_is_a_rep_like_any_other():
    for rep in (REP, 2 * REP, REP[1:], REP.simplify(), REP.sort().rep):
        assert O3.rep(str(rep)) == rep
        assert pickle.loads(pickle.dumps(rep)) == copy.deepcopy(rep) == rep
        assert hash(pickle.loads(pickle.dumps(rep))) == hash(rep)
        with pytest.raises(AttributeError, match="immutable"):
            rep.group = groups.SO3()
    with pytest.raises(TypeError):
        REP[0] = (1, O3.irrep("0e"))
