"""Top tagging: a Lorentz group network, its ablations and what it is compared with, on the shipped jets or the public ones.

Networks see 50 particles of a jet, or as many as they are told: those that know no boosts the hardest, the Lorentz group's
those with the largest p.P (`data.Jets.ordered`), a choice that no boost changes. Review, Sec. VI and Fig. 5; Bogatskiy et al.
2020, Qu and Gouskos 2020.
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
PARTICLES = 50  # of a jet, unless a run says otherwise
GAMMAS = (1.5, 2.0, 3.0, 5.0, 10.0)  # of the boosts under which a run may be judged again
TREES = {"mass": ("mass",), "tree": ("mass", "pt", "multiplicity", "tau21", "tau32")}


def lorentz(**options: Any) -> torch.nn.Module:
    """A Lorentz group network of these sizes."""
    return models.LorentzGroupNetwork(groups.Lorentz(), **options)


# Widths that give every model 24,000 to 26,400 parameters, but for two that are small and one that is as it was published.
MODELS = {
    "lorentz": task.model(
        "Lorentz group network, irreps up to (2,2)",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=24, hidden=24),
        "3 min",
    ),
    "lorentz-small": task.model(
        "the same with 4,799 parameters", partial(lorentz, channels=(2, 3, 3, 2), scalars=8, hidden=8), "1 min"
    ),
    "pure": task.model(
        "as it was published, with 5,170 parameters",
        partial(lorentz, channels=(4, 6, 6, 4), hidden=24, pure=True),
        "1 min",
    ),
    "lorentz-types": task.model(
        "told what the detector took each particle for",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=24, hidden=24, extra=4),
        "3 min",
        extra="stored",
    ),
    "lorentz-beam": task.model(
        "told each particle's energy and angle to the beam, which breaks the symmetry",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=24, hidden=24, extra=3),
        "3 min",
        extra="beam",
    ),
    "linear": task.model(
        "the same without Clebsch-Gordan products",
        partial(lorentz, channels=(4, 6, 6, 4), scalars=28, hidden=28, products=False),
        "2 min",
    ),
    "invariants": task.model(
        "the same without tensors: products p_i.p_j alone",
        partial(lorentz, irreps=(), scalars=30, hidden=30),
        "2 min",
    ),
    "particlenet": task.model("ParticleNet-Lite, which knows no boosts", models.ParticleNet, "3 min", raw=True),
    "particlenet-augmented": task.model(
        "ParticleNet-Lite, training jets turned and boosted anew in every epoch",
        models.ParticleNet,
        "3 min",
        raw=True,
        augment=boost_jets,
    ),
    "particlenet-full": task.model(
        "ParticleNet at full strength, with 366,146 parameters",
        partial(models.ParticleNet, 16, channels=((64, 64, 64), (128, 128, 128), (256, 256, 256)), hidden=256),
        "about 1 h",
        raw=True,
    ),
    "deep-sets": task.model("Deep Sets on the same features as ParticleNet", models.DeepSets, "10 s", raw=True),
    "transformer": task.model("a plain transformer on these features", models.JetTransformer, "1 min", raw=True),
    "tree": task.model(f"boosted tree on {', '.join(TREES['tree'])}", None, "1 s"),
    "mass": task.model("boosted tree on the mass alone", None, "1 s"),
}
TAGGERS = tuple(name for name, m in MODELS.items() if m.make is not None)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add(
        "--data",
        type=Path,
        dest="folder",
        help="folder with train.h5, val.h5 and test.h5, or with shards train*.npz, valid*.npz and test*.npz; or one file of "
        "make_jets.py (default: the shipped jets)",
    )
    add("--number", type=int, help="training jets, and a sixth and half as many of --data's others (default: all)")
    add("--particles", type=int, help=f"of a jet that a network sees (default: {PARTICLES})")
    add("--epochs", type=int, help="passes over the training jets (default: 10)")
    add("--batch-size", type=int, help="jets a step (default: 50)")
    add("--lr", type=float, help="learning rate at its highest (default: 0.003)")


def make(model: str, seed: int = 0, particles: int = PARTICLES) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights; it takes any number of particles, and `prepare` chooses so many."""
    task.positive(particles=particles)
    return task.made(model, MODELS, seed)


