"""QM9's original archive, 133,885 molecules of C, H, N, O and F in its own xyz format, read as a stream.

Ramakrishnan, Dral, Rupp, von Lilienfeld, Scientific Data 1, 140022 (2014).
"""

from __future__ import annotations

import bz2
import re
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from eqlib.doubtful import named

from .arrays import Array, count, real
from .elements import NUMBERS
from .molecules import DEBYE, HARTREE, Molecules, as_molecules

NAME = re.compile(r"dsgdb9nsd_(\d{6})\.xyz")
WHOLE = 133_885  # molecules
LARGEST = 1 << 16  # bytes of one molecule's file; QM9's have at most 3,000
BETWEEN = (
    8 * LARGEST
)  # bytes from one file of the archive to the next, what tarfile reads at once, and zeros at the end
#: What follows "gdb", the molecule's number and its name on the second line.
PROPERTIES = "A B C mu alpha homo lumo gap r2 zpve U0 U H G Cv".split()


class Entry(NamedTuple):
    """One molecule: QM9's number, atomic numbers (a,), positions (a, 3), angstrom, and |mu|, gap and U0 in debye and hartree."""

    place: int
    numbers: list[int]
    positions: Array
    mu: float
    gap: float
    U0: float


def read_qm9(path: Path | str, number: int | None = None, *, progress: bool = True) -> Molecules:
    """Molecules of an archive dsgdb9nsd.xyz.tar.bz2, by QM9's numbers; nothing is unpacked to disk. See `qm9`.

    number: read only the first so many of the archive. progress: show a bar with the time left.
    Raises ValueError, which names the archive and the molecule's file, for a truncated or damaged archive, an unknown element,
    NaN or inf, another number of atoms or columns, a number that comes twice, and where there are fewer than `number`.
    """
    path = Path(path)
    if number is not None and number < 1:
        raise ValueError(f"number: got {number!r}, expected at least 1, or None for all")
    bar = tqdm(
        islice(_entries(path), number), total=number or WHOLE, unit=" molecules", desc="QM9", disable=not progress
    )
    with named(path, "a whole one", "a truncated or damaged archive"):
        entries = sorted(bar, key=lambda entry: entry.place)
    indices = [entry.place for entry in entries]
    if len({*indices}) < len(indices):
        raise ValueError(
            f"{path}: got {len(indices)} molecules of {len({*indices})} numbers, expected each number once"
        )
    if not entries or (number is not None and len(entries) < number):
        raise ValueError(f"{path}: got {len(entries)} molecules, expected {number or 'at least 1'}")
    with named(path, "molecules", "what is none"):
        return as_molecules(
            [n for entry in entries for n in entry.numbers],
            np.concatenate([entry.positions for entry in entries]),
            [len(entry.numbers) for entry in entries],
            energies=HARTREE * np.array([entry.U0 for entry in entries]),
            moments=DEBYE * np.array([entry.mu for entry in entries]),
            gaps=HARTREE * np.array([entry.gap for entry in entries]),
        )


def _entries(path: Path) -> Iterator[Entry]:
    """The archive's molecules, one after the other."""
    # bz2 by itself, since tarfile takes a compressed stream that breaks off between two files for a whole one.
    with bz2.open(path) as file, tarfile.open(fileobj=(raw := _Bounded(file)), mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            raw.left = BETWEEN
            where = f"{path}: {member.name}"
            name = NAME.fullmatch(Path(member.name).name)
            if not member.isfile() or name is None or member.size > LARGEST:
                raise ValueError(
                    f"{where}: got {member.size} bytes, expected dsgdb9nsd_000001.xyz and so on, small files"
                )
            content = archive.extractfile(member)
            assert content is not None  # it is a file
            yield _entry(where, int(name[1]), content.read().decode("utf-8", errors="replace"))
        # To the end, where a damaged stream shows. tarfile takes a damaged head of a file for the end; zeros are the end.
        while rest := archive.fileobj.read(LARGEST):
            if rest.strip(b"\0"):
                raise ValueError("something behind its end, or a damaged head of a file")


class _Bounded:
    """A stream that gives BETWEEN bytes in all, and again as many when `left` is set: tarfile would take any number at once for
    the name of a file, and an archive of a few bytes can unpack to any number of zeros."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, BETWEEN

    def read(self, size: int) -> bytes:
        content = self._file.read(min(size, BETWEEN))
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"more than {BETWEEN} bytes without a molecule")
        return content


def _entry(where: str, index: int, text: str) -> Entry:
    """A file's molecule: number of atoms; gdb, number, properties; symbol, x, y, z, charge of each atom; and three lines more."""
    lines = text.rstrip("\n").replace("*^", "e").split("\n")  # some numbers are written as 1.23*^-5
    number = count(lines[0].strip())
    if not number or len(lines) != number + 5:
        raise ValueError(
            f"{where}: got {len(lines)} lines, the first {lines[0]!r}, expected a number of atoms and 5 lines more"
        )
    head, rows = lines[1].split(), [line.split() for line in lines[2:-3]]
    if head[:2] != ["gdb", str(index)] or len(head) != 2 + len(PROPERTIES):
        raise ValueError(f"{where}, line 2: got {lines[1]!r}, expected gdb {index} {' '.join(PROPERTIES)}")
    for i, row in enumerate(rows, start=3):
        if len(row) != 5:
            raise ValueError(f"{where}, line {i}: got {len(row)} columns, expected symbol, x, y, z and charge")
        if row[0] not in NUMBERS:
            raise ValueError(f"{where}, line {i}: got an unknown element {row[0]!r}, expected a symbol such as C")
    try:
        positions = np.array([[real(word) for word in row[1:4]] for row in rows])
        values = dict(zip(PROPERTIES, map(real, head[2:]), strict=True))
    except ValueError as error:
        raise ValueError(f"{where}: got {error}, expected numbers") from error
    mu, gap, U0 = (values[key] for key in ("mu", "gap", "U0"))
    if not np.isfinite([*positions.flat, mu, gap, U0]).all():
        raise ValueError(f"{where}: got NaN or inf, expected finite numbers")
    return Entry(index, [NUMBERS[row[0]] for row in rows], positions, mu, gap, U0)
