"""The public top-tagging reference set, from its own HDF5 files: to set figures beside published ones.

2 million jets by the recipe that the shipped ones follow (G. Kasieczka, T. Plehn, J. Thompson, M. Russell,
doi:10.5281/zenodo.2603256, CC BY 4.0). Nothing is downloaded; reading takes two packages that the course does without,
pandas and tables.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .jet_sets import Jets

COLUMNS = ("E", "PX", "PY", "PZ")
MOST = 200  # constituents of a jet in these files


def reference_jets(path: Path | str, number: int, *, first: int = 0, particles: int = MOST) -> Jets:
    """Some jets of train.h5, val.h5 or test.h5; their particles are massless, and labels are 1 for top and 0 for QCD.

    number: how many jets, from number `first` on; all columns of 10,000 jets take 64 MB. particles: the hardest so many
    of each, 1 ... 200.
    Raises ImportError without pandas and tables, FileNotFoundError without the file, and ValueError for a number that
    cannot be and for a file of another form.

    >>> reference_jets("test.h5", 1000)
    Traceback (most recent call last):
    ...
    FileNotFoundError: test.h5: no such file. train.h5, val.h5 and test.h5 are at doi:10.5281/zenodo.2603256
    >>> reference_jets("test.h5", 1000).momenta()[0].shape  # doctest: +SKIP
    (1000, 200, 4)
    """
    if number < 1 or first < 0:
        raise ValueError(f"number, first: got {number!r} and {first!r}, expected at least 1 and 0")
    if not 1 <= particles <= MOST:
        raise ValueError(f"particles: got {particles!r}, expected 1 ... {MOST}")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file. train.h5, val.h5 and test.h5 are at doi:10.5281/zenodo.2603256")
    try:
        import pandas
        import tables  # pandas reads these files with it
    except ImportError as error:
        raise ImportError(
            f"the reference set's files need pandas and tables ({error}): pip install pandas tables"
        ) from error
    try:
        table: Any = pandas.read_hdf(path, key="table", start=first, stop=first + number)
        names = [f"{name}_{n}" for n in range(particles) for name in COLUMNS]
        momenta = np.asarray(table[names], dtype=np.float64).reshape(-1, particles, 4)
        labels = np.asarray(table["is_signal_new"]).astype(np.int64)
    except (OSError, KeyError, TypeError, ValueError, tables.HDF5ExtError) as error:
        raise ValueError(
            f"{path}: got {' '.join(str(error).split())[:200]}, expected a table with E_0, PX_0 ... and is_signal_new"
        ) from error
    if len(labels) != number:
        raise ValueError(
            f"number: got {number!r} from jet {first} on, expected at most {len(labels)}: the file ends there"
        )
    if not np.isfinite(momenta).all() or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"{path}: got NaN, inf or labels {np.unique(labels)}, expected finite numbers and labels 0 and 1"
        )
    # The energies are float32; from the momenta they are exact again, and the particles massless.
    momenta[..., 0] = np.where(momenta[..., 0] > 0, np.linalg.norm(momenta[..., 1:], axis=-1), 0.0)
    return replace(Jets.from_momenta(momenta, momenta[..., 0] > 0, labels), most=particles)
