"""Crystals: the phonon density of states from elements and neighbours, by networks that differ in degree (page 10).

`l0` knows distances alone; `angles` has scalars alone too, but sees angles; `l1`, `l2`, `l3` keep tensors up to that degree
between their layers. All have 95,000 to 100,000 parameters on the public table, two layers and a cut-off of 4 angstrom.
`test_error` is the mean square error over all frequencies, where the true spectra are divided by their maxima.
Review, Sec. V and Fig. 4: Z. Chen et al., Direct prediction of phonon density of states with Euclidean neural networks (2021).
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

TASK = "crystals"
CUTOFF = 4.0  # angstrom
NEIGHBOURS = 15.0
DROPOUT = 0.3
SETS = ("alloys", "phonon_dos")
JUDGES = ("valid", "test", "stop")


def network(
    elements: Sequence[int],
    kind: str,
    degree: int,
    channels: int,
    frequencies: int = 51,
    weighted: bool = True,
    placed: bool = True,
    divided: bool = True,
    dropout: float = DROPOUT,
    layers: int = 2,
) -> torch.nn.Module:
    """A `models.PhononNet` around a network on points, see `atoms.points`."""
    radial = partial(kernels.RadialMLP, kernels.Bessel(10, CUTOFF), 64, 64)
    points = atoms.points(kind, degree, channels, layers, radial, NEIGHBOURS)
    return models.PhononNet(points, elements, frequencies, weighted, placed, divided, dropout)


_SIZES = {
    "l0": ("scalars, which see distances", "tensors", 0, 96),
    "angles": ("scalars, which see distances and angles", "angles", 3, 58),
    "l1": ("scalars and vectors", "tensors", 1, 74),
    "l2": ("tensors up to degree 2", "tensors", 2, 60),
    "l3": ("tensors up to degree 3", "tensors", 3, 52),
}
MODELS = {
    name: task.model(about, partial(network, kind=kind, degree=degree, channels=channels), "2 min")
    for name, (about, kind, degree, channels) in _SIZES.items()
}
BATCH, EPOCHS, LR, DECAY, CLIP = 16, 40, 3e-3, 1e-2, 1.0


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean square error over all frequencies."""
    return (output - target).square().mean()


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--crystals", choices=SETS, help="which (default: alloys, which are shipped)")
    add("--data", type=Path, dest="folder", help="folder with the public table of phonon_dos (default: the cache's)")
    add("--number", type=int, help="training crystals (default: all)")
    add("--judge", choices=JUDGES, help="which crystals the errors are of, see splits (default: valid)")
    add("--channels", type=int, help="copies of each irrep (default: those of the model)")
    add("--massless", action="store_true", help="one-hot vectors at the door without masses")
    add(
        "--one-hot",
        action="store_true",
        dest="one_hot",
        help="elements alone at the door, without their periods and groups",
    )
    add("--undivided", action="store_true", help="spectra divided by the number of atoms, not by their maxima")
    add("--dropout", type=float, help=f"share of features left out before the readout (default: {DROPOUT})")
    add("--epochs", type=int, help=f"(default: {EPOCHS})")
    add("--lr", type=float, help=f"learning rate at its highest (default: {LR})")


def make(
    model: str,
    seed: int = 0,
    elements: Sequence[int] = (13, 28, 29, 46, 47, 78, 79),
    frequencies: int = 51,
    channels: int | None = None,
    weighted: bool = True,
    placed: bool = True,
    divided: bool = True,
    dropout: float = DROPOUT,
) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights; channels: other than its own number."""
    sizes = {"elements": tuple(elements), "frequencies": frequencies, "weighted": weighted, "placed": placed}
    sizes |= {"divided": divided, "dropout": dropout}
    return task.made(model, MODELS, seed, **sizes, **({} if channels is None else {"channels": channels}))


def prepare(model: str, raw: Any, **sizes: Any) -> tuple[Any, ...]:
    """A reader's own crystals, `data.Crystals` or (numbers, positions, cell) of one, as the networks take them."""
    task.chosen(model, MODELS)

    def one(numbers: Any, positions: Any, cell: Any) -> data.Crystals:
        return data.as_crystals(numbers, positions, np.asarray(cell)[None], [len(numbers)])

    raw = atoms.own(raw, data.Crystals, ("numbers", "positions", "cell"), one)
    return atoms.inputs(data.CrystalGraphs(raw, CUTOFF))


