"""Restriction and induction along embeddings, and Frobenius reciprocity with every type of irrep."""

from itertools import islice

import numpy as np
import pytest

from eqlib import groups
from eqlib.groups import Embedding, Finite, Product

SO2, O2, SO3, O3 = groups.SO2(), groups.O2(), groups.SO3(), groups.O3()
C1, C4 = Finite([[0]], name="C1"), groups.Cyclic(4)
A4 = Finite([[1, 2, 0, 3], [1, 0, 3, 2]], name="A4")
I, J = np.diag([1j, -1j]), np.array([[0, 1], [-1, 0]])
Q8 = Finite([I, J], name="Q8")
TETRAHEDRAL = Finite([I, J, (-np.eye(2) + I + J + I @ J) / 2], name="2T")  # its double cover, the Hurwitz quaternions
S3, S4 = groups.Symmetric(3), groups.Symmetric(4)
AXIS_Y = Embedding(np.array([[0.0, 1, 0]]), SO3.identity())
# The plane of z and x, the reflection turns x around.
PLANE = Embedding(np.array([[0.0, 1, 0]]), O3.from_matrix(np.array([np.eye(3), np.diag([-1.0, 1, 1])])))


def inside(group, elements):
    """The embedding of a finite group in another by what each element of the first is in the second."""
    return Embedding(np.zeros((0, 0)), group.find(elements))


CASES = [
    *(
        (h, g, groups.embed(h, g))
        for h, g in [
            (SO2, O2),
            (SO3, O3),
            (groups.Lorentz(), groups.Lorentz(parity=True)),
            (groups.Cyclic(3), groups.Dihedral(6)),
            (groups.Octahedral(), groups.Octahedral(True)),
            (groups.Icosahedral(), groups.Icosahedral(True)),
            (Product(SO2, groups.Cyclic(3)), Product(O2, groups.Dihedral(3))),
        ]
    ),
    (A4, S4, inside(S4, A4.elements)),
    (S3, S4, inside(S4, np.concatenate([S3.elements, np.full((6, 1), 3)], axis=1))),
    (C1, Q8, inside(Q8, np.eye(2)[None])),
    (C4, Q8, inside(Q8, np.array([np.linalg.matrix_power(Q8.elements[1], k) for k in range(4)]))),
    (Q8, TETRAHEDRAL, inside(TETRAHEDRAL, Q8.elements)),
]
every_pair = pytest.mark.parametrize(("sub", "group", "embedding"), CASES, ids=[f"{h} in {g}" for h, g, _ in CASES])


def image(embedding, h):
    """The element of the larger group that an element of the smaller one, of one factor, is."""
    ((component, theta),) = h.factors
    group = embedding.components.group
    return embedding.components[component] * group.element(theta @ embedding.algebra)


def irreps(group, n):
    return list(islice(group.irreps(), n))


@every_pair
def test_induced_rep_moves_cosets(sub, group, embedding):
    """What makes it the induced rep: h moves the first copy by rep(h), and some g carries it, as it is, to each other copy."""
    rep = sub.rep([(1, a) for a in irreps(sub, 4)] + [(2, sub.trivial)])
    new, q = groups.induce(rep, group, embedding)
    index = len(q) // rep.dim
    assert q.shape == (new.dim, new.dim)
    assert np.abs(q.T @ q - np.eye(len(q))).max() < 1e-12
    zero = np.zeros((sub.components, sub.dim))
    h = sub.element(zero + np.random.default_rng(0).normal(size=zero.shape) * 0.5, np.arange(sub.components))
    moved = (q @ new(image(embedding, h)) @ q.T).reshape(len(h), index, rep.dim, index, rep.dim)
    size = np.abs(moved).max()
    assert np.abs(moved[:, 0, :, 0] - rep(h)).max() < 1e-12 * size
    assert np.abs(moved[:, 1:, :, 0]).max() < 1e-12 * size
    g = group.element(np.zeros((group.components, group.dim)), np.arange(group.components))
    carried = (q @ new(g) @ q.T).reshape(len(g), index, rep.dim, index, rep.dim)[:, :, :, 0]
    for i in range(index):
        assert np.abs(carried[:, i] - np.eye(rep.dim)).max(axis=(1, 2)).min() < 1e-12, i
    # Copies are moved as wholes, and nothing is left out: one copy goes to one copy.
    assert ((np.abs(carried).max(axis=(2, 3)) > 1e-9).sum(axis=1) == 1).all()


