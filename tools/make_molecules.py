"""Make the molecules that the package ships, with GFN2-xTB (tblite), ASE and RDKit.

    pip install -e ".[generate]" -c constraints.txt
    python tools/make_molecules.py --what glycol --number 1000 --seed 1 --out eqlib/data/files/molecules-glycol.npz
    python tools/make_molecules.py --what list --number 3000 --seed 1 --out eqlib/data/files/molecules-small.npz

The package never imports this file: the course reads what it made (docs/data_molecules.md).

glycol: HO-CH2-CH2-OH at 300 K by Langevin dynamics, 0.5 fs a step, friction 0.01 / fs, a frame every 20 fs after 1 ps, in three
trajectories of their own; and a rigid scan of O-C-C-O. list: molecules of a public list, embedded by RDKit, relaxed. Positions
are rounded to float32 first and energies, forces, dipoles and gaps computed for those, each from scratch, so that labels belong
to what is stored and to nothing that went before. One thread: with more, the last digits of a long run differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from npz_file import write
from numpy.typing import NDArray

from eqlib.data.molecule_file import FORCES, FORM
from eqlib.data.molecules import BOHR, HARTREE

Array = NDArray[np.float64]
Bonds = set[tuple[int, int]]

METHOD, ACCURACY = "GFN2-xTB", 0.01  # of labels; the dynamics does with tblite's default of 1
# RDKit's order of glycol's atoms: O C C O, then the hydrogens of each of these; FIRST and LAST are those of the two O.
GLYCOL, FIRST, LAST = "OCCO", 4, 9
BEYOND = [2, 3, 7, 8, 9]  # the half that turns about the C-C bond
STEP, EVERY, BEFORE = 0.5, 40, 2000  # fs, and steps: between two frames, and before the first
TEMPERATURE, FRICTION = 300.0, 0.01  # K, 1 / fs
STARTS = {"train": 60.0, "valid": 60.0, "test": -60.0}  # O-C-C-O, degrees: the test begins among the mirror images
SCAN = np.arange(-180, 180, 5)  # degrees
ALLOWED, HEAVIEST = {"C", "H", "N", "O", "F"}, 9
LISTS = ("chemical identifiers pubchem small.tsv", "chemical identifiers pubchem large.tsv")
FMAX, STEPS, LEAST_GAP = 0.05, 200, 0.5  # eV / angstrom, steps, eV
BONDED = 1.3  # times the sum of covalent radii


class Labelled(NamedTuple):
    """One molecule as it is stored: numbers (a,), positions (a, 3), angstrom; eV; eV / angstrom; e angstrom; eV."""

    numbers: NDArray[np.uint8]
    positions: NDArray[np.float32]
    energy: float
    forces: Array
    dipole: Array
    gap: float


def label(numbers: Sequence[int], positions: Array) -> Labelled:
    """Energy, forces, dipole and gap by xTB at these positions, moved to their centre of mass and rounded.

    The dipole is tblite's, in atomic units from the negative to the positive charge: for HF, 0.92 angstrom long, it is 0.52433
    e angstrom from F to H, and minus the derivative of the energy in a field (of 0.01 V / angstrom either way) is 0.52433 too.
    """
    from ase.data import atomic_masses
    from tblite.interface import Calculator

    mass = atomic_masses[list(numbers)]
    x = (positions - mass @ positions / mass.sum()).astype(np.float32)
    calculator = Calculator(METHOD, np.array(numbers), x.astype(np.float64) / BOHR)
    calculator.set("verbosity", 0)
    calculator.set("accuracy", ACCURACY)
    found = calculator.singlepoint()
    orbitals, filled = found["orbital-energies"], round(float(found["orbital-occupations"].sum()) / 2)
    gap = orbitals[filled] - orbitals[filled - 1] if filled < len(orbitals) else np.inf
    return Labelled(
        np.array(numbers, np.uint8),
        x,
        HARTREE * float(found["energy"]),
        -HARTREE / BOHR * found["gradient"],
        BOHR * found["dipole"],
        HARTREE * float(gap),
    )


def xtb(numbers: Sequence[int], positions: Array) -> Any:
    """ASE's atoms with xTB to move them."""
    from ase import Atoms
    from tblite.ase import TBLite

    atoms = Atoms(numbers=numbers, positions=positions)
    atoms.calc = TBLite(method=METHOD, verbosity=0)
    return atoms


