"""Baseline: a boosted tree on a few observables of the jet, or on its mass alone; what a tagger was before networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqlib.doors import Natural, typed


@typed
def boosted_tree(known: ArrayLike, labels: ArrayLike, asked: ArrayLike, seed: Natural = 0) -> NDArray[np.float64]:
    """Probability of class 1 for each row of `asked` (m, observables), (m,), learnt from `known` (n, observables).

    scikit-learn's gradient boosting with shallow trees; a tenth of the known rows decides when to stop.

    >>> import numpy as np
    >>> from eqlib import models
    >>> masses = np.linspace(0, 300, 200)[:, None]  # GeV
    >>> models.boosted_tree(masses, (masses[:, 0] > 150).astype(int), [[80.0], [173.0]]).round().tolist()
    [0.0, 1.0]
    """
    known, asked = np.asarray(known, dtype=np.float64), np.asarray(asked, dtype=np.float64)
    if known.ndim != 2 or asked.shape[1:] != known.shape[1:] or len(known) != len(np.asarray(labels)):
        raise ValueError(
            f"known, labels, asked: got shapes {known.shape}, {np.shape(labels)} and {asked.shape}, expected tables of the "
            f"same columns and a label for each known row"
        )
    from sklearn.ensemble import HistGradientBoostingClassifier

    tree = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=400, max_leaf_nodes=8, min_samples_leaf=40, early_stopping=True, random_state=seed
    )
    return tree.fit(known, labels).predict_proba(asked)[:, 1]
