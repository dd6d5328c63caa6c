"""Direct products: irreps by the types of the factors, against null spaces and against the product as one finite group."""

from itertools import islice, product

import numpy as np
import pytest
import torch

from eqlib import groups, harmonics
from eqlib.groups import Product

A4 = groups.Finite([[1, 2, 0, 3], [1, 0, 3, 2]], name="A4")
Q8 = groups.Finite([[1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5]], name="Q8")  # on its own elements
S3, C3, C4 = groups.Symmetric(3), groups.Cyclic(3), groups.Cyclic(4)
FINITE = [
    Product(C3, C4),
    Product(A4, C3),
    Product(C3, Q8),
    Product(Q8, C3),
    Product(Q8, Q8),
    Product(S3, groups.Dihedral(4)),
    Product(Product(C3, Q8), groups.Cyclic(2)),
]
INFINITE = [
    Product(groups.SO2(), groups.SO2()),
    Product(groups.O2(), C3),
    Product(groups.SL2C(), groups.SO2()),
    Product(groups.SO3(), S3),
    Product(Q8, groups.SO2()),
]
ALL = FINITE + INFINITE


def some(group, n=7):
    return list(islice(group.irreps(), n))


@pytest.mark.parametrize("group", ALL, ids=str)
def test_irreps_fill_the_product_of_two(group):
    """As the table of the types says, with End and Hom from a null space."""
    kinds = {
        (1, 1): [(1, 1)],
        (1, 2): [(2, 1)],
        (1, 4): [(4, 1)],
        (2, 2): 2 * [(2, 1)],
        (2, 4): [(2, 2)],
        (4, 4): [(1, 4)],
    }
    first, second = group.factors
    for a, b in product(some(first, 5), some(second, 5)):
        if a.dim * b.dim > 16:
            continue
        labels = [f"({a.label})*({b.label})"] + ([f"({a.label})*({b.label})'"] if a.endo == b.endo == 2 else [])
        irreps = [group.irrep(x) for x in labels]
        expected = kinds[min(a.endo, b.endo), max(a.endo, b.endo)]
        assert [(c.endo, a.dim * b.dim // (c.dim * len(irreps))) for c in irreps] == expected
        generators = [np.kron(x, np.eye(b.dim)) for x in a.generators] + [
            np.kron(np.eye(a.dim), x) for x in b.generators
        ]
        discrete = np.array([np.kron(x, y) for x in a.discrete for y in b.discrete])
        both = np.array(generators).reshape(group.dim, a.dim * b.dim, a.dim * b.dim), discrete
        for c, (_, times) in zip(irreps, expected, strict=True):
            own = (c.generators, c.discrete)
            assert len(groups.intertwiners(own, own)) == c.endo
            assert len(groups.intertwiners(own, both)) == times * c.endo
        if len(irreps) == 2:
            assert len(groups.intertwiners(*((c.generators, c.discrete) for c in irreps))) == 0


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_it_is_the_finite_group_with_its_table(group):
    """The same irreps as are found from the table alone, each once: type, characters, multiplicities."""
    other = groups.Finite(group.table)
    there = other.find(group.table).factors[0][0]
    rows = {}
    for a in other.irreps():
        rows[tuple(np.trace(a.discrete[there], axis1=1, axis2=2).round(6) + 0.0)] = a
    same = {a: rows.pop(tuple(np.trace(a.discrete, axis1=1, axis2=2).round(6) + 0.0)) for a in group.irreps()}
    assert not rows
    assert all((a.dim, a.endo) == (b.dim, b.endo) for a, b in same.items())
    assert [a.dim for a in same] == sorted(a.dim for a in same)
    few = list(same)[-4:]
    for a, b in product(few, few):
        found = {same[c]: n for c, n in group.tensor_product(a, b).items()}
        assert found == other.tensor_product(same[a], same[b])
    assert (
        group.component_inverses[group.table] == group.table[group.component_inverses][:, group.component_inverses].T
    ).all()


@pytest.mark.parametrize("group", INFINITE, ids=str)
def test_the_endless_list_reaches_every_irrep(group):
    seen = list(islice(group.labels(), 120))
    assert len(set(seen)) == len(seen)
    for a, b in product(some(group.factors[0], 6), some(group.factors[1], 6)):
        assert f"({a.label})*({b.label})" in seen
        assert (f"({a.label})*({b.label})'" in seen) == (a.endo == b.endo == 2)


@pytest.mark.parametrize(("label", "sign"), [("(2)*(3)", 1), ("(2)*(3)'", -1)])
def test_the_prime_means_the_conjugate_of_the_second(label, sign):
    """Charges (m, n) and (m, -n): i of both is one i in the first, opposite in the second."""
    a = Product(groups.SO2(), groups.SO2()).irrep(label)
    first, second = a.generators
    assert np.abs(first).max() == 2
    assert np.abs(first / 2 - sign * second / 3).max() < 1e-15


@pytest.mark.parametrize("group", ALL, ids=str)
def test_elements_are_pairs(group):
    """A lifted element acts as its factor does, lifts of the two factors commute."""
    first, second = group.factors
    g, h = first.sample(3, seed=1), second.sample(3, seed=2)
    left, right = group.lift(0, g), group.lift(1, h)
    for a in some(group):
        x, y, primed = group._pair(a.label)
        e = group._inclusion(x, y, primed)
        pair = np.einsum("nij,nkl->nikjl", x(g), y(h)).reshape(3, len(e), len(e))
        scale = np.abs(pair).max()
        assert np.abs(a(left * right) - e.T @ pair @ e).max() < 1e-12 * scale
        assert np.abs(a(left * right) - a(right * left)).max() < 1e-12 * scale
    assert (group.noncompact_directions == [*first.noncompact_directions, *second.noncompact_directions]).all()


def test_labels_nest_and_parse_back():
    group = FINITE[-1]
    labels = list(group.labels())
    assert "((1)*(4a))*(1)" in labels
    rep = group.rep([(2, x) for x in labels])
    assert group.rep(str(rep)) == rep
    assert Product(C3, C3).irrep(" ( 1 )*(1)'").label == "(1)*(1)'"
    assert Product(groups.O3(), C3).irrep("(1o)*(1)").dim == 6
    assert group == Product(Product(C3, Q8), groups.Cyclic(2)) != Product(C3, Product(Q8, groups.Cyclic(2)))


def test_coordinates():
    both = Product(groups.O2(), groups.Lorentz())
    g = both.sample(4, seed=0)
    assert both.matrix(g).shape == (4, 6, 6)
    again = both.from_matrix(both.matrix(g))
    assert np.abs(both.matrix(again) - both.matrix(g)).max() < 1e-12 * np.abs(both.matrix(g)).max()
    assert np.abs(both.coordinates[2:, 2:] - groups.Lorentz().coordinates).max() == 0
    assert both.ambient == both
    with pytest.raises(ValueError, match="mixes the two factors' coordinates"):
        both.from_matrix(np.eye(6)[[2, 1, 0, 3, 4, 5]])


@pytest.mark.parametrize("group", [Product(groups.O3(), S3), Product(S3, groups.O3())], ids=str)
def test_a_factor_without_coordinates_leaves_the_harmonics_to_the_other(group):
    assert group.ambient == groups.O3()
    g = group.sample(4, seed=3)
    x = torch.tensor(np.random.default_rng(0).normal(size=(4, 3)))
    moved = torch.einsum("nij,nj->ni", torch.tensor(group.matrix(g)), x)
    y, rep = harmonics.harmonics(group, x, 3), harmonics.rep(group, 3)
    after = torch.einsum("nij,nj->ni", torch.tensor(rep(g)), y)
    assert (harmonics.harmonics(group, moved, 3) - after).abs().max() < 1e-12
    assert rep.dim == 16
    nothing = Product(S3, groups.Symmetric(2))
    with pytest.raises(ValueError, match="acts on no coordinates"):
        nothing.vector  # noqa: B018
