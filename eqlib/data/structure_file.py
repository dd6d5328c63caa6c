"""Protein structures from PDB and mmCIF files, as gemmi reads them: what is kept of them, and what is left out and counted.

gemmi: M. Wojdyr, Journal of Open Source Software 7, 4200 (2022). The course does without it (extra `complexes`).
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eqlib.doubtful import most_unpacked, named

from .arrays import real
from .structures import HEAVY, LETTERS, Structure

MOST_ATOMS = 100_000
MOST_BYTES, MOST_WORDS = 1 << 25, 3_000_000  # of a file that is unpacked, and of mmCIF: 30 words for each atom
MOST_WITHOUT_ALPHA = 0.1
FARTHEST = 1e5  # angstrom from the origin: ten times what a PDB file can hold
EXPECTED = "a PDB or mmCIF file of proteins"
NAMES = {letter: name for name, letter in LETTERS.items()}
# The columns behind 78 hold charges, or in older files a line's number or what was left from another use: not read.
PDB_COLUMNS = 78
ELEMENTS_OF = {"C": 6, "N": 7, "O": 8, "S": 16}  # the first letter of heavy atoms in proteins


def read_structure(path: Path | str, chains: Sequence[str] | None = None) -> Structure:
    """The heavy atoms of the proteins in a PDB or mmCIF file, also packed by gzip (.gz).

    chains: names of those to keep, in the file's order; None: all. One name may stand alone: "A".
    Kept are the 20 standard amino acids, and modified ones of which gemmi's table knows the standard parent, as that one (MSE
    becomes MET, its selenium sulphur; atoms that the parent lacks are dropped). Of several models the first is taken. Of
    alternate locations the one of the highest summed occupancy is taken for the whole residue, of equals the first. Residues
    with insertion codes (52A) are residues of their own. `dropped` counts the rest by kind: hydrogens, waters, nucleotides,
    ligands (anything else that is no amino acid, and standard amino acids that are written as HETATM), non-standard residues,
    residues without alpha carbon, atoms of other alternate locations, atoms that the standard parent lacks, models.
    Raises ImportError without gemmi, FileNotFoundError without the file, and ValueError, which names the file, for one that is
    damaged, cut off, no text, or has more than 100,000 atoms, for no protein at all or none in a chain that is asked for, a
    chain that is not there, NaN, two atoms or residues of one name, and where more than a tenth of residues lack alpha carbons.

    >>> read_structure("1abc.pdb", chains="A")
    Traceback (most recent call last):
    ...
    FileNotFoundError: 1abc.pdb: no such file
    >>> read_structure("1A2K_l_u.pdb")  # doctest: +SKIP
    Structure(203 residues, 1,625 atoms, chain C)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    wanted = [chains] if isinstance(chains, str) else None if chains is None else list(chains)
    gemmi = _gemmi()
    with named(path, EXPECTED):
        text = _text(path)
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        model, models = _of_mmcif(gemmi, path, text) if first.startswith("data_") else _of_pdb(gemmi, path, text)
        return _structure(gemmi, path, model, models, wanted)


def _gemmi() -> Any:
    try:
        import gemmi
    except ImportError as error:
        raise ImportError(f'files of proteins need gemmi ({error}): pip install "eqlib[complexes]"') from error
    return gemmi


def _text(path: Path) -> str:
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


def _of_pdb(gemmi: Any, path: Path, text: str) -> tuple[Any, int]:
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


def _of_mmcif(gemmi: Any, path: Path, text: str) -> tuple[Any, int]:
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


def _kind(gemmi: Any, residue: Any) -> tuple[str, str]:
    """The standard amino acid that a residue is taken for, or "" and what it is counted as."""
    if residue.name in LETTERS:
        return ("", "ligands") if residue.het_flag == "H" else (residue.name, "")
    known = gemmi.find_tabulated_residue(residue.name)
    if known.is_water():
        return "", "waters"
    if known.is_nucleic_acid():
        return "", "nucleotides"
    if known.kind == gemmi.ResidueKind.AA and known.one_letter_code.islower():
        return NAMES.get(known.one_letter_code.upper(), ""), "non-standard residues"
    amino = known.is_amino_acid() or (residue.het_flag != "H" and residue.find_atom("CA", "*", gemmi.Element("C")))
    return "", "non-standard residues" if amino else "ligands"


Site = tuple[str, int, str]  # chain, number, insertion code
Found = tuple[str, bool, Any]  # standard name, whether it is modified, atom


