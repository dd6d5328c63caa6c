"""What a built-in symmetry saves: digits at any place of the image, and graphs in any order of their nodes.

    read_digits(model, images, seed)    digits, each shifted at random; 500 others are the test set
    spin_energy(model, graphs, seed)    the energy of spins on graphs of eight nodes; 1,000 others are the test set

`-augmented` shifts every training image, or renames the nodes of every training graph, anew in every epoch. Dense networks have
about as many weights as their rival, `wide` ones far more. Steps are chosen such that all networks of a task take about the
same time on one core; one learning rate serves all and was not tuned for each. `benchmarks/rivals.py` keeps the log.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import data, models, training

SIZE, REACH = 17, 3  # pixels of a side; shifts of at most so many leave the digit inside, but for a faint rim
STEPS = {"cnn": 300, "cnn-augmented": 300, "mlp": 1500, "mlp-augmented": 1500, "wide-mlp-augmented": 800}
READERS = (*STEPS, "neighbours")
SPIN_STEPS = {"gnn": 1000, "mlp": 1600, "mlp-augmented": 1300, "mlp-sorted": 1300, "wide-mlp-augmented": 1000}
NODES = 8


def shift_anew(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Augmentation: each image of the batch by whole pixels of its own, at most `REACH` in both directions."""
    images, labels = batch
    steps = torch.randint(-REACH, REACH + 1, (len(images), 2), generator=generator)
    return torch.as_tensor(data.shift(images.numpy(), steps.numpy())), labels


def rename_anew(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Augmentation: the nodes of each graph of the batch in a random order."""
    adjacency, x, target = batch
    return *data.rename_nodes(adjacency, x, torch.rand(x.shape[:2], generator=generator).argsort(-1)), target


def read_digits(model: str, images: int = 300, seed: int = 0, steps: int | None = None) -> dict[str, Any]:
    """Train a model of `READERS` on so many digits at random places: weights, and accuracy (`score`) on 500 others."""
    if model not in READERS:
        raise ValueError(f"model must be one of {READERS}, got {model!r}")
    splits = data.digits(size=SIZE, seed=seed, train=images)
    random = np.random.RandomState(seed)
    (train, labels), (test, truth) = [
        (data.shift(part.images, random.randint(-REACH, REACH + 1, (len(part), 2))), part.labels)
        for part in (splits.train, splits.test)
    ]
    if model == "neighbours":
        far = range(-2 * REACH, 2 * REACH + 1)
        start = time.perf_counter()
        copies = (data.shift(train, np.tile([right, up], (images, 1))) for right in far for up in far)
        accuracy = float((models.nearest_neighbour(copies, labels, test) == truth).mean())
        return {"weights": 0, "score": accuracy, "seconds": round(time.perf_counter() - start, 1)}
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        net: torch.nn.Module = models.PlainCNN(width=12)
        if "mlp" in model:
            width = round(training.count_parameters(net) / (SIZE**2 + 13))
            net = models.dense_reader(width * (16 if "wide" in model else 1))
    augment = shift_anew if model.endswith("-augmented") else None
    report = _train(net, training.cross_entropy, (train, labels), steps or STEPS[model], 32, augment, seed)
    return report | {"score": training.evaluate(net, (test, truth), training.accuracy)}


def spin_energy(
    model: str, graphs: int = 300, seed: int = 0, steps: int | None = None
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train a model of `SPIN_STEPS` on so many graphs: the network; weights and relative error (`score`) on 1,000 others.

    The error is the root of the mean square, over the standard deviation of the energy: 1 is what a constant achieves.
    """
    if model not in SPIN_STEPS:
        raise ValueError(f"model must be one of {tuple(SPIN_STEPS)}, got {model!r}")
    train = data.spins_on_graphs(graphs, NODES, seed=2 * seed)
    test = data.spins_on_graphs(1000, NODES, seed=2 * seed + 1)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        hidden = [200, 100] if "wide" in model else [28, 28]
        net = models.GraphNetwork() if model == "gnn" else models.DenseGraphs(hidden, model.endswith("-sorted"))
    augment = rename_anew if model.endswith("-augmented") else None
    report = _train(net, squared, train, steps or SPIN_STEPS[model], 64, augment, seed)
    return net, report | {"score": relative_error(net, test)}


def squared(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of outputs (n, 1) and targets (n,)."""
    return (output[..., 0] - target).square().mean()


def relative_error(net: torch.nn.Module, test: data.Spins) -> float:
    """Root mean square of a network's error on graphs, over the standard deviation of their energy."""
    return (training.evaluate(net, test, squared) / float(test.energy.var())) ** 0.5


def read_log(path: str | Path, task: str) -> dict[tuple[str, int], list[float]]:
    """Scores of one task ("digits" or "spins") in a committed log: (line, number of examples) -> one for each seed."""
    found: dict[tuple[str, int], list[float]] = {}
    for run in sorted(json.loads(Path(path).read_text(encoding="utf-8"))["runs"], key=lambda run: run["seed"]):
        if run["task"] == task:
            found.setdefault((run["model"], run["examples"]), []).append(run["score"])
    return found


def _train(
    net: torch.nn.Module, loss: Any, train: Any, steps: int, batch_size: int, augment: Any, seed: int
) -> dict[str, Any]:
    batch_size = min(batch_size, len(train[-1]))
    epochs = max(1, round(steps * batch_size / len(train[-1])))
    how: dict[str, Any] = {"lr": 5e-3, "schedule": training.cosine, "progress": False}
    start = time.perf_counter()
    training.fit(net, loss, train, epochs=epochs, batch_size=batch_size, augment=augment, seed=seed, **how)
    return {
        "weights": training.count_parameters(net),
        "epochs": epochs,
        "seconds": round(time.perf_counter() - start, 1),
    }