@every_pair
def test_frobenius_reciprocity(sub, group, embedding):
    """dim Hom_G(b, Ind a) = dim Hom_H(b, a) over R: multiplicities times endo, for every type."""
    seen = set()
    for a in irreps(sub, 8):
        new, _ = groups.induce(sub.rep(a), group, embedding)
        for b in irreps(group, 9):
            small, _ = groups.restrict(group.rep(b), sub, embedding)
            assert new.multiplicity(b) * b.endo == small.multiplicity(a) * a.endo, (a, b)
            if group.compact:
                assert groups.induced_multiplicity(sub.rep([(3, a)]), b, embedding) == 3 * new.multiplicity(b)
            if new.multiplicity(b):
                seen.add((a.endo, b.endo))
    assert seen


@pytest.mark.parametrize(
    ("sub", "label", "group", "endos"),
    [("C1", "1a", "Q8", [1, 1, 1, 1, 4]), ("Cyclic(4)", "1", "Q8", [4]), ("Q8", "4a", "2T", [2, 2, 4])],
)
def test_induction_changes_the_type(sub, label, group, endos):
    """Real to quaternionic, complex to quaternionic, quaternionic to complex: so the test above has weighed them all."""
    found = {(str(h), str(g)): (h, g, e) for h, g, e in CASES}
    h, g, embedding = found[sub, group]
    assert sorted(b.endo for _, b in groups.induce(h.rep(label), g, embedding)[0].blocks) == endos


def test_functions_on_the_sphere():
    """L^2 of the sphere is induced from the trivial rep of SO(2): each l once; a frequency m >= 1 has l >= m, twice over R."""
    table = [
        [groups.induced_multiplicity(SO2.rep(str(m)), SO3.irrep(str(l)), AXIS_Y) for l in range(5)] for m in range(4)
    ]
    assert table == [[1, 1, 1, 1, 1], [0, 2, 2, 2, 2], [0, 0, 2, 2, 2], [0, 0, 0, 2, 2]]
    labels = [f"{l}{p}" for l in range(4) for p in "eo"]
    found = [groups.induced_multiplicity(O2.rep("0e"), O3.irrep(x), PLANE) for x in labels]
    assert found == [1, 0, 0, 1, 1, 0, 0, 1]  # harmonics: parity (-1)^l
    found = [groups.induced_multiplicity(O2.rep("0o"), O3.irrep(x), PLANE) for x in labels]
    assert found == [0, 1, 1, 0, 0, 1, 1, 0]
    assert [groups.induced_multiplicity(O2.rep("2"), O3.irrep(x), PLANE) for x in labels] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_functions_on_the_rotations_modulo_the_icosahedron():
    group = groups.Icosahedral(True)
    found = [groups.induced_multiplicity(group.rep("1a"), O3.irrep(O3.harmonic(l))) for l in range(13)]
    assert found == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1]


RESTRICTIONS = [
    (O3, "0e+0o+1o+1e+2e+3o+4e+5o", make(i)) for make in (groups.Octahedral, groups.Icosahedral) for i in (False, True)
]


@pytest.mark.parametrize(("group", "text", "sub"), RESTRICTIONS, ids=[str(h) for _, _, h in RESTRICTIONS])
def test_restriction_to_the_solids(group, text, sub):
    rep = group.rep(text)
    new, q = groups.restrict(rep, sub)
    assert np.abs(q @ q.T - np.eye(rep.dim)).max() < 1e-12
    h = sub.element(np.zeros((sub.components, 0)), np.arange(sub.components))
    assert np.abs(rep(group.from_matrix(sub.matrix(h))) - q @ new(h) @ q.T).max() < 1e-12


@pytest.mark.parametrize("group", [A4, Q8, S4, groups.Icosahedral(True), Product(Q8, S3), Product(O2, C4)], ids=str)
def test_what_commutes_with_the_generating_components_commutes_with_all(group):
    few = irreps(group, 6)
    for a in few:
        for b in few:
            if a.dim * b.dim > 25:
                continue
            some = groups.intertwiners(a.constraints, b.constraints)
            assert len(some) == len(groups.intertwiners((a.generators, a.discrete), (b.generators, b.discrete)))
    index = list(group.generating_components)
    reached = {0}
    while new := {int(x) for x in group.table[list(reached)][:, index].ravel()} - reached:
        reached |= new
    assert reached == set(range(group.components))


def test_an_embedding_of_a_group_in_itself_is_not_ignored():
    twice = Embedding(np.array([[2.0]]), SO2.identity())
    assert str(groups.restrict(SO2.rep("0+1+2"), SO2, twice)[0]) == "1x0+1x2+1x4"
