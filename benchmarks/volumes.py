"""Tetris shapes as voxels and as points, trained in one orientation; writes benchmarks/results/volumes.json and tetris.json.

    python benchmarks/volumes.py                                  # every run that the logs lack: half an hour on one core
    python benchmarks/volumes.py --tasks tetris --seeds 0 --again # beside the logged numbers

Data, models and measures are those of `eqlib.tasks.volumes` and `eqlib.tasks.tetris`; the lines `-long` have four times the
steps, to tell a limit from a budget. The weights of KEPT, seed 0, go to checkpoints/, where page 08 finds them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from eqlib import training
from eqlib.tasks import task, tetris, volumes

RESULTS = Path(__file__).parent / "results"
CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
KEPT = {("volumes", "steerable"), ("volumes", "cnn")}
SEEDS = (0, 1, 2)
TASKS = {module.TASK: module for module in (tetris, volumes)}
LONG = {"tetris": ("coordinates-augmented",), "volumes": ("cnn-augmented", "cnn-wide-augmented")}


def run(of: Any, model: str, seed: int) -> dict[str, Any]:
    """One line of a log; `model` may end with -long."""
    name = model.removesuffix("-long")
    steps = of.MODELS[name].options["steps"]
    given = {"model": name, "seed": seed, "steps": 4 * steps if model.endswith("-long") else None}
    net, report = of.run(**given, progress=False)
    report = {"command": task.command(of.TASK, **given), **report, "model": model, **training.runs.stamp()}
    if seed == 0 and (of.TASK, model) in KEPT:
        training.save_weights(net, CHECKPOINTS / f"{of.TASK}-{model}.pt", **report)
    return report


def points(name: str, seeds: tuple[int, ...] = SEEDS) -> Iterator[dict[str, Any]]:
    """What every line of a task's log was asked for."""
    for seed in seeds:
        yield from ({"model": model, "seed": seed} for model in TASKS[name].MODELS)
    for seed in seeds if name == "tetris" else seeds[:1]:  # three minutes each
        yield from ({"model": f"{model}-long", "seed": seed} for model in LONG[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--models", nargs="+", help="these alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    for name in args.tasks:
        wanted = (point for point in points(name, args.seeds) if not args.models or point["model"] in args.models)
        training.runs.fill(RESULTS / f"{name}.json", wanted, partial(run, TASKS[name]), "test_accuracy", args.again)


if __name__ == "__main__":
    main()
