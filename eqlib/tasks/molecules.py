"""Molecules: energies and forces, dipole vectors or gaps, by networks that differ in what a feature may be (page 09).

`l0` knows distances alone; `angles` has scalars alone too, but sees angles; `l1`, `l2`, `l3` keep tensors up to that degree
between their layers. All have about 45,000 parameters, three layers, a cut-off of 5 angstrom and the same steps.
`test_error` of forces is the root mean square over all components, eV / angstrom; `energy_error` the same of energies, eV.
Review, Sec. V: Miller et al., Relevance of rotationally equivariant convolutions for predicting molecular properties (2020).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import data, kernels, models, training
from eqlib.tasks import atoms, task

TASK = "molecules"
CUTOFF = 5.0  # angstrom
NEIGHBOURS = 10.0
SETS = ("glycol", "small", "acac", "ethanol")
JUDGES = ("test", "valid", "hot")


def network(
    elements: Sequence[int], output: str, kind: str, degree: int, channels: int, layers: int = 3, hidden: int = 32
) -> torch.nn.Module:
    """A `models.MoleculeNetwork` around a network on points, see `atoms.points`."""
    radial = partial(kernels.RadialMLP, kernels.Bessel(8, CUTOFF), hidden, hidden)  # one basis for all layers
    vector = output == "dipole" and kind == "tensors"
    points = atoms.points(kind, degree, channels, layers, radial, NEIGHBOURS, vector)
    return models.MoleculeNetwork(points, elements, output)


MODELS = {
    "l0": task.model("scalars, which see distances", partial(network, kind="tensors", degree=0, channels=60), "5 min"),
    "angles": task.model(
        "scalars, which see distances and angles", partial(network, kind="angles", degree=3, channels=36), "5 min"
    ),
    "l1": task.model("scalars and vectors", partial(network, kind="tensors", degree=1, channels=40), "5 min"),
    "l2": task.model("tensors up to degree 2", partial(network, kind="tensors", degree=2, channels=30), "5 min"),
    "l3": task.model("tensors up to degree 3", partial(network, kind="tensors", degree=3, channels=22), "5 min"),
}


ENERGY = 10.0  # how much the square error of an energy an atom counts beside that of a force component
BATCH, STEPS, LR, CLIP = 5, 10_000, 1e-2, 1.0


def loss(output: Any, target: Any) -> Tensor:
    """Mean square error of forces, and of energies an atom, in their units; of dipoles or gaps alone."""
    if isinstance(output, Tensor):
        return (output - target).square().mean()
    (energy, force), (true_energy, true_force) = output, target
    each = len(force) / len(energy)
    return (force - true_force).square().mean() + ENERGY * ((energy - true_energy) / each).square().mean()


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--molecules", choices=SETS, help="which (default: glycol)")
    add("--data", type=Path, dest="folder", help="folder with the public files, for acac and ethanol")
    add("--output", choices=models.MoleculeNetwork.OUTPUTS, help="what is learnt (default: energy, and forces with it)")
    add("--number", type=int, help="training molecules or frames (default: all)")
    add("--judge", choices=JUDGES, help="which frames the errors are of, see splits (default: test)")
    add("--channels", type=int, help="copies of each irrep (default: as many as make 45,000 parameters)")
    add("--steps", type=int, help=f"of the optimizer (default: {STEPS:,})")
    add("--lr", type=float, help=f"learning rate at its highest (default: {LR})")


def make(
    model: str,
    seed: int = 0,
    elements: Sequence[int] = (1, 6, 8),
    output: str = "energy",
    channels: int | None = None,
) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights; channels: other than its own number."""
    sizes = {} if channels is None else {"channels": channels}
    return task.made(model, MODELS, seed, elements=tuple(elements), output=output, **sizes)


def prepare(model: str, raw: Any, **sizes: Any) -> tuple[Any, ...]:
    """A reader's own molecules, `data.Molecules` or (numbers, positions) of one, as the networks take them."""
    task.chosen(model, MODELS)

    def one(numbers: Any, positions: Any) -> data.Molecules:
        return data.as_molecules(numbers, positions, [len(numbers)])

    raw = atoms.own(raw, data.Molecules, ("numbers", "positions"), one)
    return atoms.inputs(data.MoleculeGraphs(raw, CUTOFF, None))


