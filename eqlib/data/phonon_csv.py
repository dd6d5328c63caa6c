"""Phonon densities of states of 1,521 crystals by density-functional perturbation theory, from their public table.

Petretto et al., Scientific Data 5, 180065 (2018), as Z. Chen et al., Direct prediction of phonon density of states with Euclidean
neural networks, Advanced Science 8, 2004214 (2021), took 1,521 of them and divided them into train, valid and test.
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import fetch
from .crystals import Crystals, as_crystals

# A commit, not a branch: what was checked once is what comes.
ADDRESS = (
    "https://raw.githubusercontent.com/ninarina12/phononDoS_tutorial/a5f27ff40508c0739a74d80568e1470549429e34/data.csv"
)
CHECKSUM = "sha256:fe19bbabc4d49f13a3fb336ee6adff9d70d66e20375cabf56fbfa31cf4da1754"
# The published split: the numbers of the names, mp-..., of its training and its validation crystals; all others are its test.
SPLIT = Path(__file__).with_name("files") / "phonon-split.txt"
SPLITS = ("train", "valid", "test")
COLUMNS = ("mp_id", "structure", "phfreq", "phdos")
LONGEST = 1 << 24  # characters of one cell of the table
# Of one that is read, a few thousand atoms: as Python's own syntax tree a literal takes some hundred times its length.
LONGEST_LITERAL = 1 << 18


class Row(NamedTuple):
    """One line of a table: the name, atomic numbers (a,), positions (a, 3), cell (3, 3), frequencies (F,), spectrum (F,)."""

    name: str
    numbers: Any
    positions: Any
    cell: Any
    frequencies: Any
    spectrum: Any


def phonon_dos(
    split: str = "train",
    folder: Path | str | None = None,
    download: bool = False,
    *,
    checksum: str | None = CHECKSUM,
) -> Crystals:
    """Crystals with their phonon densities of states at 0, 20 ... 1,000 / cm, by the published split.

    split: "train", "valid" or "test", 1,191, 141 and 189 crystals, in which each element's crystals are shared out evenly.
    folder: has train.csv, valid.csv and test.csv, tables of the crystals of one split; or the original data.csv with all of
    them. By default the cache's `phonon_dos`. download: fetch data.csv if it is not there (2.5 MB).
    checksum: of data.csv; None: not checked. Tables of one split are the reader's own and are not.
    Raises ValueError for a damaged table, naming file and line, FileNotFoundError for a missing one, DownloadError when offline.

    >>> phonon_dos("train", "a folder", download=True)  # doctest: +SKIP
    Crystals(1,191 crystals, ... atoms, spectra at 51 frequencies)
    """
    if split not in SPLITS:
        raise ValueError(f"split: got {split!r}, expected one of {', '.join(SPLITS)}")
    base = fetch.cache_folder() / "phonon_dos" if folder is None else Path(folder)
    if (own := base / f"{split}.csv").is_file():
        return read_phonon_csv(own)
    table = base / "data.csv"
    if download:
        fetch.download(ADDRESS, checksum or CHECKSUM, folder=base, name="data.csv")
    elif not table.is_file():
        raise FileNotFoundError(
            f"{base}: no {own.name} and no data.csv there. Put one there, pass folder=..., or download=True to fetch {ADDRESS}"
        )
    elif checksum is not None:
        fetch.check(table, checksum)
    crystals = read_phonon_csv(table)
    lines = map(str.split, SPLIT.read_text(encoding="utf-8").splitlines())
    known = {f"mp-{n}": name for name, *numbers in lines for n in numbers}
    return crystals[np.flatnonzero([known.get(name, "test") == split for name in crystals.names])]


def read_phonon_csv(path: Path | str) -> Crystals:
    r"""All crystals of a table with the columns mp_id, structure, phfreq and phdos; further columns are not looked at.

    structure: a dictionary of numbers, positions, cell and pbc, as ASE writes it; phfreq and phdos: lists. They are read as
    literals, nothing is executed. Every crystal must have the same frequencies.
    Raises ValueError, which names file and line, for a truncated or damaged line and for what `as_crystals` refuses.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "one.csv"
    >>> structure = {"numbers": [26], "positions": [[0, 0, 0]], "cell": (1 - np.eye(3)).tolist(), "pbc": [True] * 3}
    >>> _ = path.write_text(f'mp_id,structure,phfreq,phdos\niron,"{structure}","[0, 20]","[0, 2]"\n', encoding="utf-8")
    >>> read_phonon_csv(path).spectra.tolist()
    [[0.0, 1.0]]
    """
    path, found = Path(path), []
    for line, row in _lines(path):
        where = f"{path}, line {line}"
        found.append(_row(where, row))
        one = found[-1]
        if not np.array_equal(one.frequencies, found[0].frequencies):
            raise ValueError(f"{where}: got other frequencies than in the first row, expected the same")
        try:  # by itself, so that what is wrong with it is told with its line
            as_crystals(
                one.numbers,
                one.positions,
                one.cell[None],
                [len(one.numbers)],
                frequencies=one.frequencies,
                spectra=one.spectrum[None],
            )
        except ValueError as error:
            raise ValueError(f"{where} ({one.name}): {error}") from error
    if not found:
        raise ValueError(f"{path}: got no crystals, expected at least one line below the names of columns")
    names, numbers, positions, cells, frequencies, spectra = zip(*found, strict=True)
    return as_crystals(
        np.concatenate(numbers),
        np.concatenate(positions),
        np.stack(cells),
        [len(z) for z in numbers],
        names=names,
        frequencies=frequencies[0],
        spectra=np.stack(spectra),
    )


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with the lines they end in."""
    before = csv.field_size_limit(LONGEST)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            try:
                yield from _whole(path, reader)
            except (csv.Error, UnicodeDecodeError) as error:
                where = f"{path}, after line {reader.line_num}"
                raise ValueError(f"{where}: got a truncated or damaged table ({error}), expected csv") from error
    finally:
        csv.field_size_limit(before)