def splits(
    crystals: str = "alloys", number: int | None = None, folder: Path | str | None = None, judge: str = "valid"
) -> tuple[data.Crystals, data.Crystals, data.Crystals]:
    """The crystals to train on, those by which the epoch is chosen, and those that the errors are of.

    The second are a tenth of the training set, and no compound of theirs is in the first. judge: "valid" and "test", the set's
    own; "stop", the second ones, by which settings can be chosen before any other was seen.
    number: only so many to train on. ValueError for other names, more crystals than there are, and a folder for alloys.
    """
    for name, value, allowed in (("crystals", crystals, SETS), ("judge", judge, JUDGES)):
        if value not in allowed:
            raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
    if crystals == "alloys" and folder is not None:
        raise ValueError(f"data: got {str(folder)!r} with alloys, which ship; expected it with 'phonon_dos'")
    load = data.alloys if crystals == "alloys" else partial(data.phonon_dos, folder=folder)
    known = load("train")
    formulas = np.array(known.formulas)
    compounds = np.unique(formulas)
    away = np.isin(formulas, np.random.default_rng(0).permutation(compounds)[: max(1, len(compounds) // 10)])
    train, stop = known[np.flatnonzero(~away)], known[np.flatnonzero(away)]
    if number is not None and not 1 <= number <= len(train):
        raise ValueError(f"number: got {number!r}, expected 1 ... {len(train)}, the training crystals of {crystals!r}")
    return train[:number], stop, stop if judge == "stop" else load(judge)


def run(
    model: str = "l2",
    crystals: str = "alloys",
    number: int | None = None,
    seed: int = 0,
    epochs: int | None = None,
    lr: float | None = None,
    folder: Path | str | None = None,
    judge: str = "valid",
    channels: int | None = None,
    massless: bool = False,
    one_hot: bool = False,
    undivided: bool = False,
    dropout: float | None = None,
    **how: Any,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train, keep the epoch that a tenth of the training set likes best: the network, and a report with its errors on those
    that `judge` names (see `splits`, `errors`)."""
    task.positive(number=number, epochs=epochs, lr=lr, channels=channels)
    task.chosen(model, MODELS)
    train, stop, judged = splits(crystals, number, folder, judge)
    sizes: dict[str, Any] = {
        "elements": sorted({int(n) for part in (train, stop) for n in part.numbers}),
        "weighted": not massless,
        "placed": not one_hot,
        "divided": not undivided,
    }
    given = {"channels": channels, "dropout": dropout}
    sizes |= {name: value for name, value in given.items() if value is not None}
    net = make(model, seed, **sizes)
    recipe = training.Recipe(
        epochs=epochs or EPOCHS,
        batch_size=BATCH,
        optimizer=torch.optim.AdamW,
        weight_decay=DECAY,
        lr=lr or LR,
        schedule=training.warm_cosine,
        clip=CLIP,
        best="min",
    )
    parts = [data.CrystalGraphs(part, CUTOFF) for part in (train, stop, judged)]
    history = task.train(net, loss, *parts[:2], recipe=recipe, seed=seed, **how)
    figures = {"crystals": crystals, "number": len(train), "judge": judge, "test_number": len(judged)}
    figures |= errors(training.predict(net, parts[2]).numpy(), judged)
    return net, task.report(TASK, model, seed, net, recipe, history, sizes, **figures)


def errors(spectra: Any, crystals: data.Crystals) -> dict[str, float]:
    """How far spectra (n, F), divided by their maxima, are from the crystals' own.

    test_error: mean square; absolute: mean absolute; r2: 1 - square errors by the spread about one mean of all values; and the
    mean absolute errors of the mean frequency, 1 / cm, and of the heat capacity at 300 K, k_B an atom.
    """
    true, f = crystals.spectra, crystals.frequencies
    assert true is not None and f is not None
    off = spectra - true
    physics = {"frequency_error": data.mean_frequency, "heat_error": data.heat_capacity}
    return {
        "test_error": float((off**2).mean()),
        "absolute": float(np.abs(off).mean()),
        "r2": float(1 - (off**2).sum() / ((true - true.mean()) ** 2).sum()),
        **{name: float(np.abs(of(spectra, f) - of(true, f)).mean()) for name, of in physics.items()},
    }
