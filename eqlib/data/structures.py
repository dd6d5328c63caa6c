"""Proteins as arrays: heavy atoms and the residues and chains that they belong to. Lengths in angstrom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Array, finite, orthogonal, whole
from .elements import ELEMENTS

#: The 20 standard amino acids with their letter and their heavy atoms beside N, CA, C and O, as the PDB names them.
SIDE_CHAINS = {
    "ALA": ("A", "CB"),
    "ARG": ("R", "CB CG CD NE CZ NH1 NH2"),
    "ASN": ("N", "CB CG OD1 ND2"),
    "ASP": ("D", "CB CG OD1 OD2"),
    "CYS": ("C", "CB SG"),
    "GLN": ("Q", "CB CG CD OE1 NE2"),
    "GLU": ("E", "CB CG CD OE1 OE2"),
    "GLY": ("G", ""),
    "HIS": ("H", "CB CG ND1 CD2 CE1 NE2"),
    "ILE": ("I", "CB CG1 CG2 CD1"),
    "LEU": ("L", "CB CG CD1 CD2"),
    "LYS": ("K", "CB CG CD CE NZ"),
    "MET": ("M", "CB CG SD CE"),
    "PHE": ("F", "CB CG CD1 CD2 CE1 CE2 CZ"),
    "PRO": ("P", "CB CG CD"),
    "SER": ("S", "CB OG"),
    "THR": ("T", "CB OG1 CG2"),
    "TRP": ("W", "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2"),
    "TYR": ("Y", "CB CG CD1 CD2 CE1 CE2 CZ OH"),
    "VAL": ("V", "CB CG1 CG2"),
}
BACKBONE = ("N", "CA", "C", "O")
LETTERS = {name: letter for name, (letter, _) in SIDE_CHAINS.items()}
HEAVY = {name: (*BACKBONE, "OXT", *side.split()) for name, (_, side) in SIDE_CHAINS.items()}


@dataclass(frozen=True, eq=False, repr=False)
class Structure:
    """The heavy atoms of one or more protein chains, n atoms in r residues; `read_structure` makes them from a file.

    positions: (n, 3), float64, angstrom. elements: (n,), int64, atomic numbers. names: (n,), text, such as "CA". residues: (n,),
    int64, the residue of each atom, 0 ... r - 1, never falling, none left out.
    residue_names: (r,), three letters, of the 20 standard amino acids. chains: (r,), text. numbers: (r,), int64, and insertions:
    (r,), text, mostly "": residues 52 and 52A are two. alpha: (r,), int64, the atom that is the residue's alpha carbon.
    (Where a file was read with `partial`, the first atom of residues that lack theirs.)
    dropped: what the file had besides, by kind, and how many of it.
    Raises ValueError for arrays that do not fit each other, an unknown residue, NaN, inf, and an alpha carbon that is none.

    >>> backbone = np.array([[0.0, 0, 0], [1.5, 0, 0], [2.0, 1.4, 0], [3.8, 0.5, 0]])
    >>> names, residues = ["N", "CA", "C", "CA"], ["GLY", "SER"]
    >>> s = Structure(backbone, [7, 6, 6, 6], names, [0, 0, 0, 1], residues, ["A", "A"], [1, 2], ["", ""], [1, 3])
    >>> s, s.sequence, s.only([1]).positions.tolist()
    (Structure(2 residues, 4 atoms, chain A), 'GS', [[3.8, 0.5, 0.0]])
    """

    positions: Array
    elements: NDArray[np.int64]
    names: NDArray[np.str_]
    residues: NDArray[np.int64]
    residue_names: NDArray[np.str_]
    chains: NDArray[np.str_]
    numbers: NDArray[np.int64]
    insertions: NDArray[np.str_]
    alpha: NDArray[np.int64]
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("elements", "residues", "numbers", "alpha"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        for name in ("names", "residue_names", "chains", "insertions"):
            object.__setattr__(self, name, np.array(list(getattr(self, name)), dtype=np.str_))
        n, r = len(self.elements), len(self.numbers)
        object.__setattr__(self, "positions", finite("positions", self.positions, (n, 3)))
        for name, length in dict.fromkeys(("names", "residues"), n).items() | dict.fromkeys(OF_RESIDUES, r).items():
            if getattr(self, name).shape != (length,):
                raise ValueError(f"{name}: got shape {getattr(self, name).shape}, expected ({length},)")
        if not np.array_equal(np.unique(self.residues), np.arange(r)) or (np.diff(self.residues) < 0).any():
            raise ValueError(f"residues: got others than 0 ... {r - 1}, each with atoms, never falling")
        if unknown := set(self.residue_names.tolist()) - set(LETTERS):
            raise ValueError(f"residue_names: got {min(unknown)!r}, expected one of {', '.join(LETTERS)}")
        if n and (self.elements.min() < 1 or self.elements.max() > len(ELEMENTS)):
            raise ValueError(f"elements: got {self.elements.min()} ... {self.elements.max()}, expected atomic numbers")
        fits = (self.alpha >= 0) & (self.alpha < n)
        if not fits.all() or not np.array_equal(self.residues[self.alpha], np.arange(r)):
            raise ValueError("alpha: got an atom of another residue, expected one of each residue's own")

    def __len__(self) -> int:
        """How many residues."""
        return len(self.numbers)

    def __repr__(self) -> str:
        chains = list(dict.fromkeys(self.chains.tolist()))
        shown = f"chain{'s' * (len(chains) > 1)} {', '.join(chains)}" if len(chains) < 8 else f"{len(chains)} chains"
        return f"Structure({len(self):,} residues, {len(self.elements):,} atoms, {shown})"

    @property
    def sequence(self) -> str:
        """One letter for each residue, chain after chain."""
        return "".join(LETTERS[name] for name in self.residue_names.tolist())

    def moved(self, rotation: ArrayLike, shift: ArrayLike = (0.0, 0.0, 0.0)) -> Structure:
        """Turned about the origin by an orthogonal matrix (3, 3), then shifted by (3,), angstrom: x -> rotation x + shift."""
        (R,) = orthogonal(rotation, 1)
        return replace(self, positions=self.positions @ R.T + finite("shift", shift, (3,)))

    def only(self, residues: ArrayLike) -> Structure:
        """Some residues with their atoms, in the order asked for; by number from 0, or by (r,) truth values."""
        given = np.asarray(residues)
        if given.dtype == np.bool_ and given.shape != (len(self),):
            raise ValueError(f"residues: got truth values of shape {given.shape}, expected ({len(self)},)")
        chosen = np.flatnonzero(given) if given.dtype == np.bool_ else whole("residues", given if given.size else [])
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise ValueError(f"residues: got {chosen.min()} ... {chosen.max()}, expected 0 ... {len(self) - 1}")
        begins = np.searchsorted(self.residues, np.arange(len(self) + 1))
        sizes = np.diff(begins)[chosen]
        first = np.cumsum(sizes) - sizes
        atoms = np.arange(sizes.sum()) + np.repeat(begins[chosen] - first, sizes)
        return Structure(
            self.positions[atoms],
            self.elements[atoms],
            self.names[atoms],
            np.repeat(np.arange(len(chosen)), sizes),
            self.residue_names[chosen],
            self.chains[chosen],
            self.numbers[chosen],
            self.insertions[chosen],
            self.alpha[chosen] - begins[chosen] + first,
            self.dropped,
        )


OF_RESIDUES = ("residue_names", "chains", "numbers", "insertions", "alpha")


def join(*parts: Structure) -> Structure:
    """All residues of several, part after part, in one structure; chains keep their names."""
    atoms = np.cumsum([0, *(len(part.elements) for part in parts)])[:-1]
    residues = np.cumsum([0, *map(len, parts)])[:-1]

    def of(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return Structure(
        of("positions"),
        of("elements"),
        of("names"),
        np.concatenate([part.residues + first for part, first in zip(parts, residues, strict=True)]),
        of("residue_names"),
        of("chains"),
        of("numbers"),
        of("insertions"),
        np.concatenate([part.alpha + first for part, first in zip(parts, atoms, strict=True)]),
        dict(sum((Counter(part.dropped) for part in parts), Counter())),
    )
