"""Dimensions, weight multiplicities and tensor products of complex simple Lie algebras, in exact integers.

A type is "A3", "B2", ..., "G2", an irrep a tuple of Dynkin labels in Bourbaki's order or a string such as "(1,0)". Everything
here is over C and by functions; `roots.py` holds the formulas.
"""

from __future__ import annotations

from collections.abc import Iterable

from eqlib import doors
from eqlib.groups.roots import RootSystem, Weight, root_system, text

__all__ = [
    "RootSystem",
    "Weight",
    "dimension",
    "dual",
    "indicator",
    "invariants",
    "multiplicities",
    "root_system",
    "tensor_product",
    "text",
]


def dimension(type_: str, label: Iterable[int] | str) -> int:
    """Complex dimension of the irrep with these Dynkin labels.

    >>> dimension("E8", (1, 0, 0, 0, 0, 0, 0, 0)), dimension("A2", "(1,1)")
    (3875, 8)
    """
    system = root_system(type_)
    return system.dimension(system.check(label))


def multiplicities(type_: str, label: Iterable[int] | str) -> dict[Weight, int]:
    """{weight: multiplicity} of every weight of an irrep.

    >>> multiplicities("A2", (1, 1))[0, 0]  # the octet has two states of weight zero
    2
    """
    system = root_system(type_)
    weights, counts = system.weights(system.check(label))
    return dict(zip(map(tuple, weights.tolist()), counts.tolist(), strict=True))


def tensor_product(type_: str, left: Iterable[int] | str, right: Iterable[int] | str) -> dict[Weight, int]:
    """{label: multiplicity} of left (x) right over C, ascending dimension.

    >>> tensor_product("A2", (1, 1), (1, 1))  # 8 x 8 = 1 + 8 + 8 + 10 + conjugate + 27
    {(0, 0): 1, (1, 1): 2, (0, 3): 1, (3, 0): 1, (2, 2): 1}
    """
    system = root_system(type_)
    return dict(system.tensor_product(system.check(left), system.check(right)))


def dual(type_: str, label: Iterable[int] | str) -> Weight:
    """Labels of the conjugate irrep.

    >>> dual("A2", (1, 0)), dual("E8", (0, 0, 0, 0, 0, 0, 0, 1))
    ((0, 1), (0, 0, 0, 0, 0, 0, 0, 1))
    """
    system = root_system(type_)
    return system.dual(system.check(label))


def indicator(type_: str, label: Iterable[int] | str) -> int:
    """Frobenius-Schur indicator: 1 real, 0 complex, -1 quaternionic.

    >>> indicator("A1", (2,)), indicator("A2", (1, 0)), indicator("A1", (1,))
    (1, 0, -1)
    """
    system = root_system(type_)
    return system.indicator(system.check(label))


def invariants(type_: str, label: Iterable[int] | str, power: int) -> int:
    """Number of invariants in the power-th tensor power of an irrep over C.

    >>> invariants("G2", (1, 0), 3), invariants("A2", (1, 0), 3)  # both have an antisymmetric form of three vectors
    (1, 1)
    """
    system = root_system(type_)
    weight = system.check(label)
    power = doors.count("power", power)
    powers: list[dict[Weight, int]] = [{(0,) * system.rank: 1}]
    for _ in range((power + 1) // 2):
        grown: dict[Weight, int] = {}
        for mu, n in powers[-1].items():
            for nu, m in system.tensor_product(mu, weight).items():
                grown[nu] = grown.get(nu, 0) + n * m
        powers.append(grown)
    # Hom(1, V^p) pairs V^(p/2) with the dual of the other half.
    return sum(n * powers[power - power // 2].get(system.dual(mu), 0) for mu, n in powers[power // 2].items())
