"""Random and evenly spread elements, as factors h * exp(theta . X): (components (n,), coordinates (n, dim))."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from eqlib.groups.element import Array

Factor: TypeAlias = tuple[NDArray[np.int64], Array]


def random_factors(boosts: NDArray[np.bool_], components: int, n: int, seed: int, scale: float) -> list[Factor]:
    """See `Group.sample`; `boosts` says which generators are not compact."""
    rng = np.random.default_rng(seed)
    component = rng.integers(components, size=n)
    turns = [np.where(boosts, 0.0, rng.normal(scale=np.pi, size=(n, len(boosts)))) for _ in range(2)]
    if len(boosts) == 0:
        return [(component, turns[0])]
    identity = np.zeros(n, dtype=np.int64)
    factors = [(component, turns[0]), (identity, turns[1])]
    if boosts.any():
        direction = np.where(boosts, rng.normal(size=(n, len(boosts))), 0.0)
        rapidity = rng.uniform(0.0, scale, size=(n, 1))
        factors.append((identity, rapidity * direction / np.linalg.norm(direction, axis=1, keepdims=True)))
    return factors


def circle(generator: Array, components: int, n: int) -> Factor:
    """About n evenly spaced turns, a multiple of four in each component, of a group whose one generator is given."""
    each = 4 * -(-n // (4 * components))
    period = 2 * np.pi / np.abs(np.linalg.eigvals(generator)).max()
    angles = np.tile(np.arange(each) * period / each, components)
    return np.repeat(np.arange(components), each), angles[:, None]
