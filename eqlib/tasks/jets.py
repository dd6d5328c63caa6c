"""Top tagging: a Lorentz group network, its ablations and what it is compared with, on the shipped jets or the public ones.

Networks see 50 particles of a jet: those that know no boosts the hardest, the Lorentz group's those
with the largest p.P (`data.Jets.ordered`), a choice that no boost changes. Review, Sec. VI and Fig. 5; Bogatskiy et al. 2020,
Qu and Gouskos 2020.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib import data, groups, models, training
from eqlib.data.augment import boost_jets, random_boosts, random_turns
from eqlib.tasks import task

TASK = "jets"
PARTICLES = 50  # of a jet
GAMMAS = (1.5, 2.0, 3.0, 5.0, 10.0)  # of the boosts under which a run may be judged again
TREES = {"mass": ("mass",), "tree": ("mass", "pt", "multiplicity", "tau21", "tau32")}


def lorentz(**options: Any) -> torch.nn.Module:
    """A Lorentz group network of these sizes."""
    return models.LorentzGroupNetwork(groups.Lorentz(), **options)


# Widths that give every model 24,000 to 26,400 parameters, but for the two that are small.
MODELS = {
    "lorentz": task.model(
        "Lorentz group network, irreps up to (2,2)",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=24, hidden=24),
        "5 min",
    ),
    "lorentz-small": task.model(
        "the same with 4,799 parameters", partial(lorentz, channels=(2, 3, 3, 2), scalars=8, hidden=8), "3 min"
    ),
    "pure": task.model(
        "as it was published, with 5,170 parameters",
        partial(lorentz, channels=(4, 6, 6, 4), hidden=24, pure=True),
        "4 min",
    ),
    "lorentz-types": task.model(
        "told what the detector took each particle for",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=24, hidden=24, extra=4),
        "5 min",
        extra="stored",
    ),
    "lorentz-beam": task.model(
        "told each particle's energy and angle to the beam, which breaks the symmetry",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=24, hidden=24, extra=3),
        "5 min",
        extra="beam",
    ),
    "linear": task.model(
        "the same without Clebsch-Gordan products",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=28, hidden=28, products=False),
        "4 min",
    ),
    "invariants": task.model(
        "the same without tensors: products p_i.p_j alone",
        partial(lorentz, irreps=(), scalars=30, hidden=30),
        "4 min",
    ),
    "particlenet": task.model("ParticleNet-Lite, which knows no boosts", models.ParticleNet, "3 min", raw=True),
    "particlenet-augmented": task.model(
        "ParticleNet-Lite, training jets turned and boosted anew in every epoch",
        models.ParticleNet,
        "3 min",
        raw=True,
        augment=boost_jets,
    ),
    "deep-sets": task.model("Deep Sets on the same features as ParticleNet", models.DeepSets, "1 min", raw=True),
    "transformer": task.model("a plain transformer on these features", models.JetTransformer, "3 min", raw=True),
    "tree": task.model(f"boosted tree on {', '.join(TREES['tree'])}", None, "1 s"),
    "mass": task.model("boosted tree on the mass alone", None, "1 s"),
}
TAGGERS = tuple(name for name, m in MODELS.items() if m.make is not None)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--data", type=Path, dest="folder", help="folder with train.h5, val.h5 and test.h5 (default: the shipped jets)")
    add("--number", type=int, help="training jets (default: 6000)")
    add("--epochs", type=int, help="passes over the training jets (default: 10)")
    add("--batch-size", type=int, help="jets a step (default: 50)")
    add("--lr", type=float, help="learning rate at its highest (default: 0.003)")


def make(model: str, seed: int = 0) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights."""
    return task.made(model, MODELS, seed)


def inputs(model: str, jets: data.Jets) -> data.JetInputs:
    """Jets as a tagger takes them: raw momenta for ParticleNet, light-cone components about the jet's axis for the others."""
    options = task.chosen(model, MODELS).options
    return data.JetInputs(jets, "lab" if options.get("raw") else "jet", PARTICLES, extra=options.get("extra"))