def embedded(smiles: str, seed: int) -> tuple[list[int], Array, Bonds]:
    """Atomic numbers, positions (a, 3), angstrom, and bonds of a molecule by RDKit: ETKDG, then MMFF where it has parameters."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if AllChem.EmbedMolecule(molecule, randomSeed=seed) < 0:
        raise RuntimeError("not embedded")
    if AllChem.MMFFHasAllMoleculeParams(molecule):
        AllChem.MMFFOptimizeMolecule(molecule)
    ends = [sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in molecule.GetBonds()]
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    return numbers, molecule.GetConformer().GetPositions(), {(i, j) for i, j in ends}


def bonds(numbers: Sequence[int], positions: Array) -> Bonds:
    """Pairs of atoms that are near enough to be bonded."""
    from ase.data import covalent_radii

    radii = covalent_radii[list(numbers)]
    near = np.linalg.norm(positions[:, None] - positions, axis=-1) < BONDED * (radii[:, None] + radii)
    return {(int(i), int(j)) for i, j in np.argwhere(np.triu(near, 1))}


def progress(what: str, done: int, number: int, began: float) -> None:
    """Say how far it is, and the time left."""
    seconds = int((time.perf_counter() - began) * (number - done) / max(done, 1))
    print(f"{what}: {done} of {number}, {seconds // 60:02d}:{seconds % 60:02d} left", file=sys.stderr)


# glycol ---------------------------------------------------------------------------------------------------------------


def trajectory(split: str, number: int, seed: int) -> list[Labelled]:
    """So many frames of glycol in motion; the seed draws velocities and the thermostat's noise, for each split its own."""
    from ase import units
    from ase.md.langevin import Langevin

    random = np.random.RandomState([seed, [*STARTS].index(split)])
    numbers, positions, _ = embedded(GLYCOL, seed)
    atoms = xtb(numbers, positions)
    atoms.set_dihedral(0, 1, 2, 3, STARTS[split], indices=BEYOND)
    spread = np.sqrt(units.kB * TEMPERATURE * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * random.normal(size=(len(atoms), 3)))
    thermostat = {"temperature_K": TEMPERATURE, "friction": FRICTION / units.fs}
    # Where the centre goes is of no matter; held still by ASE, it would take some of the temperature.
    motion = Langevin(atoms, STEP * units.fs, rng=random, fixcm=False, **thermostat)
    motion.run(BEFORE)
    found: list[Labelled] = []
    began = time.perf_counter()
    while len(found) < number:
        motion.run(EVERY)
        found.append(label(numbers, atoms.positions))
        if len(found) % 50 == 0 or len(found) == number:
            progress(f"glycol {split}", len(found), number, began)
    return found


def scan(seed: int) -> list[Labelled]:
    """Glycol with O-C-C-O turned to each angle of SCAN; all else is that of the stretched molecule, relaxed."""
    from ase.optimize import BFGS

    numbers, positions, _ = embedded(GLYCOL, seed)
    atoms = xtb(numbers, positions)
    atoms.set_dihedral(0, 1, 2, 3, 180.0, indices=BEYOND)
    atoms.set_dihedral(2, 1, 0, FIRST, 180.0, indices=[FIRST])
    atoms.set_dihedral(1, 2, 3, LAST, 180.0, indices=[LAST])
    BFGS(atoms, logfile=None).run(fmax=FMAX / 50, steps=STEPS)
    turned = []
    for angle in SCAN:
        atoms.set_dihedral(0, 1, 2, 3, float(angle), indices=BEYOND)
        turned.append(label(numbers, atoms.positions))
    return turned


# the list -------------------------------------------------------------------------------------------------------------


def candidates(seed: int) -> list[str]:
    """SMILES without stereo, in an order drawn by the seed: neutral closed-shell molecules of ALLOWED in one piece, each once.

    From the identifiers that the package chemicals carries (MIT), PubChem's for substances with a CAS number.
    """
    from rdkit import Chem, RDLogger

    spec = find_spec("chemicals")
    if spec is None or spec.origin is None:
        raise ImportError('the list needs chemicals: pip install "eqlib[generate]"')
    RDLogger.DisableLog("rdApp.*")
    found = set()
    for name in LISTS:
        for line in (Path(spec.origin).parent / "Identifiers" / name).read_text(encoding="utf-8").splitlines():
            smiles = line.split("\t")[4]
            molecule = None if "." in smiles or len(smiles) > 100 else Chem.MolFromSmiles(smiles)
            if molecule is not None and 0 < molecule.GetNumHeavyAtoms() <= HEAVIEST and fit(molecule):
                found.add(Chem.MolToSmiles(molecule, isomericSmiles=False))
    return [str(smiles) for smiles in np.random.RandomState(seed).permutation(sorted(found))]


def fit(molecule: Any) -> bool:
    """Whether a molecule of RDKit's has the elements, and neither charge, radicals nor isotopes."""
    atoms = molecule.GetAtoms()
    plain = all(a.GetSymbol() in ALLOWED and not a.GetIsotope() and not a.GetNumRadicalElectrons() for a in atoms)
    return plain and sum(a.GetFormalCharge() for a in atoms) == 0


def relaxed(smiles: str, seed: int) -> Labelled:
    """A molecule of the list at rest. Raises RuntimeError, with the reason in a word or two, where it does not get there."""
    from ase.calculators.calculator import CalculationFailed
    from ase.optimize import BFGS

    numbers, positions, expected = embedded(smiles, seed)
    atoms = xtb(numbers, positions)
    try:
        if not BFGS(atoms, logfile=None).run(fmax=FMAX, steps=STEPS):
            raise RuntimeError(f"not at rest after {STEPS} steps")
        if bonds(numbers, atoms.positions) != expected:
            raise RuntimeError("other bonds")
        found = label(numbers, atoms.positions)
    except CalculationFailed as error:
        raise RuntimeError("xTB failed") from error
    if not found.gap > LEAST_GAP:
        raise RuntimeError(f"gap below {LEAST_GAP} eV")
    return found


