"""The molecules that the package ships: ethylene glycol in motion, and small organic molecules at rest.

How they were made: docs/data_molecules.md, tools/make_molecules.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import shipped
from .molecules import Molecules, as_molecules

GLYCOL, SMALL = shipped.FOLDER / "molecules-glycol.npz", shipped.FOLDER / "molecules-small.npz"
# SHA-256 of the shipped files; None: not checked.
GLYCOL_SHA256 = "89db23a7849afe7d8a131aba26b1cccf95ee52ced1ee6aa92677ac38d6da1a4e"
SMALL_SHA256 = "21b61efebf2cb2151469674eaadab8efe2481d40ba98e1e927d74a8a38287b9e"
SPLITS = ("train", "valid", "test", "scan")

#: A file's arrays and their types: n molecules, N atoms of all of them.
FORM = {
    "sizes": np.uint8,  # (n,)
    "numbers": np.uint8,  # (N,)
    # Energies and all else were computed at these very numbers, so that rounding them cost nothing.
    "positions": np.float32,  # (N, 3): angstrom
    "energies": np.float64,  # (n,): eV
    "dipoles": np.float32,  # (n, 3): e angstrom
    "gaps": np.float32,  # (n,): eV
    "splits": np.int32,  # (4,): how many molecules are of each of SPLITS, in this order
}
FORCES = np.float32  # (N, 3), "forces": eV / angstrom; molecules at rest have none


def glycol(
    split: str = "train",
    number: int | None = None,
    *,
    path: Path | str | None = None,
    checksum: str | None = GLYCOL_SHA256,
) -> Molecules:
    """Ethylene glycol, HO-CH2-CH2-OH, at 300 K, by GFN2-xTB: energies, forces, dipoles and gaps of one flexible molecule.

    split: "train", "valid" and "test" are trajectories of their own, of 1,000, 200 and 1,000 frames, 20 fs apart. The two former
    begin with O-C-C-O turned to +60 degrees, the latter at -60, among the mirror images. "scan" are 72 rigid turns about the C-C
    bond, O-C-C-O at -180, -175 ... 175 degrees, of the molecule that is stretched out otherwise: a turn by -t gives the mirror
    image of a turn by t.
    number: only the first so many. path: another file that tools/make_molecules.py wrote. checksum: its SHA-256; None: not
    checked. Atoms: O C C O, then hydrogens, about their centre of mass.
    Raises ValueError for an unknown split, a number that cannot be, and for a truncated, damaged or other file, naming it;
    FileNotFoundError if there is none.

    >>> glycol("scan")
    Molecules(72 molecules, 720 atoms, with energies, dipoles, moments, gaps, forces)
    """
    return _part(SPLITS, split, number, GLYCOL if path is None else Path(path), checksum)


def small_molecules(
    split: str = "train",
    number: int | None = None,
    *,
    path: Path | str | None = None,
    checksum: str | None = SMALL_SHA256,
) -> Molecules:
    """3,000 small molecules of C, H, N, O and F at rest, by GFN2-xTB: dipoles, gaps and energies of many different ones.

    split: "train" 2,400, "valid" 200, "test" 400, no molecule twice, in an order drawn by the seed. `recipe["smiles"]` are all of
    them, in the file's order: train, valid, test. Other arguments and errors: as `glycol`.

    >>> small_molecules("test")
    Molecules(400 molecules, ... atoms, with energies, dipoles, moments, gaps)
    """
    return _part(SPLITS[:3], split, number, SMALL if path is None else Path(path), checksum)


def _part(splits: tuple[str, ...], split: str, number: int | None, path: Path, checksum: str | None) -> Molecules:
    shipped.known(split, splits)
    molecules, counts = read(path, checksum)
    return molecules[shipped.part(split, number, SPLITS, counts, "molecules")]


def read(path: Path, checksum: str | None) -> tuple[Molecules, list[int]]:
    """All molecules of a file and how many are of each of SPLITS, checked; see `glycol`."""
    arrays, recipe = shipped.read(path, checksum, FORM, ["forces"], "molecules of make_molecules.py")
    counts = shipped.counts(path, arrays.pop("splits"), SPLITS, arrays["sizes"].size, "molecules")
    try:
        return as_molecules(**arrays, recipe=recipe), counts
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
