"""Public sets of molecules, from their own addresses or a local folder: acetylacetone, ethanol, QM9."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import fetch
from .extended_xyz import isolated_energies, read_xyz
from .molecules import Molecules
from .qm9_archive import read_qm9

# A commit, not a branch: what was checked once is what comes.
BOTNET = "https://raw.githubusercontent.com/davkovacs/BOTNet-datasets/29e6d467317e4b5967b7ea5cbee54de953fa0d45/"
#: Name in the cache, which holds all of them in one folder -> address.
ADDRESSES = {
    "acac_train_300K.xyz": f"{BOTNET}dataset_acac/train_300K.xyz",
    "acac_isolated_atoms.xyz": f"{BOTNET}dataset_acac/isolated_atoms.xyz",
    "ethanol_train.xyz": f"{BOTNET}dataset_ethanol/train.xyz",
    "ethanol_isolated_atoms.xyz": f"{BOTNET}dataset_ethanol/isolated_atoms.xyz",
    "dsgdb9nsd.xyz.tar.bz2": "https://ndownloader.figshare.com/files/3195389",
}
CHECKSUMS = {
    "acac_train_300K.xyz": "sha256:8f5706d6902360555a5be59395612d2afc3489a75688388a58e7275fdad68af3",
    "acac_isolated_atoms.xyz": "sha256:b74f321b453374621b447d65c60979f70df1b7182c8ee0215388b2c574f33823",
    "ethanol_train.xyz": "sha256:a26a16d8910581fa321fedc3bd3dfe31f2460e8cbfdc7a8f65243f4fd7250dd0",
    "ethanol_isolated_atoms.xyz": "sha256:a2a662390f31ad623ce493038e680bc34214f88d4432566bf8fbd0761be57583",
    "dsgdb9nsd.xyz.tar.bz2": "md5:ad1ebd51ee7f5b3a6e32e974e5d54012",
}


def acac(
    folder: Path | str | None = None,
    download: bool = False,
    *,
    without_atoms: bool = False,
    checksums: Mapping[str, str] = CHECKSUMS,
) -> Molecules:
    """Acetylacetone, C5H8O2: 500 frames of 15 atoms at 300 K with energies and forces (PBE with D3, def2-SVP).

    Frames of a GFN2-xTB run by I. Batatia et al., arXiv:2205.06643, MIT licence. Energies are total ones, near -9391 eV.
    folder: where acac_train_300K.xyz is, by default the cache's `molecules`. download: fetch what is missing there (0.9 MB).
    without_atoms: take the isolated atoms' energies off (acac_isolated_atoms.xyz), which leaves -73 eV.
    checksums: "sha256:..." by name; the default is that of the originals.
    Raises ValueError for a bad file (see `read_xyz`), FileNotFoundError for a missing one, DownloadError when offline.

    >>> acac("a folder", download=True)  # doctest: +SKIP
    Molecules(500 molecules, 7,500 atoms, with energies, forces)
    """
    return _frames("acac_train_300K.xyz", "acac_isolated_atoms.xyz", folder, download, without_atoms, checksums)


def ethanol(
    folder: Path | str | None = None,
    download: bool = False,
    *,
    without_atoms: bool = False,
    checksums: Mapping[str, str] = CHECKSUMS,
) -> Molecules:
    """Ethanol, C2H6O, from rMD17: 1,000 frames of 9 atoms with energies and forces (PBE, def2-SVP).

    A. S. Christensen, O. A. von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020), as D. P. Kovacs et al. wrote it out,
    MIT licence. The atoms' energies are of other settings than those of `acac`. Files ethanol_train.xyz, 1.1 MB, and
    ethanol_isolated_atoms.xyz; options and errors as in `acac`.

    >>> ethanol("a folder", download=True)  # doctest: +SKIP
    Molecules(1,000 molecules, 9,000 atoms, with energies, forces)
    """
    return _frames("ethanol_train.xyz", "ethanol_isolated_atoms.xyz", folder, download, without_atoms, checksums)


def qm9(
    folder: Path | str | None = None,
    number: int | None = None,
    download: bool = False,
    *,
    checksums: Mapping[str, str] = CHECKSUMS,
    progress: bool = True,
) -> Molecules:
    """QM9: 133,885 molecules of C, H, N, O, F with up to 9 heavy atoms at equilibrium (B3LYP/6-31G(2df,p)).

    R. Ramakrishnan, P. O. Dral, M. Rupp, O. A. von Lilienfeld, Scientific Data 1, 140022 (2014), doi:10.6084/m9.figshare.978904.
    energies: U0, the energy at 0 K with zero-point vibrations, eV. gaps: HOMO to LUMO, eV. moments: |mu|, e angstrom; the set has
    no dipole vectors.
    folder: where dsgdb9nsd.xyz.tar.bz2 is, by default the cache's `molecules`. download: fetch it if it is not there (86 MB).
    number: only the first so many, which are the smallest molecules. Of all of them, molecule i is QM9's number i + 1.
    Of 3,054 the authors say that the geometry may not belong to the intended molecule; their list (uncharacterized.txt beside the
    archive) is not fetched, and most work leaves these molecules out.
    checksums: by name; the archive's is the MD5 that figshare states. The archive itself was not at hand when this was written:
    the reader was tested on files of its format.
    Raises ValueError for a bad archive, which names the file in it, FileNotFoundError and DownloadError as `acac`.

    >>> qm9("a folder", download=True)  # doctest: +SKIP
    Molecules(133,885 molecules, ... atoms, with energies, moments, gaps)
    """
    return read_qm9(_file("dsgdb9nsd.xyz.tar.bz2", folder, download, checksums), number, progress=progress)


def _frames(
    name: str,
    atoms: str,
    folder: Path | str | None,
    download: bool,
    without_atoms: bool,
    checksums: Mapping[str, str],
) -> Molecules:
    molecules = read_xyz(_file(name, folder, download, checksums))
    if not without_atoms:
        return molecules
    return molecules.without_atoms(isolated_energies(_file(atoms, folder, download, checksums)))


def _file(name: str, folder: Path | str | None, download: bool, checksums: Mapping[str, str]) -> Path:
    """The file of this name, checked, and fetched before where that is asked for."""
    base = fetch.cache_folder() / "molecules" if folder is None else Path(folder)
    path = base / name
    if name not in checksums:
        raise ValueError(f'checksums: got none for {name}, expected "sha256:..." or "md5:..."')
    if download:
        return fetch.download(ADDRESSES[name], checksums[name], folder=base, name=name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{base}: no {name} there. Put it there, pass folder=..., or download=True to fetch {ADDRESSES[name]}"
        )
    fetch.check(path, checksums[name])
    return path
