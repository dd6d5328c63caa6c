"""Accuracy on rotated digits against the number of training images; writes benchmarks/results/digits.json.

    python benchmarks/digits.py            # every run that the log lacks: about 40 minutes on one core
    python benchmarks/digits.py --again 100 # one size anew, beside the logged numbers

Equal data, equal number of parameters, about equal time: a step of the plain network takes a quarter to a sixth of the
harmonic one's, so it gets four times the steps, and the group convolutional network p4 one and a half times; the log holds the
seconds of each run. Each learns with augmentation as well. The nearest neighbour among turned copies learns nothing. Where
augmentation has run into the budget rather than into its limit, the lines `-long` say: 1,000 images, four times the steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import runlog
import torch

from eqlib import train

RESULTS = Path(__file__).parent / "results" / "digits.json"
SIZES = (50, 100, 200, 500, 1000)
SEEDS = (0, 1, 2)
STEPS = {"harmonic": 600, "p4": 900, "cnn": 2400} | {
    "harmonic-augmented": 600,
    "p4-augmented": 900,
    "cnn-augmented": 2400,
}
STEPS |= {"neighbours": 0}
LONG = {"harmonic-long": 2400, "cnn-augmented-long": 9600}


def run(name: str, images: int, seed: int) -> dict[str, object]:
    """One line of the log; `name` is a model of STEPS or a line of LONG."""
    model, steps = name.removesuffix("-long"), (STEPS | LONG)[name]
    _, report = train.digits(model, images, seed, steps=steps, progress=False)
    command = f"python -m eqlib.train digits --model {model} --images {images} --seed {seed}"
    command += f" --steps {steps}" if steps else ""
    about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    report.pop("wrong", None)  # of 500 images, no paired comparison is made with them
    return {"command": command, **report, "model": name, **about}


def points(sizes: Iterable[int]) -> Iterator[tuple[str, int, int]]:
    """(name, images, seed) of every line."""
    for images in sizes:
        for seed in SEEDS:
            for name in [*STEPS, *LONG] if images == max(SIZES) else STEPS:
                yield name, images, seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", type=int, help="run one size again and print it beside the log")
    args = parser.parse_args()
    torch.set_num_threads(1)
    commit = runlog.commit()
    known = {(r["model"], r["images"], r["seed"]): r for r in runlog.lines(RESULTS)}
    for name, images, seed in points(SIZES if args.again is None else (args.again,)):
        old = known.get((name, images, seed))
        if old is not None and args.again is None:
            continue
        new = run(name, images, seed)
        before = f" (log: {old['test_accuracy']:.3f})" if old else ""
        print(f"{name:18s} {images:5d} seed {seed}: {new['test_accuracy']:.3f}{before}", flush=True)
        if args.again is None:
            runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
