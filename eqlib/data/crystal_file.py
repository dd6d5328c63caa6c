"""Seven metals and their ordered alloys, strained, with phonon densities of states: a file of tools/make_crystals.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import shipped
from .crystals import Crystals, as_crystals

CRYSTALS = shipped.FOLDER / "crystals.npz"
SHA256 = "fb16262f52ef3ce215f582f8ca2fac7d44537ec6f4c60119ed47526673626db6"
SPLITS = ("train", "valid", "test")
FREQUENCIES = np.arange(51) * 8.0  # 1 / cm

#: The file's arrays and their types: n crystals, N atoms of all of them.
FORM = {
    "sizes": np.uint8,  # (n,)
    "numbers": np.uint8,  # (N,)
    "positions": np.float32,  # (N, 3): angstrom
    "cells": np.float32,  # (n, 3, 3): angstrom
    "spectra": np.float32,  # (n, 51), on FREQUENCIES
    "splits": np.int32,  # (3,): how many crystals are of each of SPLITS, in this order
}


def alloys(
    split: str = "train",
    number: int | None = None,
    *,
    path: Path | str | None = None,
    checksum: str | None = SHA256,
) -> Crystals:
    """Al, Ni, Cu, Pd, Ag, Pt, Au and their alloys by pairs, each at rest and strained, with densities of states by EMT.

    split: "train", "valid" or "test", of other compounds each: all structures and strains of one formula are in the same. Names
    such as "CuAu3 L1_2, strain 2". Frequencies 0, 8 ... 400 / cm. `recipe` has what was dropped as unstable.
    number: only the first so many. path: another file of tools/make_crystals.py. checksum: its SHA-256; None: not checked.
    Raises ValueError for an unknown split, a number that cannot be, and for a truncated, damaged or other file, naming it;
    FileNotFoundError if there is none.

    >>> alloys("test"), alloys("test").names[0]
    (Crystals(66 crystals, 237 atoms, spectra at 51 frequencies), 'PdPt3 L1_2, at rest')
    """
    shipped.known(split, SPLITS)
    file = CRYSTALS if path is None else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file. Make it by tools/make_crystals.py, or pass path=...")
    crystals, counts = read(file, checksum)
    return crystals[shipped.part(split, number, SPLITS, counts, "crystals")]


def read(path: Path, checksum: str | None) -> tuple[Crystals, list[int]]:
    """All crystals of a file and how many are of each of SPLITS, checked; see `alloys`."""
    arrays, recipe = shipped.read(path, checksum, FORM, [], "crystals of make_crystals.py")
    counts = shipped.counts(path, arrays.pop("splits"), SPLITS, arrays["sizes"].size, "crystals")
    names = recipe.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: names: got {names!r:.60}, expected a list of them in the recipe")
    try:
        return as_crystals(**arrays, frequencies=FREQUENCIES, names=names, recipe=recipe), counts
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
