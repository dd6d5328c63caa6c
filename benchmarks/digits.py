"""Accuracy on rotated digits against the number of training images; writes benchmarks/results/digits.json.

    python benchmarks/digits.py                       # every run that the log lacks: about 45 minutes on one core
    python benchmarks/digits.py --again --images 100  # one size anew, beside the logged numbers

Equal data, equal number of parameters, about equal time: a step of the plain network takes a quarter to a sixth of the
harmonic one's, so it gets four times the steps, and the group convolutional network p4 one and a half times; the log holds the
seconds of each run. Each learns with augmentation as well. The nearest neighbour among turned copies learns nothing. Where
augmentation has run into the budget rather than into its limit, the lines `-long` say: 1,000 images, four times the steps.

Batches of 32 leave 4 images over of 100, and 8 of 200: each epoch ends with a step whose batch normalisation sees only these.
What that costs, the lines `-even` say: the same steps in batches of 25, which leave none over, all four at 100 images and
the augmented plain network at 50 and 200 as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eqlib import training
from eqlib.tasks import digits, task

RESULTS = Path(__file__).parent / "results" / "digits.json"
SIZES = (50, 100, 200, 500, 1000)
SEEDS = (0, 1, 2)
STEPS = {"harmonic": 600, "p4": 900, "cnn": 2400}
STEPS |= {f"{name}-augmented": steps for name, steps in STEPS.items()} | {"neighbours": None}
LONG = {"harmonic-long": 2400, "cnn-augmented-long": 9600}
EVEN = {f"{name}-even": STEPS[name] for name in ("cnn-augmented", "harmonic", "harmonic-augmented", "p4-augmented")}
EVEN_BATCH, FEW = 25, {50: ["cnn-augmented-even"], 100: list(EVEN), 200: ["cnn-augmented-even"]}


def run(model: str, images: int, seed: int) -> dict[str, Any]:
    """One line of the log; `model` is one of STEPS or a line of LONG or EVEN."""
    name = model.removesuffix("-long").removesuffix("-even")
    given = {"model": name, "images": images, "seed": seed, "steps": (STEPS | LONG | EVEN)[model]}
    given |= {"batch_size": EVEN_BATCH} if model in EVEN else {}
    _, report = digits.run(**given, progress=False)
    report.pop("wrong", None)  # of 500 images, no paired comparison is made with them
    return {"command": task.command("digits", **given), **report, "model": model, **training.runs.stamp()}


def points(sizes: Iterable[int]) -> Iterator[dict[str, Any]]:
    """What every line of the log was asked for."""
    for images in sizes:
        for seed in SEEDS:
            for model in [*STEPS, *(LONG if images == max(SIZES) else FEW.get(images, []))]:
                yield {"model": model, "images": images, "seed": seed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", type=int, default=SIZES)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    training.runs.fill(RESULTS, points(args.images), run, "test_accuracy", args.again)


if __name__ == "__main__":
    main()
