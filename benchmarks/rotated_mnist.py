"""Rotated MNIST, 12,000 training images, equal parameters and equal minutes; writes benchmarks/results/rotated_mnist.json.

    python benchmarks/rotated_mnist.py FOLDER                    # every run that the log lacks: about 18 minutes each
    python benchmarks/rotated_mnist.py FOLDER --only p4 cnn      # of these models
    python benchmarks/rotated_mnist.py FOLDER --images 100 1000  # data efficiency: of these sizes

FOLDER holds MNIST's idx files; without the test file the last 10,000 images of the training file are the test. Steps are chosen
so that every model takes about the same CPU time on one thread, below 20 minutes; with fewer images it is a third of them, and at
most 1,000 epochs. The choice among steerable networks was made on validation images.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import runlog
import torch

from eqlib import train

RESULTS = Path(__file__).parent / "results" / "rotated_mnist.json"
BATCH, STEPS = 16, 750  # `train.digits` takes batches of 16; that many are 12,000 images
EPOCHS = {"cnn": 78, "cnn-wide": 22, "p4": 31, "p4m": 20, "harmonic": 17, "steerable": 22}  # of 12,000 images
SEEDS = {"cnn-augmented": (0, 1, 2), "steerable-augmented": (0, 1, 2)}
MODELS = (
    "steerable-augmented",
    "cnn-augmented",
    *EPOCHS,
    *(f"{k}-augmented" for k in ("p4", "p4m", "harmonic", "cnn-wide")),
)


def run(model: str, images: int, seed: int, folder: Path, steps: int) -> dict[str, object]:
    """One line of the log. A run that is cut off goes on from its checkpoint."""
    name = f"eqlib-{model}-{images}-{seed}-{steps}.pt"
    checkpoint = Path(tempfile.gettempdir()) / name
    _, report = train.digits(model, images, seed, folder, steps=steps, checkpoint=checkpoint, progress=False)
    checkpoint.unlink()
    report["wrong"] = " ".join(map(str, report["wrong"]))  # one line in the log
    command = (
        f"python -m eqlib.train digits --data FOLDER --model {model} --images {images} --seed {seed} --steps {steps}"
    )
    return {"command": command, **report, "torch": torch.__version__, "threads": torch.get_num_threads()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=MODELS, choices=train.NETWORKS)
    parser.add_argument("--images", nargs="*", type=int, default=[12_000])
    parser.add_argument("--seeds", nargs="*", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    commit = runlog.commit()
    for images in args.images:
        for model in args.only:
            for seed in SEEDS.get(model, (0,)) if args.seeds is None else args.seeds:
                known = {(r["model"], r["images"], r["seed"]) for r in runlog.lines(RESULTS)}
                if (model, images, seed) in known:
                    continue
                steps = EPOCHS[model.removesuffix("-augmented")] * STEPS
                if images < 12_000:
                    steps = min(steps // 3, 1000 * -(-images // BATCH))
                new = run(model, images, seed, args.folder, steps)
                error = 100 * (1 - float(new["test_accuracy"]))  # type: ignore[arg-type]
                print(f"{model:20s} {images:6d} seed {seed}: {error:.2f} % in {new['cpu_seconds']} s", flush=True)
                runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
