"""The text of PDB and mmCIF files, of a bounded length, and what gemmi makes of it; what gemmi takes silently is refused here.

Such are coordinates that are no numbers, of which it takes as much as is one, and a file that ends in the midst.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from eqlib.doubtful import most_unpacked

from .arrays import real
from .structures import HEAVY

MOST_ATOMS = 100_000
MOST_BYTES, MOST_WORDS = 1 << 25, 3_000_000  # of a file that is unpacked, and of mmCIF: 30 words for each atom
FARTHEST = 1e5  # angstrom from the origin: ten times what a PDB file can hold
EXPECTED = "a PDB or mmCIF file of proteins"
# The columns behind 78 hold charges, or in older files a line's number or what was left from another use: not read.
PDB_COLUMNS = 78


def bounded_text(path: Path) -> str:
    """The whole file, unpacked, of a bounded length."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    most = min(MOST_BYTES, most_unpacked(path)) if packed else MOST_BYTES
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: got a truncated or damaged gzip file ({error}), expected {EXPECTED}") from error
    if len(content) > most:
        raise ValueError(f"{path}: got more than {most / 1e6:.0f} MB, expected at most {MOST_ATOMS:,} atoms")
    if not content.strip():
        raise ValueError(f"{path}: got an empty file, expected {EXPECTED}")
    try:
        if b"\0" in content:
            raise ValueError("zero bytes")
        return content.decode("utf-8")
    except ValueError as error:
        raise ValueError(f"{path}: got a binary file ({error}), expected {EXPECTED}") from error


def _few(path: Path, atoms: int) -> None:
    if atoms > MOST_ATOMS:
        raise ValueError(f"{path}: got {atoms:,} atoms, expected at most {MOST_ATOMS:,}: keep the chains you need")
    if not atoms:
        raise ValueError(f"{path}: got no atoms, expected {EXPECTED}")


def of_pdb(gemmi: Any, path: Path, text: str) -> tuple[Any, int]:
    """The first model, and how many there are."""
    lines = text.splitlines()
    atoms = [(i, line) for i, line in enumerate(lines, 1) if line.startswith(("ATOM  ", "HETATM"))]
    _few(path, len(atoms))
    for i, line in atoms:  # gemmi takes what is no number for as much of it as is one
        try:
            number = line[22:26].strip()
            fits = number.removeprefix("-").isalnum() and all(
                abs(real(line[n : n + 8])) < FARTHEST for n in (30, 38, 46)
            )
            fits = fits and line.isascii() and (not line[54:60].strip() or np.isfinite(real(line[54:60])))
        except ValueError:
            fits = False
        if not fits:
            cut = ", truncated" if len(line) < 54 else ""
            raise ValueError(
                f"{path}, line {i}: got {line[:60]!r}{cut}, expected an atom with three finite coordinates"
            )
    if sum(line.startswith("MODEL ") for line in lines) > sum(line.startswith("ENDMDL") for line in lines):
        raise ValueError(f"{path}: got a model without an end: a truncated file")
    if not text.endswith("\n") and not lines[-1].startswith(("TER", "END", "CONECT", "MASTER")):
        raise ValueError(f"{path}: got {lines[-1][:60]!r} as its last line, without an end: a truncated file")
    structure = gemmi.read_pdb_string(text, max_line_length=PDB_COLUMNS)
    if not any(line.startswith(("TER", "END", "CONECT", "MASTER")) for line in lines[atoms[-1][0] :]):
        _ends_with_a_residue(path, structure[-1])
    return structure[0], len(structure)


def _ends_with_a_residue(path: Path, model: Any) -> None:
    """A file may lack the line END, as two of the docking benchmark do; but then its last residue is to be whole."""
    residue = model[-1][-1]
    missing = set(HEAVY.get(residue.name, ())) - {"OXT"} - {atom.name for atom in residue}
    if missing:
        where = f"residue {residue.name} {residue.seqid}"
        raise ValueError(f"{path}: got an end within {where}, without {min(missing)} and no line END: a truncated file")


def of_mmcif(gemmi: Any, path: Path, text: str) -> tuple[Any, int]:
    words = np.frombuffer(text.encode(), np.uint8) > 32
    if np.count_nonzero(words[1:] & ~words[:-1]) > MOST_WORDS:
        raise ValueError(f"{path}: got more than {MOST_WORDS:,} words, expected at most {MOST_ATOMS:,} atoms")
    if not text.endswith("\n"):
        raise ValueError(f"{path}: got a last line without an end: a truncated file")
    document = gemmi.cif.read_string(text)
    block = next((block for block in document if block.find_values("_atom_site.Cartn_x")), None)
    if block is None:
        raise ValueError(f"{path}: got no atoms (_atom_site), expected {EXPECTED}")
    columns = [list(block.find_values(f"_atom_site.Cartn_{axis}")) for axis in "xyz"]
    _few(path, len(columns[0]))
    for column in columns:
        for i, word in enumerate(column):
            try:
                fits = abs(real(word.partition("(")[0])) < FARTHEST  # 1.234(5): with its uncertainty
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"{path}, atom {i + 1}: got {word[:40]!r}, expected a finite coordinate")
    structure = gemmi.make_structure_from_block(block)
    if not len(structure):
        raise ValueError(f"{path}: got no model, expected {EXPECTED}")
    return structure[0], len(structure)
