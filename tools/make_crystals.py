"""Make the crystals that the package ships, with phonopy and ASE's effective-medium theory (EMT).

    pip install -e ".[generate]" -c constraints.txt
    python tools/make_crystals.py --strains 8 --seed 1 --out eqlib/data/files/crystals.npz

The package never imports this file: the course reads what it made (docs/data_crystals.md).

Al, Ni, Cu, Pd, Ag, Pt, Au as fcc metals, and their alloys by pairs: A3B and AB3 in the L1_2 structure, AB in L1_0 and in B2. Each
is relaxed by EMT within its structure, then strained: once not at all, and otherwise by symmetric matrices that the seed draws.
All atoms are centres of inversion and stay so, hence at rest. Frequencies come from a supercell's force constants by finite
displacements, the density of states from a grid of wave vectors by the tetrahedron method. Crystals with an imaginary frequency
are unstable: they are dropped and listed in the recipe. EMT is a model of metals, good for trends and not for experiments.
K. W. Jacobsen, P. Stoltze, J. K. Norskov, Surface Science 366, 394 (1996); A. Togo, J. Phys. Soc. Japan 92, 012001 (2023).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from npz_file import write
from numpy.typing import NDArray

from eqlib.data.crystal_file import FORM, FREQUENCIES, SPLITS
from eqlib.data.elements import NUMBERS

Array = NDArray[np.float64]

METALS = ("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au")
LENGTH = 10.5  # angstrom, at least, between an atom's copies in the supercell: twice EMT's reach
DISTANCE = 0.01  # angstrom, of a displacement
MESH = 60.0  # angstrom: wave vectors are 2 pi / MESH apart, or nearer
FINE = 1.0  # 1 / cm, steps of the density of states before it is averaged over the file's steps
VOLUME, SHEAR = 0.03, 0.01  # strains: uniform trace / 3 within +- VOLUME, and a normal symmetric matrix of this size
SOFT = -1.0  # 1 / cm: a frequency below it is imaginary, not rounding
WAVE = 1e12 / 2.99792458e10  # 1 / cm of a THz


class Structure(NamedTuple):
    """A compound in a structure: its name, symbols, fractional positions (a, 3), and the cell by its lengths in angstrom."""

    name: str
    symbols: tuple[str, ...]
    places: Array
    cell: Any


FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def structures() -> Iterator[Structure]:
    """All that are tried, with `cell(lengths)`, where lengths are (a,) or (a, c)."""
    for metal in METALS:
        yield Structure(f"{metal} fcc", (metal,), np.zeros((1, 3)), lambda x: x[0] * FCC)
    corners = np.vstack([np.zeros(3), FCC])
    for first, second in combinations(METALS, 2):
        for one, three in ((first, second), (second, first)):
            yield Structure(f"{one}{three}3 L1_2", (one, *[three] * 3), corners, lambda x: x[0] * np.eye(3))
        body = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
        pair = (first, second)
        # L1_0 by its primitive tetragonal cell, a / sqrt(2) wide where a is the cubic cell's edge.
        yield Structure(f"{first}{second} L1_0", pair, body, lambda x: np.diag([x[0] / 2**0.5] * 2 + [x[1]]))
        yield Structure(f"{first}{second} B2", pair, body, lambda x: x[0] * np.eye(3))


def relaxed(structure: Structure) -> Array:
    """The lattice vectors (3, 3) of the lowest energy within the structure."""
    from ase.calculators.emt import EMT, parameters
    from scipy.optimize import minimize

    atoms = _atoms(structure, np.eye(3))
    atoms.calc = EMT()
    radius = np.mean([parameters[s][1] for s in structure.symbols]) * 0.529177  # Wigner-Seitz, angstrom
    volume = len(structure.symbols) * 4 / 3 * np.pi * radius**3
    lengths = [2.0, 2.0] if "L1_0" in structure.name else [2.0]
    start = np.array(lengths) * (volume / abs(np.linalg.det(structure.cell(lengths)))) ** (1 / 3)

    def energy(x: Array) -> float:
        atoms.set_cell(structure.cell(x), scale_atoms=True)
        return float(atoms.get_potential_energy())

    found = minimize(energy, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    return np.asarray(structure.cell(found.x), dtype=np.float64)


def _atoms(structure: Structure, cell: Array) -> Any:
    from ase import Atoms

    return Atoms(structure.symbols, scaled_positions=structure.places, cell=cell, pbc=True)


def density(structure: Structure, cell: Array) -> tuple[Array, Array]:
    """(lowest and highest frequency, 1 / cm), and the density of states at 0, FINE, 2 FINE ... 1 / cm."""
    from ase import Atoms
    from ase.calculators.emt import EMT
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    heights = abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    unit = PhonopyAtoms(symbols=list(structure.symbols), scaled_positions=structure.places, cell=cell)
    phonons = Phonopy(unit, np.diag(np.ceil(LENGTH / heights).astype(int)), primitive_matrix="P", log_level=0)
    phonons.generate_displacements(distance=DISTANCE)
    forces = []
    for moved in phonons.supercells_with_displacements:
        atoms = Atoms(moved.symbols, positions=moved.positions, cell=moved.cell, pbc=True, calculator=EMT())
        forces.append(atoms.get_forces())
    phonons.forces = forces
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    phonons.run_mesh([int(n) for n in np.ceil(MESH / heights)], is_gamma_center=True)
    found = phonons.get_mesh_dict()["frequencies"] * WAVE
    step = FINE / WAVE
    phonons.run_total_dos(freq_min=0.0, freq_max=FREQUENCIES[-1] / WAVE, freq_pitch=step, use_tetrahedron_method=True)
    return np.array([found.min(), found.max()]), np.asarray(phonons.get_total_dos_dict()["total_dos"])


def coarse(fine: Array) -> Array:
    """The mean of a density of states around each of FREQUENCIES, half a step to either side; divided by the largest."""
    at = np.arange(len(fine)) * FINE
    nearest = np.rint(at / (FREQUENCIES[1] - FREQUENCIES[0])).astype(int)
    sums = np.bincount(nearest, fine, len(FREQUENCIES))[: len(FREQUENCIES)]
    values = sums / np.bincount(nearest, minlength=len(FREQUENCIES))[: len(FREQUENCIES)]
    return np.asarray(np.maximum(values, 0) / values.max())


def made(strains: int, seed: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of FORM and the recipe: so many strained crystals of each compound, those at rest first."""
    random = np.random.RandomState(seed)
    found: dict[str, list[dict[str, Any]]] = {}
    dropped: dict[str, str] = {}
    everything, began = list(structures()), time.perf_counter()
    for done, structure in enumerate(everything, start=1):
        rest = relaxed(structure)
        for k in range(strains):
            shear = SHEAR * random.normal(size=(3, 3))
            strain = random.uniform(-VOLUME, VOLUME) * np.eye(3) + (shear + shear.T) / 2
            cell = (rest @ (np.eye(3) + (strain if k else 0))).astype(np.float32).astype(np.float64)
            (low, high), fine = density(structure, cell)
            name = f"{structure.name}, {'at rest' if k == 0 else f'strain {k}'}"
            if low < SOFT or high > FREQUENCIES[-1]:
                dropped[name] = f"{low:.0f} ... {high:.0f} / cm"
                continue
            one = {"name": name, "cell": cell, "high": high, "spectrum": coarse(fine), "structure": structure}
            found.setdefault(structure.name, []).append(one)
        seconds = int((time.perf_counter() - began) * (len(everything) - done) / done)
        print(
            f"{structure.name}: {done} of {len(everything)}, {seconds // 60:02d}:{seconds % 60:02d} left",
            file=sys.stderr,
        )
    of: dict[str, list[dict[str, Any]]] = {}  # by formula: CuAu in L1_0 and in B2 are on one side
    for name, those in found.items():
        of.setdefault(name.split()[0], []).extend(those)
    compounds = [str(name) for name in random.permutation([*of])]
    ends = np.rint(np.cumsum([0.7, 0.1, 0.2]) * len(compounds)).astype(int)
    parts = [names.tolist() for names in np.split(np.array(compounds), ends[:-1])]
    order = [one for names in parts for name in names for one in of[name]]
    arrays = {
        "sizes": [len(one["structure"].symbols) for one in order],
        "numbers": [NUMBERS[s] for one in order for s in one["structure"].symbols],
        "positions": np.concatenate([one["structure"].places @ one["cell"] for one in order]),
        "cells": np.stack([one["cell"] for one in order]),
        "spectra": np.stack([one["spectrum"] for one in order]),
        "splits": [sum(len(of[name]) for name in names) for names in parts],
    }
    packed = {name: np.asarray(arrays[name]).astype(kind) for name, kind in FORM.items()}
    recipe = {
        "names": [one["name"] for one in order],
        "compounds": dict(zip(SPLITS, parts, strict=True)),
        "dropped": dropped,
        "highest": round(float(max(one["high"] for one in order)), 1),
    }
    return packed, recipe


def main() -> None:
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strains", type=int, default=8, help="crystals of each compound, the first at rest")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    options = parser.parse_args()
    if options.strains < 1:
        parser.error(f"--strains: got {options.strains}, expected at least 1")
    began = time.process_time()
    arrays, recipe = made(options.strains, options.seed)
    recipe |= {
        "command": f"make_crystals.py --strains {options.strains} --seed {options.seed}",
        "seed": options.seed,
        "method": f"EMT; supercells of {LENGTH} angstrom or more, displacements {DISTANCE} angstrom, tetrahedra",
        "versions": {name: version(name) for name in ("phonopy", "ase", "numpy")},
        "licence": "CC BY 4.0",
    }
    digest = write(options.out, arrays, recipe)
    number = len(arrays["sizes"])
    seconds = (time.process_time() - began) / number
    size = options.out.stat().st_size
    print(
        f"{options.out}: {size} bytes, SHA-256 {digest}; {number} crystals, {len(recipe['dropped'])} dropped, up to "
        f"{recipe['highest']} / cm; {seconds:.2f} CPU seconds each"
    )


if __name__ == "__main__":
    main()