def splits(
    molecules: str = "glycol", number: int | None = None, folder: Path | str | None = None, judge: str = "test"
) -> tuple[data.Molecules, data.Molecules]:
    """The molecules to train on, and those that the errors are of.

    judge: "test", the set's own; of acac and ethanol every tenth frame. The others take a tenth of the training molecules away
    to judge by, so that settings can be chosen before a test frame was seen: "valid", every tenth; "hot", those of the highest
    energies, which say what becomes of a network beyond its training temperature.
    Energies are those that bind, but for the shipped sets': xTB counts valence electrons alone, some 400 eV.
    ValueError for other names, and for more molecules than there are.
    """
    for name, value, allowed in (("molecules", molecules, SETS), ("judge", judge, JUDGES)):
        if value not in allowed:
            raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
    if molecules in ("acac", "ethanol"):
        found = {"acac": data.acac, "ethanol": data.ethanol}[molecules](folder, without_atoms=True)
        train, held_out = _parted(found, np.arange(len(found)) % 10 == 0)
    else:
        load = {"glycol": data.glycol, "small": data.small_molecules}[molecules]
        train, held_out = load("train"), load("test")
    if judge == "valid":
        train, held_out = _parted(train, np.arange(len(train)) % 10 == 5)
    elif judge == "hot":
        assert train.energies is not None
        train, held_out = _parted(train, np.argsort(np.argsort(train.energies)) >= 0.9 * len(train))
    if number is not None and not 1 <= number <= len(train):
        raise ValueError(
            f"number: got {number!r}, expected 1 ... {len(train)}, the training molecules of {molecules!r}"
        )
    # The first ones of a trajectory are alike: so many of all of it.
    return train[np.linspace(0, len(train) - 1, number or len(train)).round().astype(int)], held_out


def _parted(molecules: data.Molecules, away: Any) -> tuple[data.Molecules, data.Molecules]:
    return molecules[np.flatnonzero(~away)], molecules[np.flatnonzero(away)]


def run(
    model: str = "l2",
    molecules: str = "glycol",
    output: str = "energy",
    number: int | None = None,
    seed: int = 0,
    steps: int | None = None,
    lr: float | None = None,
    folder: Path | str | None = None,
    judge: str = "test",
    channels: int | None = None,
    **how: Any,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on so many molecules: the network, and a report with its errors on those that `judge` names (see `splits`)."""
    task.positive(number=number, steps=steps, lr=lr, channels=channels)
    task.chosen(model, MODELS)
    if output not in models.MoleculeNetwork.OUTPUTS:
        raise ValueError(f"output: got {output!r}, expected one of {', '.join(models.MoleculeNetwork.OUTPUTS)}")
    train, test = splits(molecules, number, folder, judge)
    elements = sorted({int(n) for n in train.numbers})
    sizes: dict[str, Any] = {"elements": elements, "output": output} | (
        {} if channels is None else {"channels": channels}
    )
    net = make(model, seed, **sizes)
    assert isinstance(net, models.MoleculeNetwork)
    net.fit_scale(train)
    recipe = training.Recipe(
        epochs=task.epochs_of(steps or STEPS, BATCH, len(train)),
        batch_size=BATCH,
        lr=lr or LR,
        schedule=training.warm_cosine,
        clip=CLIP,
        every_steps=500,
    )
    examples = data.MoleculeGraphs(train, CUTOFF, output)
    history = task.train(net, loss, examples, recipe=recipe, seed=seed, **how)
    figures = {"molecules": molecules, "output": output, "number": len(train), "judge": judge, "test_number": len(test)}
    figures |= errors(net, data.MoleculeGraphs(test, CUTOFF, output))
    return net, task.report(TASK, model, seed, net, recipe, history, sizes, **figures)


def errors(net: torch.nn.Module, test: data.MoleculeGraphs) -> dict[str, float]:
    """Root mean squares over a set: of all components of forces and of energies, or of dipoles' components, or of gaps."""
    if test.output == "energy":
        energy = training.evaluate(net, test, lambda out, true: (out[0] - true[0]).square().mean(), 50)
        force = training.evaluate(net, test, lambda out, true: (out[1] - true[1]).square().mean(), 50)
        return {"test_error": force**0.5, "energy_error": energy**0.5}
    return {"test_error": training.evaluate(net, test, lambda out, true: (out - true).square().mean(), 50) ** 0.5}