def _sites(
    gemmi: Any, model: Any, wanted: Sequence[str] | None, dropped: Counter[str]
) -> Iterator[tuple[Site, list[Found]]]:
    """The heavy atoms of each residue of a protein, all alternate locations together."""
    for chain in model:
        if wanted is not None and chain.name not in wanted:
            continue
        sites: dict[tuple[int, str], list[Found]] = {}
        for residue in chain:
            name, counted = _kind(gemmi, residue)
            if not name:
                dropped[counted] += 1
                continue
            site = sites.setdefault((residue.seqid.num, residue.seqid.icode.strip()), [])
            for atom in residue:
                if atom.name not in HEAVY[name] and atom.is_hydrogen():
                    dropped["hydrogens"] += 1
                elif residue.name != name and not _in_parent(atom, name):
                    dropped["atoms that the standard parent lacks"] += 1
                else:
                    site.append((name, residue.name != name, atom))
        yield from (((chain.name, *key), found) for key, found in sites.items() if found)


def _in_parent(atom: Any, parent: str) -> bool:
    return atom.name in HEAVY[parent] or (parent == "MET" and atom.name == "SE")


def _one_location(found: list[Found], dropped: Counter[str]) -> list[Found]:
    """The atoms without a letter, and those of the letter whose occupancies add up to most; the first of equals."""
    lettered = {atom.name for _, _, atom in found if atom.altloc != "\0"}
    if not lettered:
        return found
    twice = {name for name, n in Counter(atom.name for _, _, atom in found).items() if n > 1} & lettered
    # An atom without a letter is an alternate too where one of the same name has a letter.
    letters = [" " if a.altloc == "\0" and a.name in twice else a.altloc for _, _, a in found]
    sums: dict[str, float] = {}
    for letter, (_, _, atom) in zip(letters, found, strict=True):
        if letter != "\0":
            sums[letter] = sums.get(letter, 0.0) + atom.occ
    best = max(sums, key=lambda letter: round(sums[letter], 6))
    kept = [each for letter, each in zip(letters, found, strict=True) if letter in ("\0", best)]
    dropped["atoms of other alternate locations"] += len(found) - len(kept)
    return kept


def _structure(gemmi: Any, path: Path, model: Any, models: int, wanted: Sequence[str] | None) -> Structure:
    there = list(dict.fromkeys(chain.name for chain in model))
    for name in wanted if wanted is not None else ():
        if name not in there:
            raise ValueError(f"{path}: got no chain {name!r}, expected one of {', '.join(map(repr, there))}")
    dropped: Counter[str] = Counter({"models": models - 1})
    residues: list[tuple[str, str, int, str]] = []
    atoms: list[tuple[str, int, int]] = []  # name, atomic number, residue
    positions: list[list[float]] = []
    alpha, sites, without = [], 0, "residues without alpha carbon"
    for (chain, number, insertion), found in _sites(gemmi, model, wanted, dropped):
        sites += 1
        kept = _one_location(found, dropped)
        where = f"{path}: residue {kept[0][0]} {chain} {number}{insertion}"
        names = [_atom_name(*each) for each in kept]
        if len({name for name, _, _ in kept}) > 1:
            raise ValueError(f"{where}: got two residues of one number, {kept[0][0]} and {kept[-1][0]}, expected one")
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise ValueError(f"{where}: got atom {twice} twice, expected one, or alternate locations with letters")
        if "CA" not in names:
            dropped[without] += 1
            continue
        residues.append((kept[0][0], chain, number, insertion))
        alpha.append(len(atoms) + names.index("CA"))
        for name, (_, _, atom) in zip(names, kept, strict=True):
            # By the name where it is a known one: of 464 files of the docking benchmark 35 have other things in that column.
            element = ELEMENTS_OF[name[0]] if name in HEAVY[residues[-1][0]] else atom.element.atomic_number
            if element < 1:
                raise ValueError(f"{where}: got no known element for atom {name}, expected one")
            atoms.append((name, element, len(residues) - 1))
            positions.append(atom.pos.tolist())
    if not residues and not sites:
        raise ValueError(f"{path}: got no atoms of proteins{_but(dropped)}, expected {EXPECTED}")
    if dropped[without] > MOST_WITHOUT_ALPHA * sites:
        raise ValueError(
            f"{path}: got {dropped[without]} of {sites} residues without alpha carbon, expected at most a tenth"
        )
    for name in wanted if wanted is not None else ():
        if not any(chain == name for _, chain, _, _ in residues):
            raise ValueError(f"{path}: got chain {name!r} without atoms of proteins, expected some")
    names_of, elements, of = map(np.array, zip(*atoms, strict=True))
    residue_names, chains, numbers, insertions = map(np.array, zip(*residues, strict=True))
    left = {kind: n for kind, n in sorted(dropped.items()) if n}
    where_from = (residue_names, chains, numbers, insertions, np.array(alpha))
    return Structure(np.array(positions), elements, names_of, of, *where_from, left)


def _atom_name(name: str, modified: bool, atom: Any) -> str:
    return "SD" if modified and name == "MET" and atom.name == "SE" else atom.name


def _but(dropped: Counter[str]) -> str:
    found = [f"{n} {kind}" for kind, n in sorted(dropped.items()) if n]
    return f" but {', '.join(found)}" if found else ""
