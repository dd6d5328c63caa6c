"""The identities that every group obeys, over every group, all irreps up to a bound and all triples."""

from itertools import islice, product

import numpy as np
import pytest

from eqlib import groups

A4 = groups.Finite([[1, 2, 0, 3], [1, 0, 3, 2]], name="A4")
Q8 = groups.Finite([[1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5]], name="Q8")  # on its own elements
CASES = [
    *((groups.Cyclic(n), n) for n in range(1, 9)),
    *((groups.Dihedral(n), 2 * n) for n in range(1, 9)),
    (groups.SO2(), 9),
    (groups.O2(), 10),
    (groups.SO3(), 8),
    (groups.O3(), 8),
    (groups.SL2C(), 8),
    (A4, 3),
    (Q8, 5),
    (groups.Symmetric(4), 5),
    (groups.Octahedral(), 5),
    (groups.Octahedral(True), 10),
    (groups.Icosahedral(), 5),
    (groups.Icosahedral(True), 10),
    (groups.Product(groups.Cyclic(3), groups.Cyclic(4)), 7),
    (groups.Product(Q8, groups.Cyclic(3)), 10),
    (groups.Product(groups.SO2(), groups.SO2()), 8),
    (groups.Product(groups.O2(), groups.Cyclic(3)), 8),
    (groups.Product(groups.SL2C(), groups.SO2()), 7),
    (groups.Product(groups.SO3(), groups.Product(A4, groups.Cyclic(2))), 7),
    (groups.SU(2), 6),
    (groups.SU(3), 5),
    (groups.Sp(4), 4),
    (groups.Spin(7), 3),
    (groups.G2(), 3),
]
COVERS = ["SL2C", "Product(SL2C, SO2)"]  # two elements have one matrix
BY_TABLE = [
    "A4",
    "Q8",
    "Symmetric(4)",
    "Product(Q8, Cyclic(3))",
    "Product(Q8, Q8)",
]  # not all elements move coordinates
UNFAITHFUL = ["Product(SO3, Product(A4, Cyclic(2)))"]  # A4 acts on no coordinates
UNREAD = ["A1", "A2", "B3", "C2", "G2"]  # matrices are not turned back into elements: test_simple.py has another check
LORENTZ = [(k, n) for k in range(7) for n in range(k + 1) if (k + n) % 2 == 0 and k + n <= 6]


def irreps_of(group, bound):
    return list(islice(group.irreps(), bound))


def lorentz_irreps(group):
    labels = [f"({k},{n})" for k, n in LORENTZ]
    if group.parity:
        labels = [x for k, n in LORENTZ for x in ([f"({k},{n})e", f"({k},{n})o"] if k == n else [f"({k},{n})"])]
    return [group.irrep(x) for x in labels]


ALL = [(g, irreps_of(g, bound)) for g, bound in CASES]
ALL += [(g, lorentz_irreps(g)) for g in (groups.Lorentz(), groups.Lorentz(parity=True))]
TWO_Q8 = groups.Product(Q8, Q8)
ALL += [
    (
        TWO_Q8,
        [TWO_Q8.irrep(f"({a})*({b})") for a, b in (x.split() for x in ("1a 1a", "1b 1c", "4a 1a", "1a 4a", "4a 4a"))],
    )
]
every_group = pytest.mark.parametrize(("group", "irreps"), ALL, ids=[g.name for g, _ in ALL])


@every_group
def test_one_set_of_structure_constants(group, irreps):
    if group.dim == 0:
        assert all(a.generators.shape == (0, a.dim, a.dim) for a in irreps)
        return
    first = [a.generators for a in irreps[:6]]
    flat = np.concatenate([x.reshape(group.dim, -1) for x in first], axis=1)
    bracket = [np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x) for x in first]
    brackets = np.concatenate([x.reshape(group.dim**2, -1) for x in bracket], axis=1)
    f = np.linalg.lstsq(flat.T, brackets.T, rcond=None)[0].T.reshape(3 * [group.dim])
    assert np.linalg.matrix_rank(flat) == group.dim
    for a in irreps:
        x = a.generators
        bracket = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
        assert np.abs(bracket - np.einsum("abc,cij->abij", f, x)).max() <= 1e-12 * max(1, np.abs(x).max() ** 2), a


