"""Finite groups from permutations and matrices: their irreps, characters and types, against theory and the closed forms."""

import pickle
import time

import numpy as np
import pytest

from eqlib import groups
from eqlib.groups import regular_algebra
from eqlib.groups.finite import LETTERS, Finite, letters

HALF = np.sqrt(0.75)
TURN = np.array([[-0.5, -HALF], [HALF, -0.5]])  # a third of a turn
I4 = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
J4 = np.array([[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
A4 = Finite([[1, 2, 0, 3], [1, 0, 3, 2]], name="A4")
Q8 = Finite([I4, J4], name="Q8")
Q8_POINTS = Finite([[1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5]], name="Q8 on 8 points")
BINARY_TETRAHEDRAL = Finite(
    [[[1j, 0], [0, -1j]], [[0, 1], [-1, 0]], np.array([[1 + 1j, 1 + 1j], [-1 + 1j, 1 - 1j]]) / -2], name="2T"
)
IN_SPACE = Finite([np.block([[TURN, np.zeros((2, 1))], [np.zeros((1, 2)), np.eye(1)]])], name="C3 about z")
OBLIQUE = Finite([[[0, -1], [1, -1]]], name="C3, oblique")
ALL = [
    Finite([[0]], name="C1"),
    A4,
    Q8,
    Q8_POINTS,
    BINARY_TETRAHEDRAL,
    IN_SPACE,
    OBLIQUE,
    Finite([[1, 2, 3, 4, 5, 6, 0], [0, 2, 4, 6, 1, 3, 5]], name="7:3"),
    Finite([[[0, 1], [1, 0]], [[1j, 0], [0, 1]]], name="C4 wr C2"),
    *(groups.Symmetric(n) for n in range(1, 6)),
    *(group(inversion) for group in (groups.Octahedral, groups.Icosahedral) for inversion in (False, True)),
]
every_group = pytest.mark.parametrize("group", ALL, ids=str)


def none(a):
    """The generators of an irrep of a finite group."""
    return np.zeros((0, a.dim, a.dim))


def kinds(group):
    """[(dimension, endo)] of the irreps, in order."""
    return [(a.dim, a.endo) for a in group.irreps()]


@every_group
def test_table_is_that_of_the_elements(group):
    n, e = group.components, group.elements
    product = e[:, e] if e.ndim == 2 else e[:, None] @ e
    if e.ndim == 2:
        assert (product == e[group.table]).all()
    else:
        assert np.abs(product - e[group.table]).max() < 1e-12
    assert (np.sort(group.table, axis=0).T == np.arange(n)).all()
    assert (group.table[np.arange(n), group.component_inverses] == 0).all()
    assert (group.table[0] == np.arange(n)).all()


@every_group
def test_irreps_are_orthogonal_homomorphisms_with_their_algebra(group):
    for a in group.irreps():
        d = a.discrete
        assert np.abs(d[:, None] @ d - d[group.table]).max() < 1e-12, a
        assert np.abs(d @ d.swapaxes(1, 2) - np.eye(a.dim)).max() < 1e-12, a
        assert np.abs(d[d != 0]).min() > 1e-12, a
        for x in a.endomorphisms:
            assert np.abs(x @ d - d @ x).max() < 1e-12, a
        gram = np.einsum("eij,fij->ef", a.endomorphisms, a.endomorphisms)
        assert np.abs(gram - a.dim * np.eye(a.endo)).max() < 1e-12


@every_group
def test_irreps_are_all_and_characters_orthogonal(group):
    assert sum(d * d // e for d, e in kinds(group)) == group.components
    sizes = np.array([len(c) for c in group.classes])
    assert sizes.sum() == group.components
    x = group.character_table
    assert x.shape == (len(sizes), len(sizes))
    assert np.abs((x * sizes) @ x.conj().T - group.components * np.eye(len(x))).max() < 1e-10
    assert np.abs(x.conj().T @ x - np.diag(group.components / sizes)).max() < 1e-10
    # Each class is closed, and a character is one number on it.
    for c in group.classes:
        moved = group.table[group.table[:, c], group.component_inverses[:, None]]
        assert set(moved.ravel().tolist()) == set(c.tolist())


TYPES = [
    (A4, [(1, 1), (2, 2), (3, 1)]),
    (Q8, 4 * [(1, 1)] + [(4, 4)]),
    (Q8_POINTS, 4 * [(1, 1)] + [(4, 4)]),
    (BINARY_TETRAHEDRAL, [(1, 1), (2, 2), (3, 1), (4, 2), (4, 4)]),
    (OBLIQUE, [(1, 1), (2, 2)]),
    (groups.Octahedral(), [(d, 1) for d in (1, 1, 2, 3, 3)]),
    (groups.Octahedral(True), [(d, 1) for d in (1, 1, 1, 1, 2, 2, 3, 3, 3, 3)]),
    (groups.Icosahedral(), [(d, 1) for d in (1, 3, 3, 4, 5)]),
    (groups.Icosahedral(True), [(d, 1) for d in (1, 1, 3, 3, 3, 3, 4, 4, 5, 5)]),
]


@pytest.mark.parametrize(("group", "expected"), TYPES, ids=[str(g) for g, _ in TYPES])
def test_types(group, expected):
    assert sorted(kinds(group)) == sorted(expected)


def test_known_characters():
    w = np.exp(2j * np.pi / 3)
    assert [len(c) for c in A4.classes] == [1, 4, 3, 4]
    table = [[1, 1, 1, 1], [1, w, 1, w.conj()], [1, w.conj(), 1, w], [3, 0, -1, 0]]
    assert np.abs(A4.character_table - table).max() < 1e-12
    assert Q8.character_table[4].tolist() == [2, 0, 0, -2, 0]
    phi = (1 + np.sqrt(5)) / 2
    assert sorted(groups.Icosahedral().character_table[1].real.round(9)) == pytest.approx(
        sorted([3, phi, 1 - phi, 0, -1])
    )
    for n in range(1, 6):  # the symmetric group's are whole numbers
        table = groups.Symmetric(n).character_table
        assert np.abs(table - table.real.round()).max() < 1e-12


def test_a_long_cycle_stays_exact():
    """Five hundred turns by one generator: no drift, and the closed form's characters."""
    group = Finite([np.roll(np.arange(500), 1)])
    for label in ("1b", "2a", "2iy"):
        d = group.irrep(label).discrete
        assert np.abs(d @ d[1] - d[group.table[:, 1]]).max() < 1e-13
        turns = round(500 * np.arccos(np.clip(d[1, 0, 0], -1, 1)) / (2 * np.pi))
        angles = 2 * np.pi * (turns * np.arange(500) % 500) / 500
        assert np.abs(np.trace(d, axis1=1, axis2=2) - d.shape[1] * np.cos(angles)).max() < 1e-13


def partitions(n, top=None):
    if n == 0:
        return [[]]
    return [[k, *rest] for k in range(min(n, top or n), 0, -1) for rest in partitions(n - k, k)]


def hook_length_dimension(shape):
    columns = [sum(row > j for row in shape) for j in range(shape[0])]
    hooks = [row - j + columns[j] - i - 1 for i, row in enumerate(shape) for j in range(row)]
    return round(np.prod(np.arange(1, sum(shape) + 1, dtype=float) / hooks))


def test_symmetric_group_of_six_in_seconds():
    start = time.process_time()
    group = groups.Symmetric(6)
    found = [a.discrete for a in group.irreps()]
    assert time.process_time() - start < 10
    for d in found:
        for s in group.generating_components:
            assert np.abs(d @ d[s] - d[group.table[:, s]]).max() < 1e-12


@pytest.mark.parametrize("n", range(1, 7))
def test_symmetric_groups_are_in_youngs_orthogonal_form(n):
    group = groups.Symmetric(n)
    assert [a.dim for a in group.irreps()] == sorted(hook_length_dimension(p) for p in partitions(n))
    for a in group.irreps():
        assert a.endo == 1
        for swap in a.discrete[list(group.generating_components)]:
            assert ((swap != 0).sum(axis=1) <= 2).all()
            inverse = 1 / np.diag(swap)  # axial distances between neighbours in a tableau
            assert np.abs(inverse - inverse.round()).max() < 1e-10


@pytest.mark.parametrize("closed", [f(n) for f in (groups.Cyclic, groups.Dihedral) for n in range(1, 9)], ids=str)
def test_cyclic_and_dihedral_agree(closed):
    """Found anew from the group's action on itself: the same irreps, each once, with the same characters and type."""
    group = Finite(closed.table)
    assert group.components == closed.components
    there = group.find(closed.table).factors[0][0]  # the component of each of the closed form's
    assert sorted(kinds(group)) == sorted(kinds(closed))
    ours = {a: a.discrete[there] for a in group.irreps()}
    for b in closed.irreps():
        homs = {a: len(groups.intertwiners((none(a), d), (none(b), b.discrete))) for a, d in ours.items()}
        same = [a for a, n in homs.items() if n]
        assert len(same) == 1
        assert homs[same[0]] == same[0].endo == b.endo
        assert np.abs(np.trace(ours[same[0]] - b.discrete, axis1=1, axis2=2)).max() < 1e-12


@pytest.mark.parametrize("group", [Q8_POINTS, BINARY_TETRAHEDRAL, groups.Symmetric(4), groups.Icosahedral()], ids=str)
def test_matrices_do_not_depend_on_how_the_space_was_found(group):
    """Another basis of it, as another processor's eigensolver may give, leads to the same matrices."""
    rng = np.random.default_rng(0)
    for space in regular_algebra.irreducible_spaces(group.table):
        d = space.basis.shape[1]
        turned = regular_algebra.Space(
            space.basis @ np.linalg.qr(rng.normal(size=(d, d)))[0], space.character, space.endo
        )
        one, two = (regular_algebra.canonical_matrices(s, group.table, group._closure) for s in (space, turned))
        assert np.abs(one[0] - two[0]).max() < 1e-11
        assert (one[1] == two[1]).all()


def test_basis_is_pinned():
    """These very numbers, for ever: stored weights depend on them."""
    swap, other = groups.Symmetric(3).irrep("2a").discrete[[1, 2]]
    assert swap.tolist() == [[1, 0], [0, -1]]
    assert np.abs(other - [[-0.5, HALF], [HALF, 0.5]]).max() < 1e-14
    assert np.abs(Q8_POINTS.irrep("4a").discrete[[1, 2]] - [I4, J4]).max() == 0
    third, half = A4.irrep("3a").discrete[[1, 2]]
    assert np.abs(third - np.block([[np.eye(1), np.zeros((1, 2))], [np.zeros((2, 1)), TURN]])).max() < 1e-14
    assert np.abs(half - [[-1 / 3, 2 * np.sqrt(2) / 3, 0], [2 * np.sqrt(2) / 3, 1 / 3, 0], [0, 0, -1]]).max() < 1e-14


def test_the_same_bits_twice_and_after_a_pickle():
    for make in (lambda: Finite([I4, J4]), lambda: Finite([[1, 2, 0, 3], [1, 0, 3, 2]]), groups.Icosahedral):
        one, two = make(), make()
        assert one == two
        for other in (two, pickle.loads(pickle.dumps(one))):
            for a, b in zip(one.irreps(), other.irreps(), strict=True):
                assert a.discrete.tobytes() == b.discrete.tobytes()
                for c in one.tensor_product(a, a):
                    found = [g.clebsch_gordan(a.label, a.label, c.label).values.tobytes() for g in (one, other)]
                    assert found[0] == found[1]
    assert Finite([I4, J4]) != Finite([I4])


@pytest.mark.parametrize("group", [Q8, IN_SPACE, *ALL[-4:]], ids=str)
def test_coordinates_are_the_given_matrices(group):
    g = group.element(np.zeros((group.components, 0)), np.arange(group.components))
    assert np.abs(group.matrix(g) - group.elements).max() < 1e-14
    if len(group.vector.blocks) == 1:
        assert (group.coordinates == np.eye(len(group.coordinates))).all()
        assert (group.vector.blocks[0][1].discrete == group.elements).all()
    assert group.ambient == (groups.O3() if group.elements.shape[1] == 3 else group)


@pytest.mark.parametrize("group", [A4, OBLIQUE, BINARY_TETRAHEDRAL, groups.Symmetric(3)], ids=str)
def test_permutations_oblique_and_complex_matrices_give_no_coordinates(group):
    with pytest.raises(ValueError, match="acts on no coordinates"):
        group.vector  # noqa: B018
    assert group.ambient == group


def test_a_reducible_vector():
    assert str(IN_SPACE.vector) in ("1x1a+1x2a", "1x2a+1x1a")
    assert str(groups.Octahedral(True).vector) == "1x3b"


INVARIANTS = [
    (groups.Octahedral(True), [1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 2]),
    (groups.Icosahedral(True), [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1]),
    # The rotations alone leave odd ones too: of the cube from l = 9 on, of the icosahedron from l = 15 on.
    (groups.Octahedral(), [1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 2]),
    (groups.Icosahedral(), [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1]),
]


@pytest.mark.parametrize(("group", "expected"), INVARIANTS, ids=[str(g) for g, _ in INVARIANTS])
def test_invariant_harmonics(group, expected):
    ambient = groups.O3()
    for l, count in enumerate(expected):
        a = ambient.irrep(ambient.harmonic(l))
        small, _ = groups.restrict(ambient.rep(a), group)
        assert small.multiplicity(group.trivial) == count, l
        # By characters: sin((2l + 1) t/2) / sin(t/2) for a turn by t, times (-1)^l for an inversion.
        sign = np.sign(np.linalg.det(group.elements))
        half = np.arccos(np.clip((sign * np.trace(group.elements, axis1=1, axis2=2) - 1) / 2, -1, 1)) / 2
        ratio = [2 * l + 1 if h < 1e-6 else np.sin((2 * l + 1) * h) / np.sin(h) for h in half]
        assert np.mean(np.array(ratio) * sign**l) == pytest.approx(count, abs=1e-9)


def test_labels():
    names = [letters(n) for n in range(1, 700)]
    assert names[:3] + names[24:27] == ["a", "b", "c", "z", "aa", "ab"]
    assert len(set(names)) == len(names)
    assert "x" not in LETTERS
    group = Finite([np.roll(np.arange(60), 1)])
    labels = list(group.labels())
    assert labels[:4] == ["1a", "1b", "2a", "2b"]
    assert labels[-1] == "2ad"
    rep = group.rep([(2, a) for a in labels])
    assert group.rep(str(rep)) == rep
