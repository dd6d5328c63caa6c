"""The inertia tensor of rigid bodies about each of their points: a tensor field network 0 -> 0 + 2 (review, Sec. V).

Equal data: 300 bodies of five points, 200 others for the test. The number of parameters is about 225, but for the ones
called "wide", which have many more, and for `field`, which needs 20: a number for each Gaussian and degree. Those called
"turned" see each body turned anew in every epoch. Every model has the optimizer that served it best of Adam and LBFGS.
`test_error` is |prediction - tensor| / |tensor|, both summed in squares over all points of the test; `others` the same for
bodies of 2, 15 and 50 points, where the model can take them.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import data, groups, kernels, models, training
from eqlib.data.augment import turn_bodies
from eqlib.data.callers import outside
from eqlib.tasks import task

TASK = "inertia"
BODIES, TEST, POINTS, OTHERS = 300, 200, 5, (2, 15, 50)
FARTHEST = 3**0.5  # m, of two points of a training body, in a cube of 1 m (`data.rigid_bodies`)
SMOOTH: dict[str, Any] = {"epochs": 20, "optimizer": training.lbfgs, "lr": 1.0}  # all bodies in one batch
NOISY: dict[str, Any] = {"epochs": 300, "batch_size": 20, "lr": 1e-2, "schedule": training.cosine}
TURNED: dict[str, Any] = {"augment": turn_bodies}


def field(points: int, hidden: int | None = None) -> torch.nn.Module:
    """One tensor field layer 0 -> 0 + 2; radial functions are sums of Gaussians, or a network on top of them."""
    group = groups.O3()
    basis = kernels.Gaussians(10, 3.0)
    radial = partial(kernels.RadialMLP, basis, hidden, 2) if hidden else lambda: basis
    rep_in, rep_out = group.rep("0e"), group.rep("0e+2e")
    return models.TensorFieldNetwork(rep_in, rep_out, [], degree=2, radial=radial, self_interaction=False)


def pairs(points: int, hidden: list[int]) -> torch.nn.Module:
    """A dense network of the difference of two positions, summed over pairs."""
    return models.PairMLP(6, hidden)


def coordinates(points: int, hidden: list[int], differences: bool = False) -> torch.nn.Module:
    """A dense network of all coordinates of a body."""
    return models.CoordinateMLP(points, 6, hidden, differences=differences)


MODELS = {
    "field": task.model("a tensor field layer, radial functions of ten Gaussians", field, "1 s", **SMOOTH),
    "field-network": task.model(
        "a tensor field layer with a radial network", partial(field, hidden=18), "3 s", **SMOOTH
    ),
    "pairs": task.model("a dense network of pairs", partial(pairs, hidden=[22]), "1 s", **SMOOTH),
    "pairs-turned": task.model(
        "the same, each body turned anew in every epoch", partial(pairs, hidden=[22]), "1 s", **SMOOTH | TURNED
    ),
    "pairs-wide": task.model("a wide dense network of pairs", partial(pairs, hidden=[64, 64]), "4 s", **SMOOTH),
    "pairs-wide-turned": task.model(
        "the same, each body turned anew in every epoch", partial(pairs, hidden=[64, 64]), "4 s", **SMOOTH | TURNED
    ),
    "differences-turned": task.model(
        "a dense network of all differences to a point, turned",
        partial(coordinates, hidden=[8], differences=True),
        "4 s",
        **NOISY | TURNED,
    ),
    "coordinates": task.model("a dense network of all coordinates", partial(coordinates, hidden=[8]), "1 s", **SMOOTH),
    "coordinates-turned": task.model(
        "the same, each body turned anew in every epoch", partial(coordinates, hidden=[8]), "4 s", **NOISY | TURNED
    ),
    "coordinates-wide": task.model(
        "a wide dense network of all coordinates", partial(coordinates, hidden=[128, 128]), "4 s", **SMOOTH
    ),
    "coordinates-wide-turned": task.model(
        "the same, each body turned anew in every epoch",
        partial(coordinates, hidden=[128, 128]),
        "6 s",
        **NOISY | TURNED | {"lr": 3e-3},
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--bodies", type=int, help=f"training bodies (default: {BODIES})")
    add("--epochs", type=int, help="passes over the bodies (default: 20 of LBFGS, 300 of Adam)")


def make(model: str, seed: int = 0, points: int = POINTS) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights, for bodies of `points` points (which only `coordinates` must know)."""
    return task.made(model, MODELS, seed, points=points)