def listed(number: int, seed: int) -> tuple[list[Labelled], list[str], dict[str, str]]:
    """So many molecules at rest, their SMILES, and why others were dropped; fewer molecules are the first of more."""
    found: list[Labelled] = []
    names: list[str] = []
    dropped: dict[str, str] = {}
    found_in = candidates(seed)
    began = time.perf_counter()
    for smiles in found_in:
        if len(found) == number:
            break
        try:
            found.append(relaxed(smiles, seed))
            names.append(smiles)
        except RuntimeError as error:
            dropped[smiles] = str(error)
        if (len(found) + len(dropped)) % 25 == 0:
            progress("list", len(found), number, began)
    if len(found) < number:
        raise RuntimeError(f"--number: got {number}, expected at most {len(found)}, which is all of the list")
    return found, names, dropped


# the file -------------------------------------------------------------------------------------------------------------


def pack(molecules: Sequence[Labelled], splits: Sequence[int], forces: bool) -> dict[str, NDArray[Any]]:
    """The arrays of eqlib.data.molecule_file.FORM."""
    arrays = {
        "sizes": [len(each.numbers) for each in molecules],
        "numbers": np.concatenate([each.numbers for each in molecules]),
        "positions": np.concatenate([each.positions for each in molecules]),
        "energies": [each.energy for each in molecules],
        "dipoles": [each.dipole for each in molecules],
        "gaps": [each.gap for each in molecules],
        "splits": splits,
    }
    packed = {name: np.asarray(arrays[name]).astype(kind) for name, kind in FORM.items()}
    return packed | ({"forces": np.concatenate([each.forces for each in molecules]).astype(FORCES)} if forces else {})


def glycol(number: int, seed: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and recipe of glycol in motion: number, number / 5 and number frames, and the scan."""
    sizes = {"train": number, "valid": max(1, number // 5), "test": number}
    frames = [frame for split, size in sizes.items() for frame in trajectory(split, size, seed)]
    settings = {
        "dynamics": f"Langevin, {STEP} fs a step, friction {FRICTION} / fs, {TEMPERATURE} K",
        "frames": f"every {EVERY} steps, the first {EVERY} steps after {BEFORE}",
        "O-C-C-O at the start": STARTS,
        "scan": "rigid, O-C-C-O from -180 to 175 degrees by 5, other torsions of heavy atoms and H-O at 180, relaxed at 180",
    }
    return pack([*frames, *scan(seed)], [*sizes.values(), len(SCAN)], forces=True), {"settings": settings}


def small(number: int, seed: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and recipe of so many molecules of the list: 12 : 1 : 2."""
    molecules, names, dropped = listed(number, seed)
    splits = [number - 3 * (number // 15), number // 15, 2 * (number // 15), 0]
    settings = {
        "list": [f"chemicals, Identifiers/{name}" for name in LISTS],
        "molecules": f"up to {HEAVIEST} heavy atoms of {', '.join(sorted(ALLOWED))}, neutral, no radicals, isotopes or stereo",
        "geometry": f"ETKDG, MMFF, then BFGS to {FMAX} eV / angstrom in at most {STEPS} steps",
        "dropped": f"what RDKit cannot embed, does not come to rest, has other bonds at rest or a gap below {LEAST_GAP} eV",
    }
    return pack(molecules, splits, forces=False), {"settings": settings, "smiles": names, "dropped": dropped}


def main() -> None:
    """Make one of the two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=("glycol", "list"), required=True)
    parser.add_argument("--number", type=int, help="training frames (1000), or molecules, at least 15 (3000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    options = parser.parse_args()
    number = options.number or {"glycol": 1000, "list": 3000}[options.what]
    if number < (least := 1 if options.what == "glycol" else 15):
        parser.error(f"--number: got {number}, expected at least {least}")
    os.environ["OMP_NUM_THREADS"] = "1"  # before tblite is loaded
    began = time.process_time()
    arrays, recipe = (glycol if options.what == "glycol" else small)(number, options.seed)
    packages = ("tblite", "ase", "rdkit", "numpy", *(["chemicals"] if options.what == "list" else []))
    recipe |= {
        "command": f"make_molecules.py --what {options.what} --number {number} --seed {options.seed}",
        "seed": options.seed,
        "method": f"{METHOD}, accuracy {ACCURACY}",
        "versions": {name: version(name) for name in packages},
        "licence": "CC BY 4.0",
    }
    digest = write(options.out, arrays, recipe)
    seconds = (time.process_time() - began) / number
    lost = f", {len(recipe['dropped'])} dropped" if "dropped" in recipe else ""
    size = options.out.stat().st_size
    print(f"{options.out}: {size} bytes, SHA-256 {digest}; {seconds:.2f} CPU seconds for each of {number}{lost}")


if __name__ == "__main__":
    main()
