"""Crystals: the phonon density of states from elements and neighbours, by networks that differ in degree (page 10).

`l0` knows distances alone; `angles` has scalars alone too, but sees angles; `l1`, `l2`, `l3` keep tensors up to that degree
between their layers. All have 95,000 to 100,000 parameters on the public table, two layers and a cut-off of 4 angstrom.
`committee` is ten wide networks, five of `l2` and five of `angles`, each trained by itself, and their mean; what the ablation
compares are single networks of one size. `test_error` is the mean square error over all frequencies, where the true spectra
are divided by their maxima.
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
FOLDS = 10
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


def committee(members: int = 10, **sizes: Any) -> models.Committee:
    """So many networks, tensors up to degree 2 and angles in turn, by default with 192 channels, undivided spectra and a
    dropout of 0.5."""
    sizes = {"channels": 192, "divided": False, "dropout": 0.5} | sizes
    kinds = [_SIZES[("l2", "angles")[i % 2]] for i in range(members)]
    return models.Committee([network(kind=kind, degree=degree, **sizes) for _, kind, degree, _ in kinds])


MODELS = {
    name: task.model(about, partial(network, kind=kind, degree=degree, channels=channels), "2 min")
    for name, (about, kind, degree, channels) in _SIZES.items()
}
MODELS["committee"] = task.model(
    "the mean of ten wide networks, l2 and angles", committee, "5 min, phonon_dos 25 min", lr=2e-3, epochs=25
)
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
    add("--members", type=int, help="networks of a committee (default: 10)")
    add("--epochs", type=int, help=f"of each network (default: {EPOCHS}, of a committee's 25)")
    add("--lr", type=float, help=f"learning rate at its highest (default: {LR}, of a committee's 0.002)")


def make(
    model: str,
    seed: int = 0,
    elements: Sequence[int] = (13, 28, 29, 46, 47, 78, 79),
    frequencies: int = 51,
    channels: int | None = None,
    weighted: bool = True,
    placed: bool = True,
    divided: bool | None = None,
    dropout: float | None = None,
    members: int | None = None,
) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights. channels, divided, dropout, members of a committee: other than its own."""
    sizes = {"elements": tuple(elements), "frequencies": frequencies, "weighted": weighted, "placed": placed}
    other = {"channels": channels, "divided": divided, "dropout": dropout, "members": members}
    return task.made(
        model, MODELS, seed, **sizes, **{name: value for name, value in other.items() if value is not None}
    )


def prepare(model: str, raw: Any, **sizes: Any) -> tuple[Any, ...]:
    """A reader's own crystals, `data.Crystals` or (numbers, positions, cell) of one, as the networks take them."""
    task.chosen(model, MODELS)

    def one(numbers: Any, positions: Any, cell: Any) -> data.Crystals:
        return data.as_crystals(numbers, positions, np.asarray(cell)[None], [len(numbers)])

    raw = atoms.own(raw, data.Crystals, ("numbers", "positions", "cell"), one)
    return atoms.inputs(data.CrystalGraphs(raw, CUTOFF))


def splits(
    crystals: str = "alloys",
    number: int | None = None,
    folder: Path | str | None = None,
    judge: str = "valid",
    fold: int = 0,
) -> tuple[data.Crystals, data.Crystals, data.Crystals]:
    """The crystals to train on, those by which the epoch is chosen, and those that the errors are of.

    The second are a tenth of the training set, and no compound of theirs is in the first. judge: "valid" and "test", the set's
    own; "stop", the second ones, by which settings can be chosen before any other was seen.
    number: only so many to train on. fold: which tenth, 0 ... 9.
    ValueError for other names, more crystals than there are, and a folder for alloys.
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
    size = max(1, len(compounds) // FOLDS)
    away = np.isin(formulas, np.random.default_rng(0).permutation(compounds)[fold * size : (fold + 1) * size])
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
    members: int | None = None,
    massless: bool = False,
    one_hot: bool = False,
    undivided: bool = False,
    dropout: float | None = None,
    checkpoint: Path | None = None,
    **how: Any,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train, keep the epoch that a tenth of the training set likes best: the network, and a report with its errors on those
    that `judge` names (see `splits`, `errors`).

    A committee's members are trained one after the other, each with a tenth of its own (the eleventh has the first one's again)
    and a checkpoint of its own, `task.member`; its report has the errors of each, `member_errors`.
    """
    task.positive(number=number, epochs=epochs, lr=lr, channels=channels, members=members)
    options = task.chosen(model, MODELS).options
    if members is not None and model != "committee":
        raise ValueError(f"members: got {members} with the model {model!r}, expected one with 'committee'")
    first, stop, judged = splits(crystals, number, folder, judge)
    sizes: dict[str, Any] = {
        "elements": sorted({int(n) for part in (first, stop) for n in part.numbers}),
        "weighted": not massless,
        "placed": not one_hot,
    }
    given = {"channels": channels, "members": members, "dropout": dropout, "divided": False if undivided else None}
    sizes |= {name: value for name, value in given.items() if value is not None}
    net = make(model, seed, **sizes)
    recipe = training.Recipe(
        epochs=epochs or options.get("epochs", EPOCHS),
        batch_size=BATCH,
        optimizer=torch.optim.AdamW,
        weight_decay=DECAY,
        lr=lr or options.get("lr", LR),
        schedule=training.warm_cosine,
        clip=CLIP,
        best="min",
    )
    graphs = data.CrystalGraphs(judged, CUTOFF)
    nets = list(net.members) if isinstance(net, models.Committee) else [net]
    histories, spectra = [], []
    for k, one in enumerate(nets):
        train, stop, _ = splits(crystals, number, folder, "stop", k % FOLDS)
        parts = [data.CrystalGraphs(part, CUTOFF) for part in (train, stop)]
        at = checkpoint if len(nets) == 1 or checkpoint is None else task.member(checkpoint, k)
        histories.append(task.train(one, loss, *parts, recipe=recipe, seed=seed + 1000 * k, checkpoint=at, **how))
        spectra.append(training.predict(one, graphs).numpy())
    figures: dict[str, Any] = {"crystals": crystals, "number": len(first), "judge": judge, "test_number": len(judged)}
    if len(nets) > 1:
        figures["member_errors"] = [errors(each, judged)["test_error"] for each in spectra]
    figures |= errors(np.mean(spectra, 0), judged)
    return net, task.report(TASK, model, seed, net, recipe, histories, sizes, **figures)


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
