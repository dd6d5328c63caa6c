"""Rivals of a network on crystals that see no structure: trees on what a crystal is made of, and how densely."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eqlib.data.crystals import Crystals
from eqlib.data.elements import ELEMENTS, MASSES
from eqlib.doors import Natural, Positive, typed

Array = NDArray[np.float64]
KINDS = ("extra-trees", "forest")


def composition(crystals: Crystals) -> Array:
    """(n, 118 + 5): the share of each element, volume an atom, angstrom^3, density, u / angstrom^3, and mean, least and
    largest mass, u.

    >>> import numpy as np
    >>> from eqlib import data
    >>> from eqlib.models.composition import composition
    >>> salt = data.as_crystals([11, 17], [[0, 0, 0], [2.8, 0, 0]], [2.8 * (1 - np.eye(3))], [2])
    >>> composition(salt)[0, [10, 16, 118]].round(2).tolist()
    [0.5, 0.5, 21.95]
    """
    of = np.repeat(np.arange(len(crystals)), crystals.sizes)
    shares = np.zeros((len(crystals), len(ELEMENTS)))
    np.add.at(shares, (of, crystals.numbers - 1), 1)
    shares /= crystals.sizes[:, None]
    masses = np.array(MASSES)
    room, mean = crystals.volumes / crystals.sizes, shares @ masses
    present = np.where(shares > 0, masses, np.nan)
    return np.column_stack([shares, room, mean / room, mean, np.nanmin(present, axis=1), np.nanmax(present, axis=1)])


@typed
def crystal_trees(kind: str, train: Crystals, judged: Crystals, seed: Natural = 0, trees: Positive = 300) -> Array:
    """Densities of states (n, F) of crystals by an average over trees grown on `composition` of training crystals.

    kind: "extra-trees" (P. Geurts et al., Machine Learning 63, 3 (2006)) or "forest" (L. Breiman, 2001), as scikit-learn has
    them. Not divided by their maxima, which a mean does not keep at 1. ValueError for another kind.
    """
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    if kind not in KINDS:
        raise ValueError(f"kind: got {kind!r}, expected one of {', '.join(KINDS)}")
    if train.spectra is None:
        raise ValueError("train: got crystals without spectra, expected some with them")
    grow = ExtraTreesRegressor if kind == "extra-trees" else RandomForestRegressor
    found = grow(n_estimators=trees, random_state=seed, n_jobs=1).fit(composition(train), train.spectra)
    return np.asarray(found.predict(composition(judged)))
