"""`python -m eqlib.train digits --model harmonic --images 300 --seed 0`: joins data, model and loop; prints one JSON line.

    digits     scikit-learn's digits, each turned by a random angle; 500 of them are the test set
    mnist-rot  rotated MNIST from the idx files in --folder: the protocol of 12,000 training images

Models: harmonic, cnn, cnn-augmented (every training image turned anew in every epoch). The CNN has as many parameters as
the harmonic network, to the nearest width.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eqlib import data, groups, models, training

MODELS = ("harmonic", "cnn", "cnn-augmented")


def turn(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Augmentation: each image of the batch by an angle of its own."""
    images, labels = batch
    angles = torch.rand(len(images), generator=generator, dtype=torch.float64) * 2 * torch.pi
    return torch.as_tensor(data.rotate(images.numpy(), angles.numpy())), labels


def make(model: str, seed: int) -> torch.nn.Module:
    """A network of `MODELS` with seeded initial weights; ValueError for another name."""
    if model not in MODELS:
        raise ValueError(f"model must be one of {MODELS}, got {model!r}")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        harmonic = models.HarmonicNet(groups.SO2())
        if model == "harmonic":
            return harmonic
        return models.PlainCNN.of_size(training.count_parameters(harmonic))


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy of scores (n, classes) and class indices (n,)."""
    return torch.nn.functional.cross_entropy(output, target)


def digits(
    model: str,
    images: int,
    seed: int,
    steps: int = 600,
    batch_size: int = 32,
    lr: float = 5e-3,
    size: int = 21,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on that many rotated digits, measure on 500 others. Every model and size gets the same number of steps."""
    splits = data.digits(size=size, rotated=True, seed=seed, train=images)
    return _run(model, splits, seed, steps, batch_size, lr, checkpoint, progress)


def mnist_rot(
    model: str,
    images: int,
    seed: int,
    folder: Path,
    steps: int,
    batch_size: int = 64,
    lr: float = 5e-3,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The same on rotated MNIST."""
    splits = data.rotated_mnist(folder, train=images, seed=seed)
    return _run(model, splits, seed, steps, batch_size, lr, checkpoint, progress)


def _run(
    name: str,
    splits: data.Splits,
    seed: int,
    steps: int,
    batch_size: int,
    lr: float,
    checkpoint: Path | None,
    progress: bool,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    net = make(name, seed)
    batch_size = min(batch_size, len(splits.train))
    epochs = max(1, round(steps * batch_size / len(splits.train)))
    start = time.perf_counter()
    training.fit(
        net,
        cross_entropy,
        splits.train,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        weight_decay=1e-4,
        schedule=training.cosine,
        augment=turn if name == "cnn-augmented" else None,
        seed=seed,
        checkpoint=checkpoint,
        every=max(1, epochs // 10),
        progress=progress,
    )
    report = {
        "model": name,
        "images": len(splits.train),
        "seed": seed,
        "epochs": epochs,
        "parameters": training.count_parameters(net),
        "test_images": len(splits.test),
        "test_accuracy": training.evaluate(net, splits.test, training.accuracy),
        "seconds": round(time.perf_counter() - start, 1),
    }
    return net, report


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m eqlib.train", description="Train one network of the course.")
    tasks = parser.add_subparsers(dest="task", required=True)
    for task, steps in (("digits", 600), ("mnist-rot", 7500)):
        p = tasks.add_parser(task)
        p.add_argument("--model", choices=MODELS, default="harmonic")
        p.add_argument("--images", type=int, default=1000 if task == "digits" else 12000)
        p.add_argument("--seed", type=int, default=0)
        p.add_argument("--steps", type=int, default=steps)
        p.add_argument("--checkpoint", type=Path, help="written during training; a second call goes on from it")
        p.add_argument("--weights", type=Path, help="where to save the trained weights")
        p.add_argument("--threads", type=int, default=1)
        if task == "mnist-rot":
            p.add_argument("--folder", type=Path, required=True, help="folder with MNIST's idx files")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    options = {k: getattr(args, k) for k in ("model", "images", "seed", "steps", "checkpoint")}
    net, report = digits(**options) if args.task == "digits" else mnist_rot(**options, folder=args.folder)
    if args.weights is not None:
        training.save_weights(net, args.weights, **report)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