@every_group
def test_generating_generators_give_all(group, irreps):
    """What commutes with `generating` commutes with the algebra: brackets of these span it."""
    if group.dim == 0:
        assert len(group.generating) == 0
        return
    faithful = max(irreps[:4], key=lambda a: np.linalg.matrix_rank(a.generators.reshape(group.dim, a.dim**2)))
    found = list(faithful.generators[list(group.generating)])
    for x, y in ((x, y) for x in found for y in found):  # grows
        bracket = x @ y - y @ x
        flat = np.array([*found, bracket]).reshape(len(found) + 1, -1)
        if np.linalg.matrix_rank(flat, tol=1e-8) == len(flat):
            found.append(bracket)
    assert len(found) == group.dim


@every_group
def test_endomorphisms_are_all_and_a_division_algebra(group, irreps):
    for a in irreps:
        for e, m in product(a.endomorphisms, [*a.generators, *a.discrete]):
            assert np.abs(e @ m - m @ e).max() < 1e-12
        assert np.allclose(a.endomorphisms[0], np.eye(a.dim))
        for e in a.endomorphisms[1:]:
            assert np.allclose(e @ e, -np.eye(a.dim), atol=1e-12)
            assert np.allclose(e.T, -e, atol=1e-12)
        if a.dim <= 16:
            both = (a.generators, a.discrete)
            assert len(groups.intertwiners(both, both)) == a.endo


@every_group
def test_irreps_are_distinct_and_trivial_comes_first(group, irreps):
    assert irreps[0] == group.trivial
    assert irreps[0].dim == 1
    assert (irreps[0].discrete == 1).all()
    if not (isinstance(group, groups.Product) and group.dim):  # whose list goes out in shells
        assert [a.dim for a in irreps_of(group, len(irreps))] == sorted(a.dim for a in irreps_of(group, len(irreps)))
    small = [a for a in irreps if a.dim <= 9]
    for a, b in product(small, small):
        if a != b:
            assert len(groups.intertwiners((a.generators, a.discrete), (b.generators, b.discrete))) == 0, (a, b)


@every_group
def test_clebsch_gordan_of_all_triples(group, irreps):
    g = group.sample(2, seed=3, scale=0.5)
    matrices = {a: a(g) for a in irreps}
    for a, b in product(irreps, irreps):
        product_ = group.tensor_product(a, b)
        assert sum(n * c.dim for c, n in product_.items()) == a.dim * b.dim, (a, b)
        for c in irreps:
            cg = group.clebsch_gordan(a, b, c)
            assert cg.shape == (product_.get(c, 0) * c.endo, a.dim, b.dim, c.dim)
            assert cg.residual < 1e-12, (a, b, c)
            if cg.shape[0] == 0:
                continue
            t = cg.dense()
            gram = np.einsum("kijm,lijm->kl", t, t)
            assert np.abs(gram - c.dim * np.eye(len(t))).max() < 1e-12 * c.dim
            assert np.abs(t[t != 0]).min() > 1e-11
            if a.dim * b.dim * c.dim < 3000:
                left = np.einsum("kijm,nil,njp->knlpm", t, matrices[a], matrices[b], optimize=True)
                right = np.einsum("kijp,nmp->knijm", t, matrices[c], optimize=True)
                scale = np.abs(matrices[a]).max() * np.abs(matrices[b]).max()
                assert np.abs(left - right).max() < 1e-12 * max(1.0, scale), (a, b, c)


