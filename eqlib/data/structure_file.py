"""Protein structures from PDB and mmCIF files, as gemmi reads them: what is kept of them, and what is left out and counted.

gemmi: M. Wojdyr, Journal of Open Source Software 7, 4200 (2022). The course does without it (extra `complexes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eqlib.doubtful import named

from .structure_text import EXPECTED, bounded_text, of_mmcif, of_pdb
from .structures import HEAVY, LETTERS, Structure

MOST_WITHOUT_ALPHA = 0.1
NAMES = {letter: name for name, letter in LETTERS.items()}
ELEMENTS_OF = {"C": 6, "N": 7, "O": 8, "S": 16}  # the first letter of heavy atoms in proteins


def read_structure(path: Path | str, chains: Sequence[str] | None = None, *, partial: bool = False) -> Structure:
    """The heavy atoms of the proteins in a PDB or mmCIF file, also packed by gzip (.gz).

    chains: names of those to keep, in the file's order; None: all. One name may stand alone: "A". partial: keep residues without
    alpha carbon too, whose `alpha` is then their first atom; labels of poses count these residues' atoms, as DockQ does.
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
    gemmi = gemmi_module()
    with named(path, EXPECTED):
        text = bounded_text(path)
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        model, models = of_mmcif(gemmi, path, text) if first.startswith("data_") else of_pdb(gemmi, path, text)
        return _structure(gemmi, path, model, models, wanted, partial)


def gemmi_module() -> Any:
    try:
        import gemmi
    except ImportError as error:
        raise ImportError(f'files of proteins need gemmi ({error}): pip install "eqlib[complexes]"') from error
    return gemmi


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


def _structure(
    gemmi: Any, path: Path, model: Any, models: int, wanted: Sequence[str] | None, partial: bool
) -> Structure:
    there = list(dict.fromkeys(chain.name for chain in model))
    for name in wanted if wanted is not None else ():
        if name not in there:
            raise ValueError(f"{path}: got no chain {name!r}, expected one of {', '.join(map(repr, there))}")
    dropped: Counter[str] = Counter({"models": models - 1})
    residues: list[tuple[str, str, int, str]] = []
    atoms: list[tuple[str, int, int]] = []  # name, atomic number, residue
    positions: list[list[float]] = []
    alpha, sites, without = [], 0, 0
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
            without += 1
            if not partial:
                continue
        residues.append((kept[0][0], chain, number, insertion))
        alpha.append(len(atoms) + (names.index("CA") if "CA" in names else 0))
        for name, (_, _, atom) in zip(names, kept, strict=True):
            # By the name where it is a known one: of 464 files of the docking benchmark 35 have other things in that column.
            element = ELEMENTS_OF[name[0]] if name in HEAVY[residues[-1][0]] else atom.element.atomic_number
            if element < 1:
                raise ValueError(f"{where}: got no known element for atom {name}, expected one")
            atoms.append((name, element, len(residues) - 1))
            positions.append(atom.pos.tolist())
    if not residues and not sites:
        raise ValueError(f"{path}: got no atoms of proteins{_but(dropped)}, expected {EXPECTED}")
    if without > MOST_WITHOUT_ALPHA * sites:
        raise ValueError(f"{path}: got {without} of {sites} residues without alpha carbon, expected at most a tenth")
    for name in wanted if wanted is not None else ():
        if not any(chain == name for _, chain, _, _ in residues):
            raise ValueError(f"{path}: got chain {name!r} without atoms of proteins, expected some")
    names_of, elements, of = map(np.array, zip(*atoms, strict=True))
    residue_names, chains, numbers, insertions = map(np.array, zip(*residues, strict=True))
    dropped["residues without alpha carbon"] = 0 if partial else without
    left = {kind: n for kind, n in sorted(dropped.items()) if n}
    where_from = (residue_names, chains, numbers, insertions, np.array(alpha))
    return Structure(np.array(positions), elements, names_of, of, *where_from, left)


def _atom_name(name: str, modified: bool, atom: Any) -> str:
    return "SD" if modified and name == "MET" and atom.name == "SE" else atom.name


def _but(dropped: Counter[str]) -> str:
    found = [f"{n} {kind}" for kind, n in sorted(dropped.items()) if n]
    return f" but {', '.join(found)}" if found else ""