def prepare(model: str, raw: Any) -> tuple[Tensor, ...]:
    """A reader's own jets, a `data.Jets` or momenta as in `data.Jets.from_momenta`: components, mask, other numbers if any."""
    jets = raw if isinstance(raw, data.Jets) else data.Jets.from_momenta(raw)
    taken = inputs(model, jets)
    return tuple(torch.as_tensor(x) for x in (taken.momenta, taken.mask, taken.extra) if x is not None)


def splits(number: int | None = None, folder: Path | str | None = None) -> tuple[data.Jets, data.Jets, data.Jets]:
    """Training, validation and test jets: the shipped 6,000, 1,000 and 3,000, or as many of the public files in a folder."""
    if folder is None:
        return data.jets("train", number=number), data.jets("valid"), data.jets("test")
    if not Path(folder).is_dir():
        raise ValueError(f"folder: got {str(folder)!r}, expected a folder with train.h5, val.h5 and test.h5")
    sizes = {"train.h5": number or 6000, "val.h5": 1000, "test.h5": 3000}
    train, valid, test = (data.reference_jets(Path(folder) / name, n) for name, n in sizes.items())
    return train, valid, test


def run(
    model: str = "lorentz",
    number: int | None = None,
    seed: int = 0,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    folder: Path | str | None = None,
    **how: Any,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """Train a tagger on the first `number` training jets, keep the epoch that is best on the valid ones, test on 3,000.

    The trees give no network. `how`: see `task.train`.
    """
    task.positive(number=number, epochs=epochs, batch_size=batch_size, lr=lr)
    given = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    found = task.chosen(model, MODELS, {**given, **how})
    train, valid, test = splits(number, folder)
    figures: dict[str, Any] = {"jets": len(train), "test_jets": len(test)}
    if found.make is None:
        start = time.perf_counter()
        tops = tree_scores(model, train, [test], seed)
        seconds = round(time.perf_counter() - start, 1)
        accuracy = float(((tops > 0.5) == test.labels).mean())
        return None, {
            "task": TASK,
            "model": model,
            "seed": seed,
            **figures,
            "test_accuracy": accuracy,
            "seconds": seconds,
        }
    net = make(model, seed)
    recipe = training.Recipe(
        epochs=epochs or 10,
        batch_size=batch_size or 50,
        optimizer=torch.optim.AdamW,
        lr=lr or 3e-3,
        weight_decay=1e-2,
        schedule=training.warm_cosine,
        clip=1.0,
        metric=training.accuracy,
        best="max",
        augment=found.options.get("augment"),
    )
    history = task.train(
        net, training.cross_entropy, inputs(model, train), inputs(model, valid), recipe=recipe, seed=seed, **how
    )
    figures["test_accuracy"] = training.evaluate(net, inputs(model, test), training.accuracy)
    return net, task.report(TASK, model, seed, net, recipe, history, {}, **figures)


def scores(net: torch.nn.Module, jets: data.JetInputs, batch_size: int = 100) -> NDArray[np.float64]:
    """Probability of a top for each jet, (n,), in eval mode."""
    return torch.softmax(training.predict(net, jets, batch_size).double(), dim=-1)[:, 1].cpu().numpy()


def tree_scores(model: str, known: data.Jets, asked: list[data.Jets], seed: int) -> NDArray[np.float64]:
    """Probability of a top for each jet of `asked`, one after the other, from a boosted tree on the observables of TREES."""
    tables = [
        np.column_stack([getattr(data.observables(jets), name) for name in TREES[model]]) for jets in (known, *asked)
    ]
    if known.labels is None:
        raise ValueError("known: got jets without labels, expected labels to learn from")
    return models.boosted_tree(tables[0], known.labels, np.concatenate(tables[1:]), seed)


def moves(number: int, seed: int) -> dict[str, groups.Element]:
    """Boosts by GAMMAS into random directions, and random turns, by their name in the log."""
    boosts = {str(gamma): random_boosts(number, gamma, seed) for gamma in GAMMAS}
    return boosts | {"turned": random_turns(number, seed)}