def prepare(model: str, raw: Any, points: int = POINTS) -> tuple[Tensor, Tensor, Tensor]:
    """(masses (n,) in kg, positions (n, 3) in m) of one body as the networks take it: masses, positions and all pairs.

    One UserWarning for points farther apart than any in training: networks are wrong about them. ValueError for another form.
    """
    task.chosen(model, MODELS)
    found = _shapes(raw)
    if len(found) != 2 or len(found[0]) != 1 or found[1] != (*found[0], 3):
        came = f"shapes {', '.join(map(str, found))}" if found else type(raw).__name__
        expected = "(masses (n,), positions (n, 3)) of one body; for several call prepare for each"
        raise ValueError(f"raw: got {came}, expected {expected}")
    own_masses, own_positions = raw
    body = data.bodies.of_points(own_masses, own_positions, found[0])
    apart = np.linalg.norm(body.positions[:, None] - body.positions, axis=-1).max(initial=0)
    if apart > FARTHEST:
        told = f"positions: got points {apart:.3g} m apart, trained on up to {FARTHEST:.3g} m"
        warnings.warn(told, UserWarning, stacklevel=outside())
    masses, positions, edges, _ = body.batch(np.arange(1))
    return torch.as_tensor(masses), torch.as_tensor(positions), torch.as_tensor(edges)


def _shapes(raw: Any) -> list[Any]:
    """Of each of several arrays; "ragged" for what is none, such as lists of several lengths."""
    found: list[Any] = []
    for item in raw if isinstance(raw, list | tuple) else ():
        try:
            found.append(np.shape(item))
        except ValueError:
            found.append("ragged")
    return found


def run(
    model: str = "field", bodies: int = BODIES, seed: int = 0, epochs: int | None = None, **how: Any
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on so many bodies of five points: the network, and a report with its relative errors on others."""
    task.positive(bodies=bodies, epochs=epochs)
    found = task.chosen(model, MODELS)
    net = make(model, seed)
    options = {"batch_size": bodies, **found.options} | ({"epochs": epochs} if epochs else {})
    recipe = training.Recipe(**options)
    history = task.train(net, loss, data.rigid_bodies(bodies, POINTS, seed=seed), recipe=recipe, seed=seed, **how)
    fixed = isinstance(net, models.CoordinateMLP)
    others = {} if fixed else {str(n): error(net, data.rigid_bodies(TEST, n, seed=1000 + n)) for n in OTHERS}
    figures = {"bodies": bodies, "test_bodies": TEST, "others": others}
    figures["test_error"] = error(net, data.rigid_bodies(TEST, POINTS, seed=1000 + POINTS))
    return net, task.report(TASK, model, seed, net, recipe, history, {"points": POINTS}, **figures)


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean square, g^2 m^4: in kg^2 m^4 it gets so small that LBFGS stops (see `training.lbfgs`)."""
    return 1e6 * (output - target).square().mean()


def error(net: torch.nn.Module, bodies: data.Bodies) -> float:
    """Root of the summed squares of the errors, over that of the tensors."""
    place = next(net.parameters())
    *inputs, target = (torch.as_tensor(a) for a in bodies.batch(np.arange(len(bodies))))
    with torch.no_grad():
        output = net(*(x.to(place.device) for x in inputs)).cpu()
        return float((output - target).norm() / target.norm())
