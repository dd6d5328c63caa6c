"""Exact integers over C: dimensions, products and invariants, against tables and against another program's output."""

import hashlib
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import pytest

from eqlib.groups import weights

E8 = (0, 0, 0, 0, 0, 0, 0, 1)
E7 = (0, 0, 0, 0, 0, 0, 1)
TYPES = ["A1", "A2", "A3", "A4", "B2", "B3", "B4", "C2", "C3", "C4", "D3", "D4", "D5", "F4", "G2", "E6", "E7", "E8"]

# (type, a, b): dimensions of the irreps in a x b, with multiplicities.
PRODUCTS = [
    ("E8", E8, E8, [1, 248, 3875, 27000, 30380]),
    ("E8", (1, 0, 0, 0, 0, 0, 0, 0), E8, [248, 3875, 30380, 147250, 779247]),
    ("E7", E7, (1, 0, 0, 0, 0, 0, 0), [56, 912, 6480]),
    ("E6", (1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1), [1, 78, 650]),
    ("F4", (0, 0, 0, 1), (1, 0, 0, 0), [26, 273, 1053]),
    ("G2", (2, 0), (2, 0), [1, 7, 14, 27, 27, 64, 64, 77, 77, 182, 189]),
    ("A2", (2, 2), (2, 2), [1, 8, 8, 10, 10, 27, 27, 27, 28, 28, 35, 35, 35, 35, 64, 64, 81, 81, 125]),
    ("D5", (0, 0, 0, 0, 1), (0, 0, 0, 0, 1), [10, 120, 126]),
]

# SHA-256 over the products of all pairs of irreps of dimension up to 200 (E6 to E8: the four smallest), as LiE 2.2.2 gives them
# (van Leeuwen, Cohen, Lisser 1992); of A1 the pairs whose first label divides by ten.
REFERENCE = {
    "A1": (2100, "c2409f9831ff39cbec13952c63588efacf6e7162658f7189238144ee1e45813c"),
    "A2": (3828, "3accdb9a7db34d95df7c25b3f4f5a2517ef97e000b93117d6bfa668c5a97a11c"),
    "A3": (1378, "04be1860c7407e1475dc899580de3ca0c1c160c4043b3fc351d5f58bb01e781b"),
    "A4": (666, "838654f5e4860e65ff87d4c41d2d00dc1970ae6ed08e58af6cab299d009061e0"),
    "B2": (351, "8dd7f2fe2a592f97333565a282463fc224de8564939421d5ccc6ce625d34fee9"),
    "B3": (120, "1d7ba81a2e9ebacec620be9e6704242c6e57928bd13c9b68b57cb5dde636b924"),
    "B4": (45, "85be600b992118d303a0a22f7930dcb45d8c97ee2999cf18f87a4cc3ab4761f6"),
    "C2": (351, "72d5832d88d93ee39b2fa7bec9603fe1c2cc53a0de66ae6ef3a9a66a157ba52c"),
    "C3": (91, "7c5957282b2c8ca54827403564d0dad65f173cd5154cb7e840cbaf2a14402d7d"),
    "C4": (36, "c41ebcedb82e52725fe1a08ebdea5152c18ade9cd66155778933f0c03d5c580c"),
    "D3": (1378, "936240e9e4e7e3f6898ea98d1385bb8fc8e4be14456b26eea91e5f25a5ac1232"),
    "D4": (153, "b89bfc7a1ae73286c224824cd00e31d664cd57dfa795aaf28f5e11967cf3af41"),
    "F4": (6, "d20f0ad609375c704ff67fce4f752fff0b4f3662b005bbc044dc9f03f7b3a939"),
    "G2": (45, "3cd83e5479f9855b2da2a10ddeaf26b0d8db889b5df461fbe6473e84f2fad4b0"),
    "E6": (10, "54b624b794dc6e6f1b3d1a6e6dc2f2c239b38d5832b32260f7b3168dd7a60e76"),
    "E7": (10, "04a0e2097bb2c43a1937c1c1162f8ef754991b5b0d7ed92fb1ac9ceb22c93750"),
    "E8": (10, "ac5ec24a53309e0e9c3318f3fd6f3a5ce8309e14035328b5a9d139f1d4cdf171"),
}

# Number of invariants in the tensor powers 1, 2, ...
INVARIANTS = [
    ("G2", (1, 0), [0, 1, 1, 4, 10, 35]),
    ("A2", (1, 1), [0, 1, 2, 8, 32, 145]),
    ("E8", E8, [0, 1, 1, 5, 16, 79]),
    ("E7", E7, [0, 1, 0, 4, 0, 35]),
    ("F4", (0, 0, 0, 1), [0, 1, 1, 5, 15]),
    ("A2", (1, 0), [0, 0, 1, 0, 0, 5]),
]


