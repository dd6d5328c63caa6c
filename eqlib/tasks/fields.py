"""The field of moving charges: a Poincare equivariant convolution of events, and networks that treat time apart (page 15).

Equal data: 400 systems of three to eight charges with rapidities up to 1, the field asked for at four events each; about 970
parameters and half a minute of LBFGS each, but for `poincare-gaussians`, which needs 32 parameters. `time-apart-boosted` sees
each system turned and boosted four times besides, with rapidities up to 2, which is as far as the test goes.
`test_error` is |prediction - field| / |field| of E and B, both summed in squares over 200 other systems; `boosted` the same
after each of these has been boosted as a whole, by a rapidity of 1 or of 2 into a direction of its own.
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
from eqlib.data import charges
from eqlib.data.callers import outside
from eqlib.tasks import task

TASK = "fields"
SYSTEMS, TEST, RAPIDITY, BOOSTS = 400, 200, 1.0, (1, 2)
CUTOFF, MU = 4.5, 3.0  # m: data end at 4; harmonics are rounded off below mu
SMOOTH: dict[str, Any] = {"optimizer": training.lbfgs, "lr": 1.0}  # all systems in one batch


def poincare(
    gaussians: int, powers: int = 1, hidden: int | None = None, between: tuple[str, ...] = ()
) -> torch.nn.Module:
    """Convolutions of events, radial functions of r.r and r.u; `between` are layers among the charges."""
    group = groups.Lorentz()
    basis = kernels.RestFrame(gaussians, CUTOFF, powers)
    radial = partial(kernels.RadialMLP, basis, hidden, 4) if hidden else lambda: basis
    reps = group.rep("(0,0)+(1,1)"), group.rep("(2,0)")
    return models.PoincareNetwork(*reps, between, degree=1, radial=radial, mu=MU, neighbours=5)


def time_apart() -> torch.nn.Module:
    """The same with the rotations alone."""
    radial = partial(kernels.RadialMLP, models.SpaceAndTime(), [26, 22], 6)
    return models.TimeApartNetwork(radial, data.field_basis(), mu=1.0, neighbours=5)


MODELS = {
    "poincare": task.model(
        "a Poincare equivariant layer with a radial network",
        partial(poincare, gaussians=12, powers=3, hidden=24),
        "30 s",
        epochs=200,
        **SMOOTH,
    ),
    "poincare-gaussians": task.model(
        "the same, radial functions of 16 Gaussians", partial(poincare, gaussians=16), "2 s", epochs=10, **SMOOTH
    ),
    "poincare-deep": task.model(
        "a layer among the charges before it",
        partial(poincare, gaussians=8, powers=3, hidden=12, between=("2x(0,0)+2x(1,1)",)),
        "30 s",
        epochs=90,
        **SMOOTH,
    ),
    "time-apart": task.model(
        "a layer of space, radial network of |x|, t, x.u and u^0", time_apart, "30 s", epochs=160, **SMOOTH
    ),
    "time-apart-boosted": task.model(
        "the same, on four boosted copies of each system too", time_apart, "30 s", epochs=40, copies=4, **SMOOTH
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--systems", type=int, help=f"training systems (default: {SYSTEMS})")
    add("--epochs", type=int, help="of LBFGS, 20 iterations each (default: 10 to 200, by model)")


def make(model: str, seed: int = 0) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights."""
    return task.made(model, MODELS, seed)


def prepare(model: str, raw: Any) -> tuple[Tensor, ...]:
    """(charges (n,), events (n, 4), velocities (n, 4), at (m, 4)) of one system, raw (t, x, y, z) in m, as the networks take it.

    One UserWarning for events asked for that are not like those of training: time-like to a charge's event, or nearer or
    farther in its rest frame. ValueError for another form, see `data.field_of_charges`.
    """
    task.chosen(model, MODELS)
    if not isinstance(raw, list | tuple) or len(raw) != 4:
        came = f"{len(raw)} arrays" if isinstance(raw, list | tuple) else type(raw).__name__
        raise ValueError(
            f"raw: got {came}, expected (charges (n,), events (n, 4), velocities (n, 4), at (m, 4)) of one system"
        )
    system = charges.of_charges(*raw)
    if odd := int((~charges.usual(system.events, system.velocities, system.at)).sum()):
        told = f"at: got {odd} pairs of a charge and an event that are time-like, or not 0.5 to 4 m apart in its rest frame, as"
        warnings.warn(f"{told} all were in training", UserWarning, stacklevel=outside())
    *inputs, _ = (torch.as_tensor(a) for a in system.batch(np.arange(1)))
    return tuple(inputs)


def run(
    model: str = "poincare", systems: int = SYSTEMS, seed: int = 0, epochs: int | None = None, **how: Any
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on so many systems: the network, and a report with its relative errors on others, at rest and boosted."""
    task.positive(systems=systems, epochs=epochs)
    found = task.chosen(model, MODELS)
    net, train = make(model, seed), data.moving_charges(systems, rapidity=RAPIDITY, seed=seed)
    options = dict(found.options)
    copies = options.pop("copies", 0)
    train = train.joined(*(boosted(train, max(BOOSTS), seed=100 * (seed + 1) + i, up_to=True) for i in range(copies)))
    recipe = training.Recipe(**options | {"batch_size": len(train)} | ({"epochs": epochs} if epochs else {}))
    history = task.train(net, relative if copies else loss, train, recipe=recipe, seed=seed, **how)
    errors = {eta: error(net, held_out(eta)) for eta in (0, *BOOSTS)}
    figures = {"systems": systems, "test_systems": TEST, "boosted": {str(eta): errors[eta] for eta in BOOSTS}}
    return net, task.report(TASK, model, seed, net, recipe, history, {}, **figures, test_error=errors[0])


def held_out(rapidity: float) -> data.MovingCharges:
    """The systems of the test, each boosted as a whole by this rapidity, into a direction of its own."""
    return boosted(data.moving_charges(TEST, rapidity=RAPIDITY, seed=1000), rapidity, seed=2000)


def boosted(systems: data.MovingCharges, rapidity: float, seed: int, up_to: bool = False) -> data.MovingCharges:
    """Each system boosted into a direction of its own, by this rapidity or, `up_to`, by up to it after a turn."""
    random, number = np.random.RandomState(seed), len(systems)
    eta = rapidity * (random.uniform(size=number) if up_to else np.ones(number))
    elements = data.random_boosts(number, np.cosh(eta), seed)
    return systems.moved(elements * data.random_turns(number, seed + 1) if up_to else elements)


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean square in units of 1e-3: where it gets tiny LBFGS stops (see `training.lbfgs`)."""
    return 1e3 * (output - target).square().mean()


def relative(output: Tensor, target: Tensor) -> Tensor:
    """Squares over those of the field, for systems whose fields differ much: boosts of 2 multiply them by up to seven."""
    return 1e3 * ((output - target).square().sum(1) / (0.1 + target.square().sum(1))).mean()


def error(net: torch.nn.Module, systems: data.MovingCharges) -> float:
    """Root of the summed squares of the errors of E and B, over that of the fields."""
    place = next(net.parameters())
    *inputs, target = (torch.as_tensor(a) for a in systems.batch(np.arange(len(systems))))
    with torch.no_grad():
        output = net(*(x.to(place.device) for x in inputs)).cpu()
        return float((output - target).norm() / target.norm())