def _whole(path: Path, reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows that have all columns."""
    names = reader.fieldnames or ()
    if missing := [name for name in COLUMNS if name not in names]:
        raise ValueError(f"{path}: got columns {[*names]}, no {missing[0]!r}: expected {', '.join(COLUMNS)}")
    for row in reader:
        if None in row or None in row.values():
            cells = sum(value is not None for value in row.values())
            where = f"{path}, line {reader.line_num}"
            raise ValueError(f"{where}: got {cells} cells, expected {len(names)}: a truncated or damaged table")
        yield reader.line_num, row


def _row(where: str, row: Mapping[str, str]) -> Row:
    values = {name: _literal(f"{where}, {name}", row[name]) for name in COLUMNS[1:]}
    structure = values["structure"]
    keys = {"numbers", "positions", "cell", "pbc"}
    if not isinstance(structure, dict) or not keys <= set(structure):
        raise ValueError(f"{where}, structure: got {row['structure'][:60]!r}, expected a dictionary of {sorted(keys)}")
    if structure["pbc"] != [True, True, True]:
        raise ValueError(f"{where}, structure: got pbc {structure['pbc']}, expected a crystal, [True, True, True]")
    try:
        numbers = np.array(structure["numbers"])
        positions, cell, frequencies, spectrum = (
            np.array(x, dtype=np.float64)
            for x in (structure["positions"], structure["cell"], values["phfreq"], values["phdos"])
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{where}: got no arrays of numbers ({error})") from error
    if numbers.ndim != 1 or numbers.dtype.kind != "i" or cell.shape != (3, 3) or spectrum.shape != frequencies.shape:
        shapes = f"numbers {numbers.shape}, cell {cell.shape}, phfreq {frequencies.shape}, phdos {spectrum.shape}"
        raise ValueError(f"{where}: got {shapes}, expected whole numbers (a,), cell (3, 3), and two equal rows")
    return Row(row["mp_id"], numbers, positions, cell, frequencies, spectrum)


def _literal(where: str, text: str) -> Any:
    if len(text) > LONGEST_LITERAL:
        raise ValueError(f"{where}: got {len(text)} characters, expected at most {LONGEST_LITERAL}")
    if found := re.search(r"\b\d[\d.]*_\d", text):
        raise ValueError(f"{where}: got {found[0]!r}, expected numbers as Python prints them")
    try:
        return ast.literal_eval(text)
    except (
        ValueError,
        TypeError,
        SyntaxError,
        MemoryError,
        RecursionError,
    ) as error:  # its parser's own limits, not the machine's
        raise ValueError(f"{where}: got {text[:60]!r}, expected a Python literal ({error})") from error
