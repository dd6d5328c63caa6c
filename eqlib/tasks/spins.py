"""The energy of spins on random graphs: what a graph network saves by knowing nothing of the order of the nodes (page 01).

The error is the root of the mean square over the standard deviation of the energy: 1 is what a constant achieves. Dense
networks have about as many weights as the graph network, the `wide` one far more; one learning rate serves all.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import data, models, training
from eqlib.data.augment import rename_nodes_anew
from eqlib.tasks import task

TASK = "spins"
NODES, TEST = 8, 1000
BATCH, RATE = 64, 5e-3

MODELS = {
    "gnn": task.model("a graph network", models.GraphNetwork, "30 s", steps=1000),
    "mlp": task.model("a dense network on the flat graph", partial(models.DenseGraphs, [28, 28]), "30 s", steps=1600),
    "mlp-sorted": task.model(
        "the same, nodes sorted by an attempt at a canonical order",
        partial(models.DenseGraphs, [28, 28], True),
        "30 s",
        steps=1300,
    ),
    **task.augmented(
        {
            "mlp": task.model("a dense network", partial(models.DenseGraphs, [28, 28]), "30 s", steps=1300),
            "wide-mlp": task.model("a wide dense network", partial(models.DenseGraphs, [200, 100]), "30 s", steps=1000),
        },
        rename_nodes_anew,
        "nodes renamed anew in every epoch",
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--graphs", type=int, help="training graphs (default: 300)")
    add(
        "--steps",
        type=int,
        help=f"steps of the optimizer, rounded to whole epochs, {BATCH} graphs each (default: 1000 to 1600, by model)",
    )


def make(model: str, seed: int = 0) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights."""
    return task.made(model, MODELS, seed)


def prepare(model: str, raw: Any) -> tuple[Tensor, Tensor]:
    """(adjacency (n, nodes, nodes), spins (n, nodes)) as the networks take them, float32."""
    task.chosen(model, MODELS)
    adjacency, spins = (torch.as_tensor(np.asarray(a, dtype=np.float32)) for a in raw)
    if adjacency.ndim != 3 or adjacency.shape[1] != adjacency.shape[2] or spins.shape[:2] != adjacency.shape[:2]:
        raise ValueError(
            f"raw: got shapes {tuple(adjacency.shape)} and {tuple(spins.shape)}, expected (n, nodes, nodes) and (n, nodes)"
        )
    return adjacency, spins.reshape(*spins.shape[:2], 1)


def run(
    model: str = "gnn", graphs: int = 300, seed: int = 0, steps: int | None = None, **how: Any
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on so many graphs of eight nodes: the network, and a report with its relative error on 1,000 others."""
    task.positive(graphs=graphs, steps=steps)
    found = task.chosen(model, MODELS)
    train = data.spins_on_graphs(graphs, NODES, seed=2 * seed)
    test = data.spins_on_graphs(TEST, NODES, seed=2 * seed + 1)
    net = make(model, seed)
    batch_size = min(BATCH, graphs)
    recipe = training.Recipe(
        epochs=task.epochs_of(steps or found.options["steps"], batch_size, graphs),
        batch_size=batch_size,
        lr=RATE,
        schedule=training.cosine,
        augment=found.options.get("augment"),
    )
    history = task.train(net, squared, train, recipe=recipe, seed=seed, **how)
    figures = {"graphs": graphs, "test_graphs": TEST, "test_error": relative_error(net, test)}
    return net, task.report(TASK, model, seed, net, recipe, history, {}, **figures)


def squared(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of outputs (n, 1) and targets (n,)."""
    return (output[..., 0] - target).square().mean()


def relative_error(net: torch.nn.Module, test: data.Spins) -> float:
    """Root mean square of a network's error on graphs, over the standard deviation of their energy."""
    return (training.evaluate(net, test, squared) / float(test.energy.var())) ** 0.5
