"""The public top-tagging reference set, from its own HDF5 files: to set figures beside published ones.

2 million jets by the recipe that the shipped ones follow (G. Kasieczka, T. Plehn, J. Thompson, M. Russell,
doi:10.5281/zenodo.2603256, CC BY 4.0). Nothing is downloaded; reading takes a package that the course does without, tables
(extra `hdf5`). The files are pandas tables, that is, rows of a few fields, each of which holds many columns of one type.
"""

from __future__ import annotations

import contextlib
import pickletools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eqlib.doubtful import dies, named, stamp, unchanged

from .jet_sets import Jets

# What is read of a file below: its table, the table's attributes, its first row and its last.
PROBE = """
import sys, tables
with tables.open_file(sys.argv[1]) as file:
    table = file.get_node("/table/table")
    for name in table._v_attrs._v_attrnames:
        table._v_attrs._g_getattr(table, name)
    table.read(0, 1), table.read(max(0, table.nrows - 1))
"""
COLUMNS = ("E", "PX", "PY", "PZ")
MOST = 200  # constituents of a jet in these files
LABEL = "is_signal_new"
EXPECTED = f"a pandas table named 'table' with columns E_0, PX_0, PY_0, PZ_0 ... PZ_{MOST - 1} and {LABEL}"


class ReferenceFile:
    """train.h5, val.h5 or test.h5, of which any rows can be read by themselves; opening it reads none.

    Particles are massless, labels 1 for top and 0 for QCD. The file is open only while it is read.
    Raises ImportError without tables, FileNotFoundError without the file, and ValueError, which names the file, for one that
    is damaged, cut off, empty or of another form, or that is not the file that it was when it was opened.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(
                f"{path}: no such file. train.h5, val.h5 and test.h5 are at doi:10.5281/zenodo.2603256"
            )
        self._stamp = stamp(self.path)
        self._tables()
        if dies(PROBE, self.path):  # the library has bugs: of 5,000 damaged files two ended the process that read them
            raise ValueError(f"{path}: got a file on which the HDF5 library crashes, expected {EXPECTED}")
        with self._open() as table:
            self._number, self._places = int(table.nrows), _places(table)
        names = [f"{name}_{n}" for n in range(MOST) for name in COLUMNS]
        missing = [name for name in (*names, LABEL) if name not in self._places]
        if missing:
            raise ValueError(f"{path}: got no column {missing[0]!r}, expected {EXPECTED}")
        fields = {self._places[name][0] for name in names}
        if len(fields) > 1:
            raise ValueError(f"{path}: got momenta of several types, expected one, and {EXPECTED}")
        if not self._number:
            raise ValueError(f"{path}: got no jets, expected at least one")
        (self._momenta,) = fields
        self._columns = np.array([self._places[name][1] for name in names])

    def __len__(self) -> int:
        return self._number

    def jets(self, first: int, number: int, particles: int = MOST) -> Jets:
        """So many jets from number `first` on, 0 ... len - 1; the hardest so many particles of each.

        ValueError for NaN, inf and labels other than 0 and 1, which says in which jet, and for a damaged part of the file.
        """
        with self._open() as table:
            rows = table.read(first, first + number)
        unchanged(self.path, self._stamp)
        if len(rows) != number:
            raise ValueError(f"{self.path}: got {len(rows)} jets from jet {first} on, expected {number}")
        momenta = np.take(rows[self._momenta], self._columns[: 4 * particles], axis=1).astype(np.float64)
        field, column = self._places[LABEL]
        labels = rows[field][:, column]
        for wrong, what in (
            (~np.isfinite(momenta).all(1), "NaN or inf, expected finite momenta"),
            (~np.isin(labels, (0, 1)), "another label, expected 0 or 1"),
        ):
            if wrong.any():
                raise ValueError(f"{self.path}: jet {first + int(wrong.argmax())}: got {what}")
        momenta = momenta.reshape(-1, particles, 4)
        # The energies are float32; from the momenta they are exact again, and the particles massless.
        momenta[..., 0] = np.where(momenta[..., 0] > 0, np.linalg.norm(momenta[..., 1:], axis=-1), 0.0)
        with named(self.path, "momenta of jets", f"wrong momenta in jets {first} ... {first + number - 1}"):
            found = Jets.from_momenta(momenta, momenta[..., 0] > 0, labels.astype(np.int64))
        return replace(found, most=particles)

    def _tables(self) -> Any:
        try:
            import tables
        except ImportError as error:
            raise ImportError(f'the reference set\'s files need tables ({error}): pip install "eqlib[hdf5]"') from error
        return tables

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        """Its table, open; what the HDF5 library says against it as a ValueError that names the file."""
        tables = self._tables()
        try:
            with tables.open_file(str(self.path)) as file:
                table = file.get_node("/table/table")
                if not isinstance(table, tables.Table):
                    raise tables.NoSuchNodeError("'table' is none")
                yield table
        except (OSError, tables.HDF5ExtError, tables.NoSuchNodeError) as error:
            found = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = next((line for line in reversed(found) if "reason" in line or "truncated" in line), found[-1])
            raise ValueError(f"{self.path}: got {reason!r} from the HDF5 library, expected {EXPECTED}") from error


def _places(table: Any) -> dict[str, tuple[str, int]]:
    """Column -> the field that holds it, and where in it. pandas pickled the names; their words are read, nothing is executed."""
    places: dict[str, tuple[str, int]] = {}
    for field in table.colnames:
        kind = f"{field}_kind"
        if field.startswith("values_block_") and kind in table._v_attrs:
            pickled = table._v_attrs._g_getattr(table, kind)  # as an attribute it would be unpickled
            try:
                names = [word for _, word, _ in pickletools.genops(bytes(pickled)) if isinstance(word, str)]
            except (TypeError, ValueError):  # no bytes, or no pickle
                continue
            if (len(names),) == table.coldescrs[field].shape:
                places |= {name: (field, n) for n, name in enumerate(names)}
    return places


def reference_jets(path: Path | str, number: int, *, first: int = 0, particles: int = MOST) -> Jets:
    """Some jets of train.h5, val.h5 or test.h5; their particles are massless, and labels are 1 for top and 0 for QCD.

    number: how many jets, from number `first` on; all columns of 10,000 jets take 64 MB. particles: the hardest so many
    of each, 1 ... 200. More jets than memory holds: `JetFiles`.
    Raises ImportError without tables, FileNotFoundError without the file, and ValueError for a number that cannot be and
    for a file of another form.

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
    file = ReferenceFile(path)
    if first + number > len(file):
        raise ValueError(
            f"number: got {number!r} from jet {first} on, expected at most {max(len(file) - first, 0)}: the file ends there"
        )
    return file.jets(first, number, particles)
