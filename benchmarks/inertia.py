"""The inertia tensor of rigid bodies about each of their points; writes benchmarks/results/inertia.json.

    python benchmarks/inertia.py                          # every run that the log lacks: about five minutes on one core
    python benchmarks/inertia.py --models field --seeds 0 # these alone
    python benchmarks/inertia.py --again --models pairs   # beside the logged numbers

Data, models and measure are those of `eqlib.tasks.inertia`; the lines `-long` have sixteen times the epochs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eqlib import training
from eqlib.tasks import inertia, task

RESULTS = Path(__file__).parent / "results" / "inertia.json"
SEEDS = (0, 1, 2)
LONG = {"pairs-wide-long": 320, "field-long": 320}  # epochs: for the first about a minute on one core
NAMES = (*inertia.MODELS, *LONG)


def run(model: str, seed: int) -> dict[str, Any]:
    """One line of the log."""
    given = {"model": model.removesuffix("-long"), "seed": seed, "epochs": LONG.get(model)}
    _, report = inertia.run(**given, progress=False)
    return {"command": task.command("inertia", **given), **report, "model": model, **training.runs.stamp()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    points = [{"model": model, "seed": seed} for seed in args.seeds for model in args.models]
    training.runs.fill(RESULTS, points, run, "test_error", args.again)


if __name__ == "__main__":
    main()