def small_irreps(type_):
    system, found = weights.root_system(type_), []
    for label in system.labels():
        if len(found) == 4 if type_[0] == "E" else system.dimension(label) > 200:
            return found
        found.append(label)
    raise AssertionError


@pytest.mark.parametrize(("type_", "a", "b", "dims"), PRODUCTS, ids=[f"{t} {a} {b}" for t, a, b, _ in PRODUCTS])
def test_known_products(type_, a, b, dims):
    found = weights.tensor_product(type_, a, b)
    assert [weights.dimension(type_, c) for c, n in found.items() for _ in range(n)] == dims
    assert weights.tensor_product(type_, b, a) == found


@pytest.mark.parametrize("type_", REFERENCE)
def test_products_of_all_small_irreps_against_an_independent_program(type_):
    found, count = hashlib.sha256(), 0
    for a, b in combinations_with_replacement(small_irreps(type_), 2):
        if type_ == "A1" and a[0] % 10:
            continue
        product = weights.tensor_product(type_, a, b)
        found.update(repr((a, b, sorted(product.items()))).encode())
        count += 1
    assert (count, found.hexdigest()) == REFERENCE[type_]


@pytest.mark.parametrize(("type_", "label", "counts"), INVARIANTS, ids=[f"{t} {x}" for t, x, _ in INVARIANTS])
def test_invariants_of_tensor_powers(type_, label, counts):
    assert [weights.invariants(type_, label, k) for k in range(1, len(counts) + 1)] == counts
    assert weights.invariants(type_, label, 0) == 1


@pytest.mark.parametrize("type_", TYPES)
def test_weights_add_up(type_):
    """Freudenthal's multiplicities against Weyl's dimension, the Weyl group's order against the orbit of rho, and duals."""
    system = weights.root_system(type_)
    for label in small_irreps(type_)[:12]:
        found = weights.multiplicities(type_, label)
        assert sum(found.values()) == weights.dimension(type_, label)
        dual = weights.dual(type_, label)
        assert weights.dual(type_, dual) == label
        assert weights.multiplicities(type_, dual) == {tuple(-x for x in w): m for w, m in found.items()}
        assert weights.dimension(type_, dual) == weights.dimension(type_, label)
        one = weights.tensor_product(type_, label, dual).get((0,) * system.rank)
        assert one == 1
        assert (weights.indicator(type_, label) == 0) == (dual != label)
    if (order := weyl_order(system)) < 3000:
        assert len(system.orbit([1] * system.rank)) == order
    assert len(system.roots) * 2 == sum(weights.multiplicities(type_, adjoint(system)).values()) - system.rank


def weyl_order(system):
    """prod (m_i + 1) over the exponents, the partition dual to the number of roots of each height."""
    counts = np.bincount(system.roots.sum(axis=1))[1:]  # roots of each height
    return prod(int((counts > i).sum()) + 1 for i in range(system.rank))


def adjoint(system):
    return tuple(system.root_weights[-1].tolist())  # the highest root


def test_orders_and_types():
    orders = {"A3": 24, "B4": 384, "C4": 384, "D4": 192, "G2": 12, "F4": 1152}
    orders |= {"E6": 51840, "E7": 2903040, "E8": 696729600}
    assert {t: weyl_order(weights.root_system(t)) for t in orders} == orders
    signs = [
        ("E7", E7, -1),
        ("E8", E8, 1),
        ("A1", (1,), -1),
        ("A1", (2,), 1),
        ("A2", (1, 0), 0),
        ("D5", (0, 0, 0, 0, 1), 0),
    ]
    signs += [
        ("B3", (0, 0, 1), 1),
        ("B2", (0, 1), -1),
        ("C3", (1, 0, 0), -1),
        ("D4", (0, 0, 1, 0), 1),
        ("A3", (0, 1, 0), 1),
    ]
    signs += [("E6", (1, 0, 0, 0, 0, 0), 0), ("D6", (0, 0, 0, 0, 0, 1), -1), ("A5", (0, 0, 1, 0, 0), -1)]
    for type_, label, sign in signs:
        assert weights.indicator(type_, label) == sign, (type_, label)


def test_dimensions_beyond_machine_integers():
    """E8 (1,...,1) has dimension 2^120, by Weyl's formula; its neighbours must not overflow either."""
    assert weights.dimension("E8", (1,) * 8) == 2**120
    assert weights.dimension("E8", "(0,0,0,1,0,0,0,0)") == 6899079264
    assert weights.dimension("A20", (1,) * 20) == 2**210
    found = weights.tensor_product("E8", E8, (2,) * 8)
    dims = [weights.dimension("E8", c) for c in found]
    assert dims == sorted(dims)
    assert sum(n * d for n, d in zip(found.values(), dims, strict=True)) == 248 * 3**120
