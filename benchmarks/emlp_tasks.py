"""Two regression tasks of Finzi, Welling and Wilson 2021 (Sec. 7.1), drawn from their definitions; numpy alone.

`inertia`: the tensor sum_i m_i (r_i.r_i 1 - r_i r_i^T) of five point masses about the origin. Coordinates of the points are
standard normal, masses are log(1 + e^z) with z standard normal; no units are stated and none are needed.

`scattering`: what the authors take for the matrix element of electron and muon, e- mu- -> e- mu-, without coupling constants:
4 L . M with L = p1 p3^T - (p1.p3 - p1.p1) g, M = p2 p4^T - (p2.p4 - p2.p2) g, all products in Minkowski's metric g = (+,-,-,-).
Every component (E, px, py, pz) of the four momenta is normal with standard deviation 1/4: the momenta are on no mass shell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POINTS, MOMENTA = 5, 4
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def inertia(n: int, random: np.random.RandomState) -> tuple[Array, Array]:
    """Inputs (n, 20), five masses and then five points; targets (n, 9), the tensor row by row."""
    x = random.normal(size=(n, 4 * POINTS))
    x[:, :POINTS] = np.logaddexp(0, x[:, :POINTS])
    return x, inertia_of(x)


def inertia_of(x: Array) -> Array:
    """The target of `inertia` for inputs (n, 20), (n, 9)."""
    mass, r = x[:, :POINTS], x[:, POINTS:].reshape(-1, POINTS, 3)
    sizes = np.einsum("np,npi,npi->n", mass, r, r)
    tensors = sizes[:, None, None] * np.eye(3) - np.einsum("np,npi,npj->nij", mass, r, r)
    return tensors.reshape(-1, 9)


def scattering(n: int, random: np.random.RandomState) -> tuple[Array, Array]:
    """Inputs (n, 16), four momenta (E, px, py, pz); targets (n, 1)."""
    x = random.normal(size=(n, 4 * MOMENTA)) / 4
    return x, scattering_of(x)


def scattering_of(x: Array) -> Array:
    """The target of `scattering` for inputs (n, 16), (n, 1)."""
    p = x.reshape(-1, MOMENTA, 4)
    dots = np.einsum("nai,ij,nbj->nab", p, METRIC, p)
    first, second = dots[:, 0, 2] - dots[:, 0, 0], dots[:, 1, 3] - dots[:, 1, 1]
    # L . M multiplied out; g.g is 4.
    whole = dots[:, 0, 1] * dots[:, 2, 3] - second * dots[:, 0, 2] - first * dots[:, 1, 3] + 4 * first * second
    return 4 * whole[:, None]


DRAWS = {"inertia": inertia, "scattering": scattering}
TEST, VALID = 5000, 1000  # the validation set chooses the epoch, and it chose the network; the test chose nothing
EPOCHS = {100: 1000, 300: 1000, 1000: 900}  # min(900000 / n, 1000)
SEED = 2021  # of the data, in every run: theirs. How they then split 36,000 examples is not known to the last detail


def sets(task: str, size: int) -> dict[str, tuple[Array, Array]]:
    """Inputs and targets, float64: 5,000 for "test", 1,000 for "valid" and `size` for "train", the same in every run.

    RandomState, because its streams are frozen.
    """
    if task not in DRAWS:
        raise ValueError(f"task must be one of {', '.join(DRAWS)}, got {task!r}")
    x, y = DRAWS[task](36_000, np.random.RandomState(SEED))
    first = TEST + VALID
    places = {"test": slice(TEST), "valid": slice(TEST, first), "train": slice(first, first + size)}
    return {name: (x[where], y[where]) for name, where in places.items()}