@every_group
def test_k_is_the_number_of_intertwiners(group, irreps):
    """The dimension of Hom, from a null space that knows no formula.

    For larger triples the test above is proof enough: K orthonormal intertwiners bound Hom from below, and the irreps,
    distinct and adding up to the product's dimension, from above.
    """
    for a, b, c in product(irreps, irreps, irreps):
        if a.dim * b.dim * c.dim > 130:
            continue
        one = np.eye(a.dim), np.eye(b.dim)
        (x, p), (y, q) = a.constraints, b.constraints
        algebra = np.array([np.kron(u, one[1]) + np.kron(one[0], v) for u, v in zip(x, y, strict=True)])
        algebra = algebra.reshape(len(x), a.dim * b.dim, a.dim * b.dim)
        discrete = np.array([np.kron(u, v) for u, v in zip(p, q, strict=True)]).reshape(len(p), *algebra.shape[1:])
        maps = groups.intertwiners((algebra, discrete), c.constraints)
        assert group.clebsch_gordan(a, b, c).shape[0] == len(maps), (a, b, c)


def product_anew(group, g, h):
    """g h found from the elements themselves: their matrices on coordinates, or the table of one that acts on none."""
    if group.name in BY_TABLE:
        return group.element(np.zeros((len(g), 0)), group.table[g.factors[0][0], h.factors[0][0]])
    return group.from_matrix(group.matrix(g) @ group.matrix(h))


@every_group
def test_homomorphism_through_coordinates(group, irreps):
    """D(g1 g2) = D(g1) D(g2), g1 g2 found anew from its matrix; a covering group's up to sign."""
    g, h = group.sample(6, seed=0, scale=3.0), group.sample(6, seed=1, scale=3.0)
    anew = g * h if group.name in UNREAD else product_anew(group, g, h)
    for a in irreps:
        together, apart, found = a(g * h), a(g) @ a(h), a(anew)
        size = np.linalg.norm(a(g), axis=(1, 2)) * np.linalg.norm(a(h), axis=(1, 2))
        assert (np.linalg.norm(together - apart, axis=(1, 2)) <= 1e-12 * size).all()
        assert np.abs(a(g * g.inverse()) - np.eye(a.dim)).max() < 1e-11 * size.max()
        assert np.abs(a(g.inverse()) @ a(g) - np.eye(a.dim)).max() < 1e-11 * size.max()
        assert np.abs(a(group.identity(1)) - np.eye(a.dim)).max() == 0
        if group.name in UNFAITHFUL:
            continue
        sign = np.sign(np.einsum("nij,nij->n", found, apart))[:, None, None]
        if group.name not in COVERS:
            assert (sign == 1).all()
        assert (np.linalg.norm(found - sign * apart, axis=(1, 2)) <= 1e-12 * size).all(), a


@pytest.mark.parametrize("group", [g for g, _ in ALL if g.dim == 0 and g.components < 100], ids=str)
def test_table_of_a_finite_group(group):
    """The product of two elements from their matrices in all irreps: Plancherel's sum is order * delta."""
    n = group.components
    flat = np.concatenate([np.sqrt(a.dim / a.endo / n) * a.discrete.reshape(n, -1) for a in group.irreps()], axis=1)
    products = [(a.discrete[:, None] @ a.discrete).reshape(n, n, -1) for a in group.irreps()]
    weights = [np.sqrt(a.dim / a.endo / n) for a in group.irreps()]
    both = np.concatenate([w * x for w, x in zip(weights, products, strict=True)], axis=2)
    assert (group.table == (both @ flat.T).argmax(axis=2)).all()
    assert (group.table[np.arange(n), group.component_inverses] == 0).all()


@every_group
def test_one_call_checks_them_all(group, irreps):
    groups.check(group, number=len(irreps) if group.dim > 3 else 8)


C2V = {"A1": (1, 1, 1, 1), "A2": (1, 1, -1, -1), "B1": (1, -1, 1, -1), "B2": (1, -1, -1, 1)}


