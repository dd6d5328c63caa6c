"""MACE on the same frames of a molecule, for `molecules.py --part rival`: a line of its log, without the commit.

    python -m venv mace && mace/bin/pip install torch==2.13.0 mace_torch==0.3.16
    python benchmarks/molecules.py --part rival --data FOLDER --python mace/bin/python

The package pins another e3nn than the `bench` extra has, so it has an environment of its own. Its authors' own training command
runs as they ship it (loss, moving average of the weights, AMSGrad, gradient clipping), with the settings that the package's
README gives for small molecules, made small enough for a CPU: 32x0e + 32x1o, correlation 3, two layers, batches of five. But it
starts from the mean energy (ScaleShiftMACE): ten epochs at 0.01 left 85 meV / angstrom so, and 115 without (MACE). The learning
rate falls by the same factor in every epoch, to 1.5 % in the last.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import write
from mace.calculators import MACECalculator
from mace.cli.run_train import run
from mace.tools import build_default_arg_parser

BATCH, END = 5, 0.015


def frames(numbers: np.ndarray, positions: np.ndarray, energies: np.ndarray, forces: np.ndarray) -> list[Atoms]:
    """Frames (n, a, 3) of one molecule, with energies (n,), eV, and forces (n, a, 3) under the names that MACE reads."""
    made = []
    for x, energy, force in zip(positions, energies, forces, strict=True):
        atoms = Atoms(numbers=numbers, positions=x)
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = float(energy), force
        made.append(atoms)
    return made


def command(folder: Path, epochs: int, lr: float, seed: int, elements: list[int]) -> list[str]:
    """The options of its training command."""
    options = {
        "name": "mace",
        "model": "ScaleShiftMACE",
        "train_file": folder / "train.xyz",
        "valid_file": folder / "valid.xyz",
        "E0s": str(dict.fromkeys(elements, 0.0)),  # energies come without those of the atoms
        "hidden_irreps": "32x0e + 32x1o",
        "correlation": 3,
        "r_max": 5.0,
        "batch_size": BATCH,
        "max_num_epochs": epochs,
        "eval_interval": max(1, epochs - 1),  # the first and the last, whose weights are kept: time is for training
        "lr": lr,
        "scheduler": "ExponentialLR",
        "lr_scheduler_gamma": END ** (1 / epochs),
        "ema_decay": 0.99,
        "default_dtype": "float32",
        "device": "cpu",
        "seed": seed,
        "work_dir": folder,
        "error_table": "TotalRMSE",
    }
    return ["--ema", "--save_cpu", *(f"--{name}={value}" for name, value in options.items())]


def main() -> None:
    """JOB: frames, an npz with numbers (a,) and, of train_ and test_, positions, energies, forces; epochs, lr, seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", metavar="JOB", type=json.loads, required=True, help=argparse.SUPPRESS)
    args = argparse.Namespace(**parser.parse_args().here)
    torch.set_num_threads(1)
    with np.load(args.frames, allow_pickle=False) as file:
        known = dict(file)
    names = ("positions", "energies", "forces")
    own, held_out = ([known[f"{part}_{name}"] for name in names] for part in ("train", "test"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "train.xyz", frames(known["numbers"], *own))
        write(folder / "valid.xyz", frames(known["numbers"], *(x[:BATCH] for x in own)))  # it asks for some
        elements = sorted({int(n) for n in known["numbers"]})
        start = time.process_time()

        given = command(folder, args.epochs, args.lr, args.seed, elements)
        train_args = build_default_arg_parser().parse_args(given)

        run(train_args)
        seconds = time.process_time() - start
        calculator = MACECalculator(model_paths=[str(folder / "mace.model")], device="cpu", default_dtype="float32")
        parameters = sum(p.numel() for p in calculator.models[0].parameters())
        errors = []
        for atoms, energy, force in zip(frames(known["numbers"], *held_out), *held_out[1:], strict=True):
            atoms.calc = calculator
            errors.append((atoms.get_potential_energy() - energy, atoms.get_forces() - force))
    energy_off, force_off = (np.array(x, dtype=np.float64) for x in zip(*errors, strict=True))
    steps = args.epochs * -(-len(own[0]) // BATCH)
    line = {
        "parameters": parameters,
        "epochs": args.epochs,
        "steps": steps,
        "lr": args.lr,
        "test_error": float(np.sqrt((force_off**2).mean())),
        "energy_error": float(np.sqrt((energy_off**2).mean())),
        "cpu_seconds": round(seconds, 1),
        "step_seconds": round(seconds / steps, 4),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
