"""Digits at random places and spins on graphs: what built-in symmetry saves; writes benchmarks/results/rivals.json.

    python benchmarks/rivals.py                # every run that the log lacks: about three minutes on one quiet core
    python benchmarks/rivals.py --again 100    # one size anew, beside the logged numbers

The score of `digits` is the test accuracy, that of `spins` the relative test error. Equal data, equal numbers of weights except
for the lines `wide`, about equal time; the lines `-long` have four times the steps, to tell a limit from a budget.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import runlog
import torch

from eqlib import rivals

RESULTS = Path(__file__).parent / "results" / "rivals.json"
SIZES, SEEDS = (100, 300), (0, 1, 2)
LONG = {"digits": ("mlp-augmented", "wide-mlp-augmented"), "spins": ()}


def run(task: str, line: str, examples: int, seed: int) -> dict[str, Any]:
    """One line of the log; `line` is a model, perhaps with `-long`."""
    model = line.removesuffix("-long")
    normal = (rivals.STEPS if task == "digits" else rivals.SPIN_STEPS).get(model, 0)
    steps = 4 * normal if line.endswith("-long") else normal
    if task == "digits":
        report, call = rivals.read_digits(model, examples, seed, steps), "read_digits"
    else:
        report, call = rivals.spin_energy(model, examples, seed, steps)[1], "spin_energy"
    command = f"rivals.{call}({model!r}, {examples}, seed={seed}" + (f", steps={steps})" if steps else ")")
    about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    return {"command": command, "task": task, "model": line, "examples": examples, "seed": seed, **report, **about}


def points(sizes: Iterable[int]) -> Iterator[tuple[str, str, int, int]]:
    """(task, line, examples, seed) of every line of the log."""
    for task, models in (("digits", rivals.READERS), ("spins", tuple(rivals.SPIN_STEPS))):
        for examples in sizes:
            long = [f"{model}-long" for model in LONG[task]] if examples == 300 else []
            for seed in SEEDS:
                for line in (*models, *long):
                    yield task, line, examples, seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", type=int, help="run one size again and print it beside the log")
    args = parser.parse_args()
    torch.set_num_threads(1)
    commit = runlog.commit()
    known = {(r["task"], r["model"], r["examples"], r["seed"]): r for r in runlog.lines(RESULTS)}
    for point in points(SIZES if args.again is None else (args.again,)):
        old = known.get(point)
        if old is not None and args.again is None:
            continue
        new = run(*point)
        before = f" (log: {old['score']:.3f})" if old else ""
        print(*point, f"{new['score']:.3f}, {new['seconds']} s{before}", flush=True)
        if args.again is None:
            runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
