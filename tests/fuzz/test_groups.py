"""Identities of random groups and reps: homomorphisms, products, restriction and induction, elements from their matrices."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eqlib import groups
from tests.fuzz.settings import examples
from tests.fuzz.test_layers import GROUPS, made, reps, small

FINITE = [made("Octahedral", True), made("Icosahedral"), made("Dihedral", 6), made("permutations", 4, 1)]
NAMES = ["SO2", "O2", "SO3", "O3", "Lorentz"]
COORDINATES = [*map(made, NAMES), made("Lorentz", True), made("Octahedral", True), made("Dihedral", 5)]


@examples()
@given(st.data())
def test_reps_are_homomorphisms_and_are_read_back(data):
    rep = data.draw(reps())
    group, seed = rep.group, data.draw(st.integers(0, 99))
    g, h = group.sample(3, seed, scale=0.5), group.sample(3, seed + 1, scale=0.5)
    assert np.allclose(rep(g) @ rep(h), rep(g * h), atol=1e-9)
    assert np.allclose(rep(g * g.inverse()), np.eye(rep.dim), atol=1e-9)
    assert group.rep(str(rep)) == rep and len(rep(group.identity(0))) == 0
    assert rep.dim == sum(mul * a.dim for mul, a in rep) == (rep + rep).dim // 2
    sorted_, places = rep.sort().rep, rep.sort().places
    assert sorted_.dim == rep.dim and sorted(places.tolist()) == list(range(rep.dim))


@examples()
@given(st.data())
def test_products_hold_what_their_characters_say(data):
    group = data.draw(GROUPS)
    a, b = (data.draw(st.sampled_from(small(group))) for _ in range(2))
    if a.dim * b.dim > 36:
        return
    found = group.tensor_product(a, b)
    assert sum(n * c.dim for c, n in found.items()) == a.dim * b.dim
    assert found == group.tensor_product(b, a)
    g = group.sample(4, data.draw(st.integers(0, 9)), scale=0.5)
    trace = [np.trace(c(g), axis1=1, axis2=2) for c in (a, b)]
    assert np.allclose(
        trace[0] * trace[1], sum(n * np.trace(c(g), axis1=1, axis2=2) for c, n in found.items()), atol=1e-7
    )
    c = data.draw(st.sampled_from(sorted(found, key=lambda c: c.label)))
    if c.dim > 20:
        return
    cg = group.clebsch_gordan(a, b, c)
    assert cg.shape == (found[c] * c.endo, a.dim, b.dim, c.dim) and cg.residual < 1e-10
    for t in cg.dense():
        left = np.einsum("ijm,nia,njb->nabm", t, a(g), b(g))
        assert np.allclose(left, np.einsum("abc,nmc->nabm", t, c(g)), atol=1e-7)


@examples()
@given(st.data())
def test_a_cyclic_subgroup_made_of_any_element(data):
    """Restriction to it is a rep along it; a map of its generator to anything else is refused."""
    group = data.draw(st.sampled_from(FINITE))
    rep = data.draw(reps(group))
    number = data.draw(st.integers(0, group.components - 1))
    powers, step = [0], number
    while step:
        powers.append(step)
        step = int(group.table[step, number])
    sub = groups.Cyclic(len(powers))
    embedding = groups.Embedding(np.zeros((0, 0)), group.element(np.zeros((len(powers), 0)), powers))
    new, q = groups.restrict(rep, sub, embedding)
    h = sub.element(np.zeros((len(powers), 0)), np.arange(len(powers)))
    assert np.allclose(q @ new(h) @ q.T, rep(embedding.components), atol=1e-9) and np.allclose(
        q.T @ q, np.eye(rep.dim), atol=1e-9
    )
    if rep.dim and len(small(sub)):
        b = sub.rep([(1, data.draw(st.sampled_from(small(sub))))])
        large, p = groups.induce(b, group, embedding)
        assert large.dim == b.dim * group.components // len(powers) and np.allclose(
            p.T @ p, np.eye(large.dim), atol=1e-9
        )
    wrong = [*powers[:-1], data.draw(st.integers(0, group.components - 1))]
    kept = all(group.table[wrong[i], wrong[1 % len(wrong)]] == wrong[(i + 1) % len(wrong)] for i in range(len(wrong)))
    if not kept or wrong[0]:
        other = groups.Embedding(np.zeros((0, 0)), group.element(np.zeros((len(powers), 0)), wrong))
        try:
            groups.restrict(group.rep([(1, small(group)[-1])]), sub, other)
        except ValueError as error:
            assert "embedding of" in str(error)
        else:
            raise AssertionError((group, powers, wrong))


@examples()
@given(st.data())
def test_elements_come_back_from_their_matrices(data):
    group = data.draw(
        st.sampled_from(
            [
                made(*k)
                for k in (
                    ("SO2",),
                    ("O2",),
                    ("SO3",),
                    ("O3",),
                    ("Lorentz",),
                    ("Lorentz", True),
                    ("Octahedral", True),
                    ("Dihedral", 5),
                )
            ]
        )
    )
    g = group.sample(
        data.draw(st.integers(0, 3)),
        data.draw(st.integers(0, 99)),
        scale=data.draw(st.sampled_from([0.1, 1.0, 5.0, 12.0])),
    )
    matrix = group.matrix(g)
    again = group.matrix(group.from_matrix(matrix))
    assert np.allclose(again, matrix, rtol=0, atol=1e-11 * max(1.0, np.abs(matrix).max(initial=0)))
    if len(matrix):
        wrong = matrix.copy()
        by = data.draw(st.sampled_from([1e-3, 0.1, 1.0, np.nan, np.inf, -3.0]))
        i, j = (data.draw(st.integers(0, matrix.shape[1] - 1)) for _ in range(2))
        wrong[0, i, j] += by
        try:
            group.from_matrix(wrong)
        except ValueError as error:
            assert "matri" in str(error)
        else:
            raise AssertionError((group, by))
