"""Digits at random places and spins on graphs: what built-in symmetry saves; writes results/shifted_digits.json and spins.json.

    python benchmarks/symmetry_saves.py                      # every run that the logs lack: about half an hour on one core
    python benchmarks/symmetry_saves.py --again --sizes 100  # one size anew, beside the logged numbers

Equal data, equal numbers of weights except for the lines `wide`, about equal time; the lines `-long` have four times the steps,
to tell a limit from a budget.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from eqlib import training
from eqlib.tasks import shifted_digits, spins, task

RESULTS = Path(__file__).parent / "results"
SIZES, SEEDS = (100, 300), (0, 1, 2)
TASKS = {shifted_digits: ("images", "test_accuracy"), spins: ("graphs", "test_error")}
LONG = {shifted_digits: ("mlp-augmented", "wide-mlp-augmented"), spins: ()}


def run(of: Any, model: str, seed: int, **size: int) -> dict[str, Any]:
    """One line of a log; `model` may end with -long."""
    name = model.removesuffix("-long")
    steps = of.MODELS[name].options.get("steps")
    given = {"model": name, "seed": seed, "steps": 4 * steps if model.endswith("-long") else steps, **size}
    _, report = of.run(**given, progress=False)
    return {"command": task.command(of.TASK, **given), **report, "model": model, **training.runs.stamp()}


def points(of: Any, sizes: Iterable[int]) -> Iterator[dict[str, Any]]:
    """What every line of a task's log was asked for."""
    for size in sizes:
        long = [f"{model}-long" for model in LONG[of]] if size == 300 else []
        for seed in SEEDS:
            for model in (*of.MODELS, *long):
                yield {"model": model, "seed": seed, TASKS[of][0]: size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    for of, (_, show) in TASKS.items():
        path = RESULTS / f"{of.TASK}.json"
        training.runs.fill(path, points(of, args.sizes), partial(run, of), show, args.again)


if __name__ == "__main__":
    main()