def frame(model: str) -> str:
    """What a tagger takes: "lab", raw momenta, for ParticleNet, and "jet", components about the jet's axis, for the others."""
    return "lab" if task.chosen(model, MODELS).options.get("raw") else "jet"


def inputs(model: str, jets: data.Jets, particles: int = PARTICLES) -> data.JetInputs:
    """Jets as a tagger takes them: raw momenta for ParticleNet, light-cone components about the jet's axis for the others."""
    return data.JetInputs(jets, frame(model), particles, extra=_extra(model))


def examples(
    model: str, jets: data.Jets | data.JetFiles, particles: int = PARTICLES
) -> data.JetInputs | data.JetStream:
    """The same of jets in memory or in files, which are streamed."""
    if isinstance(jets, data.Jets):
        return inputs(model, jets, particles)
    return data.JetStream(jets, frame(model), particles, extra=_extra(model))


def _extra(model: str) -> str | None:
    return task.chosen(model, MODELS).options.get("extra")


def prepare(model: str, raw: Any, particles: int = PARTICLES) -> tuple[Tensor, ...]:
    """A reader's own jets, a `data.Jets` or momenta as in `data.Jets.from_momenta`: components, mask, other numbers if any."""
    jets = raw if isinstance(raw, data.Jets) else data.Jets.from_momenta(raw)
    taken = inputs(model, jets, particles)
    return tuple(torch.as_tensor(x) for x in (taken.momenta, taken.mask, taken.extra) if x is not None)


def splits(
    number: int | None = None, folder: Path | str | None = None
) -> tuple[data.Jets | data.JetFiles, data.Jets | data.JetFiles, data.Jets | data.JetFiles]:
    """Training, validation and test jets: the shipped 6,000, 1,000 and 3,000, those of a file that tools/make_jets.py wrote, or
    those of a folder, which are streamed.

    number: the first so many for training; of a folder also a sixth of that for validation and half of it for the test.
    """
    if folder is None or Path(folder).is_file():
        source: dict[str, Any] = {} if folder is None else {"path": folder, "checksum": None}
        return data.jets("train", number, **source), data.jets("valid", **source), data.jets("test", **source)
    cut = {"train": number, "valid": number and max(number // 6, 1), "test": number and max(number // 2, 1)}
    train, valid, test = (data.JetFiles.of(folder, split, most) for split, most in cut.items())
    if number is not None and len(train) < number:
        raise ValueError(f"number: got {number!r}, expected 1 ... {len(train)}, the training jets of {folder}")
    return train, valid, test


def run(
    model: str = "lorentz",
    number: int | None = None,
    seed: int = 0,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    particles: int | None = None,
    folder: Path | str | None = None,
    **how: Any,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """Train a tagger on the first `number` training jets, keep the epoch that is best on the valid ones, test on the test ones.

    The trees give no network. `how`: see `task.train`.
    """
    task.positive(number=number, epochs=epochs, batch_size=batch_size, lr=lr, particles=particles)
    given = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    found = task.chosen(model, MODELS, {**given, **how})
    train, valid, test = splits(number, folder)
    figures: dict[str, Any] = {"jets": len(train), "test_jets": len(test)}
    if found.make is None:
        if particles is not None:
            raise ValueError(f"particles: got {particles!r}, but the model {model!r} sees all of them")
        train, test = (jets if isinstance(jets, data.Jets) else jets.read_all() for jets in (train, test))
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
    sizes = {"particles": particles or PARTICLES}
    net = make(model, seed, **sizes)
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
        every_steps=500,
    )
    history = task.train(
        net,
        training.cross_entropy,
        examples(model, train, **sizes),
        examples(model, valid, **sizes),
        recipe=recipe,
        seed=seed,
        **how,
    )
    figures["test_accuracy"] = training.evaluate(net, examples(model, test, **sizes), training.accuracy)
    return net, task.report(TASK, model, seed, net, recipe, history, sizes, **figures)


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
