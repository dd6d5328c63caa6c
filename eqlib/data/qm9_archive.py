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
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from .arrays import Array
from .elements import NUMBERS
from .molecules import DEBYE, HARTREE, Molecules, as_molecules

NAME = re.compile(r"dsgdb9nsd_(\d{6})\.xyz")
WHOLE = 133_885  # molecules
LARGEST = 1 << 16  # bytes of one molecule's file; QM9's have at most 3,000
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
    try:
        entries = sorted(bar, key=lambda entry: entry.place)
    except (OSError, EOFError, tarfile.TarError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: got a truncated or damaged archive ({error}), expected a whole one") from error
    indices = [entry.place for entry in entries]
    if len({*indices}) < len(indices):
        raise ValueError(
            f"{path}: got {len(indices)} molecules of {len({*indices})} numbers, expected each number once"
        )
    if not entries or (number is not None and len(entries) < number):
        raise ValueError(f"{path}: got {len(entries)} molecules, expected {number or 'at least 1'}")
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
    with bz2.open(path) as raw, tarfile.open(fileobj=raw, mode="r|") as archive:
        for member in archive:
            where = f"{path}: {member.name}"
            name = NAME.fullmatch(Path(member.name).name)
            if not member.isfile() or name is None or member.size > LARGEST:
                raise ValueError(
                    f"{where}: got {member.size} bytes, expected dsgdb9nsd_000001.xyz and so on, small files"
                )
            content = archive.extractfile(member)
            assert content is not None  # it is a file
            yield _entry(where, int(name[1]), content.read().decode("utf-8", errors="replace"))
        while raw.read(LARGEST):  # to the end, where a damaged stream shows
            pass


def _entry(where: str, index: int, text: str) -> Entry:
    """A file's molecule: number of atoms; gdb, number, properties; symbol, x, y, z, charge of each atom; and three lines more."""
    lines = text.rstrip("\n").replace("*^", "e").split("\n")  # some numbers are written as 1.23*^-5
    if not lines[0].strip().isdecimal() or len(lines) != int(lines[0]) + 5 or not int(lines[0]):
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
        positions = np.array([row[1:4] for row in rows], dtype=np.float64)
        values = dict(zip(PROPERTIES, map(float, head[2:]), strict=True))
    except ValueError as error:
        raise ValueError(f"{where}: got {error}, expected numbers") from error
    mu, gap, U0 = (values[key] for key in ("mu", "gap", "U0"))
    if not np.isfinite([*positions.flat, mu, gap, U0]).all():
        raise ValueError(f"{where}: got NaN or inf, expected finite numbers")
    return Entry(index, [NUMBERS[row[0]] for row in rows], positions, mu, gap, U0)
