"""The identities that every group obeys, over every group, all irreps up to a bound and all triples."""

from itertools import islice, product

import numpy as np
import pytest

from eqlib import groups

CASES = [
    *((groups.Cyclic(n), n) for n in range(1, 9)),
    *((groups.Dihedral(n), 2 * n) for n in range(1, 9)),
    (groups.SO2(), 9),
    (groups.O2(), 10),
    (groups.SO3(), 8),
    (groups.O3(), 8),
    (groups.SL2C(), 8),
]
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
every_group = pytest.mark.parametrize(("group", "irreps"), ALL, ids=[g.name for g, _ in ALL])


@every_group
def test_one_set_of_structure_constants(group, irreps):
    if group.dim == 0:
        assert all(a.generators.shape == (0, a.dim, a.dim) for a in irreps)
        return
    faithful = max(irreps[:4], key=lambda a: np.linalg.matrix_rank(a.generators.reshape(group.dim, -1)))
    x = faithful.generators
    bracket = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
    flat = x.reshape(group.dim, -1)
    f = np.linalg.lstsq(flat.T, bracket.reshape(group.dim**2, -1).T, rcond=None)[0].T.reshape(3 * [group.dim])
    assert np.linalg.matrix_rank(flat) == group.dim
    for a in irreps:
        x = a.generators
        bracket = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
        assert np.abs(bracket - np.einsum("abc,cij->abij", f, x)).max() <= 1e-12 * max(1, np.abs(x).max() ** 2), a


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
        algebra = np.array(
            [np.kron(x, one[1]) + np.kron(one[0], y) for x, y in zip(a.generators, b.generators, strict=True)]
        )
        algebra = algebra.reshape(group.dim, a.dim * b.dim, a.dim * b.dim)
        discrete = np.array([np.kron(x, y) for x, y in zip(a.discrete, b.discrete, strict=True)])
        maps = groups.intertwiners((algebra, discrete), (c.generators, c.discrete))
        assert group.clebsch_gordan(a, b, c).shape[0] == len(maps), (a, b, c)


@every_group
def test_homomorphism_through_coordinates(group, irreps):
    """D(g1 g2) = D(g1) D(g2), g1 g2 found anew from its matrix; a covering group's up to sign."""
    g, h = group.sample(6, seed=0, scale=3.0), group.sample(6, seed=1, scale=3.0)
    anew = group.from_matrix(group.matrix(g) @ group.matrix(h))
    for a in irreps:
        together, apart, found = a(g * h), a(g) @ a(h), a(anew)
        size = np.linalg.norm(a(g), axis=(1, 2)) * np.linalg.norm(a(h), axis=(1, 2))
        assert (np.linalg.norm(together - apart, axis=(1, 2)) <= 1e-12 * size).all()
        sign = np.sign(np.einsum("nij,nij->n", found, apart))[:, None, None]
        if group.name != "SL2C":
            assert (sign == 1).all()
        assert (np.linalg.norm(found - sign * apart, axis=(1, 2)) <= 1e-12 * size).all(), a
        assert np.abs(a(g * g.inverse()) - np.eye(a.dim)).max() < 1e-11 * size.max()
        assert np.abs(a(g.inverse()) @ a(g) - np.eye(a.dim)).max() < 1e-11 * size.max()
        assert np.abs(a(group.identity(1)) - np.eye(a.dim)).max() == 0
