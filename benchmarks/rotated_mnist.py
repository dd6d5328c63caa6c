"""Rotated MNIST, 12,000 training images, equal parameters and equal minutes; writes benchmarks/results/rotated_mnist.json.

    python benchmarks/rotated_mnist.py FOLDER                    # every run that the log lacks: about 18 minutes each
    python benchmarks/rotated_mnist.py FOLDER --models p4 cnn    # of these models
    python benchmarks/rotated_mnist.py FOLDER --images 100 1000  # data efficiency: of these sizes

FOLDER holds MNIST's idx files; without the test file the last 10,000 images of the training file are the test. Steps are chosen
so that every model takes about the same CPU time on one thread, below 20 minutes; with fewer images it is a third of them, and at
most 1,000 epochs. The choice among steerable networks was made on validation images. A run that is cut off goes on from its
checkpoint, and its seconds are those of all its stretches. Lines with "clock": "last stretch" are older than that; their CPU
seconds an epoch agree between the seeds of a model to 8 %, so that none of them lacks a stretch worth speaking of.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from eqlib import training
from eqlib.tasks import digits, task

RESULTS = Path(__file__).parent / "results" / "rotated_mnist.json"
ALL, BATCH, STEPS = 12_000, 16, 750  # `digits.run` takes batches of 16; that many are 12,000 images
EPOCHS = {"cnn": 78, "cnn-wide": 22, "p4": 31, "p4m": 20, "harmonic": 17, "steerable": 22}  # of 12,000 images
SEEDS = {"cnn-augmented": (0, 1, 2), "steerable-augmented": (0, 1, 2)}
MODELS = (
    "steerable-augmented",
    "cnn-augmented",
    *EPOCHS,
    *(f"{k}-augmented" for k in ("p4", "p4m", "harmonic", "cnn-wide")),
)


def run(folder: Path, model: str, images: int, seed: int) -> dict[str, Any]:
    """One line of the log."""
    steps = EPOCHS[model.removesuffix("-augmented")] * STEPS
    if images < ALL:
        steps = min(steps // 3, 1000 * -(-images // BATCH))
    given = {"folder": folder, "model": model, "images": images, "seed": seed, "steps": steps}
    checkpoint = Path(tempfile.gettempdir()) / f"eqlib-{model}-{images}-{seed}-{steps}.pt"
    _, report = digits.run(**given, checkpoint=checkpoint, progress=False)
    checkpoint.unlink()
    report["wrong"] = " ".join(map(str, report["wrong"]))  # one line in the log
    return {"command": task.command("digits", **given), **report, **training.runs.stamp()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", default=MODELS, choices=digits.MODELS)
    parser.add_argument("--images", nargs="*", type=int, default=[ALL])
    parser.add_argument("--seeds", nargs="*", type=int)
    args = parser.parse_args()
    points = [
        {"model": model, "images": images, "seed": seed}
        for images in args.images
        for model in args.models
        for seed in (SEEDS.get(model, (0,)) if args.seeds is None else args.seeds)
    ]
    training.runs.fill(RESULTS, points, partial(run, args.folder), "test_accuracy")


if __name__ == "__main__":
    main()
