"""What a phonon density of states is good for: mean frequency and heat capacity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

KELVIN = 1.4387768775  # h c / k_B in cm K: a wave number of 1 / cm is so many kelvin (CODATA 2018)


def mean_frequency(spectra: ArrayLike, frequencies: ArrayLike) -> NDArray[np.float64]:
    """Mean of the frequencies by densities of states (..., F) on evenly spaced `frequencies` (F,): (...,), in their unit.

    Any scale of a spectrum will do; one that is zero everywhere has none: NaN.

    >>> mean_frequency([[0, 1, 1, 0], [0, 0, 4, 0]], [0, 100, 200, 300]).tolist()
    [150.0, 200.0]
    """
    return _mean(spectra, np.asarray(frequencies, dtype=np.float64))


def heat_capacity(spectra: ArrayLike, frequencies: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Heat capacity of harmonic crystals at constant volume, k_B an atom, by densities of states (..., F): (...,).

    3 times the mean of (x / 2)^2 / sinh^2(x / 2) with x = h c nu / (k_B T); at high temperature it is 3, Dulong and Petit's law.
    frequencies: (F,), 1 / cm, evenly spaced. temperature: K. ValueError for one that is not above 0.
    Ashcroft and Mermin, Solid state physics (1976), Eq. 23.22; Chen et al. (2021), Eq. 3.

    >>> heat_capacity([0, 1, 1, 0], [0, 100, 200, 300], temperature=300.0).round(3).item()
    2.862
    """
    if not temperature > 0:
        raise ValueError(f"temperature: got {temperature!r} K, expected one above 0")
    half = np.asarray(frequencies, dtype=np.float64) * KELVIN / temperature / 2
    with np.errstate(over="ignore"):  # sinh of more than 710 is infinite, and such a mode frozen
        each = np.where(half > 0, half / np.sinh(np.where(half > 0, half, 1.0)), 1.0) ** 2
    return 3 * _mean(spectra, each)


def _mean(spectra: ArrayLike, values: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.asarray(spectra, dtype=np.float64)
    if values.ndim != 1 or weights.shape[-1:] != values.shape:
        raise ValueError(
            f"spectra: got shape {weights.shape} with {values.shape} frequencies, expected (..., F) and (F,)"
        )
    with np.errstate(invalid="ignore"):
        return np.asarray(weights @ values / weights.sum(-1))