class Told(groups.Group):
    """Four elements with irreps as told: what one types in for C2v."""

    name, dim, components, ambient = "C2v", 0, 4, groups.O3()

    def __init__(self, vector="B1 + B2 + A1", **changes):
        super().__init__()
        self.characters = {k: v for k, v in {**C2V, **changes}.items() if v is not None}
        self.coordinates_as = vector

    def labels(self):
        return iter(self.characters)

    def parse(self, label):
        if label not in self.characters:
            raise self.bad_label(label, "those told")
        return label

    def matrices(self, label):
        given = np.array(self.characters[label], dtype=float)
        given = given if given.ndim == 3 else given.reshape(-1, 1, 1)
        return np.zeros((0, given.shape[-1], given.shape[-1])), given

    def vector_rep(self):
        return self.coordinates_as


TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
FAULTS = {
    "a sign": ({"B1": (1, -1, 1, 1)}, r"irrep B1 of C2v: got matrices of components that occur \[1, 3\] times"),
    "the sign of a second": ({"B2": (1, -1, 1, 1)}, "irrep B2 of C2v"),
    "no group": ({"B1": (1, 2, -1, -2)}, "irreps A1, A2, B1 of C2v: got products of components that are none"),
    "one that contradicts the others": (
        {"E": np.array([np.eye(2), TURN, -np.eye(2), -TURN])},
        r"irrep E of C2v: got D\(1\) D\(1\) unlike D\(0\), expected the products of components that A1, A2, B1 have",
    ),
    "one twice": ({"B2": (1, -1, 1, -1)}, "irrep B2 of C2v: got the same as B1 in another basis, expected a new one"),
    "one too few": ({"B2": None}, "sum dim.2 / endo = 3, expected 4, the order"),
    "one that is reducible": (
        {"E": [np.diag([x, y]) for x, y in zip(C2V["B1"], C2V["B2"], strict=True)]},
        "irrep E of C2v: got a commuting map besides 1 whose square is not -1",
    ),
    "one that holds three": (
        {"E": np.array([np.diag(x) for x in zip(*(C2V[a] for a in ("A2", "B1", "B2")), strict=True)])},
        "irrep E of C2v: got 3 independent commuting maps, expected 1, 2 or 4",
    ),
    "not trivial first": (
        {"A1": (1, 1, -1, -1), "A2": (1, 1, 1, 1)},
        "irrep A1 of C2v: .* expected 1 for every element",
    ),
    "no identity": ({"B2": (-1, 1, 1, -1)}, "irrep B2 of C2v: got another first matrix"),
    "too few matrices": ({"B2": (1, -1, -1)}, r"irrep B2 of C2v: got generators and components .* \(3, 1, 1\)"),
}


@pytest.mark.parametrize(("changes", "message"), FAULTS.values(), ids=list(FAULTS))
def test_a_wrong_table_is_found(changes, message):
    groups.check(Told())
    with pytest.raises(ValueError, match=message):
        groups.check(Told(vector="B1 + A2 + A1", **changes))


def test_wrong_generators_are_found():
    class Fast(groups.SO3):
        """l = 2 turns twice as fast."""

        def matrices(self, label):
            x, h = super().matrices(label)
            return (2 * x if label == "2" else x), h

    with pytest.raises(ValueError, match=r"irrep 2 of SO3: got \[X_0, X_.\] .* away"):
        groups.check(Fast())

    class Unmoved(groups.O2):
        """The reflection turns no generator around in irrep 2."""

        def matrices(self, label):
            x, h = super().matrices(label)
            return x, (np.array([np.eye(2), -np.eye(2)]) if label == "2" else h)

    with pytest.raises(ValueError, match="irrep 2 of O2: got component 1 on X_0 4 away"):
        groups.check(Unmoved())


def test_wrong_coordinates_are_found():
    class Squeezed(groups.Dihedral):
        def coordinate_map(self):
            return np.diag([1.0, 2.0])

    with pytest.raises(ValueError, match=r"vector of .* change lengths"):
        groups.check(Squeezed(4))

    class Hidden(Told):
        ambient = groups.SO3()  # which has no mirrors

    with pytest.raises(ValueError, match=r"vector of C2v: matri.* SO3"):
        groups.check(Hidden())
