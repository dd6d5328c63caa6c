"""The field of moving charges, trained at rapidities up to 1, tested boosted; writes benchmarks/results/fields.json.

    python benchmarks/fields.py                             # every run that the log lacks: about ten minutes on one core
    python benchmarks/fields.py --models poincare --seeds 0 # these alone
    python benchmarks/fields.py --again --models poincare   # beside the logged numbers

Data, models and measure are those of `eqlib.tasks.fields`; the lines `-long` have three times the epochs, to tell a limit from
a budget. The weights of KEPT, seed 0, go to checkpoints/, where page 15 finds them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eqlib import training
from eqlib.tasks import fields, task

RESULTS = Path(__file__).parent / "results" / "fields.json"
CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
KEPT = ("poincare", "time-apart", "time-apart-boosted")
SEEDS = (0, 1, 2)
LONG = ("time-apart-long", "time-apart-boosted-long")


def run(model: str, seed: int) -> dict[str, Any]:
    """One line of the log; `model` may end with -long."""
    name = model.removesuffix("-long")
    epochs = fields.MODELS[name].options["epochs"]
    given = {"model": name, "seed": seed, "epochs": 3 * epochs if model.endswith("-long") else None}
    net, report = fields.run(**given, progress=False)
    report = {"command": task.command(fields.TASK, **given), **report, "model": model, **training.runs.stamp()}
    if seed == 0 and model in KEPT:
        training.save_weights(net, CHECKPOINTS / f"fields-{model}.pt", **report)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=(*fields.MODELS, *LONG), help="these alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    points = [{"model": model, "seed": seed} for seed in args.seeds for model in fields.MODELS]
    points += [{"model": model, "seed": seed} for seed in args.seeds[:1] for model in LONG]
    wanted = [point for point in points if not args.models or point["model"] in args.models]
    training.runs.fill(RESULTS, wanted, run, "test_error", args.again)


if __name__ == "__main__":
    main()
