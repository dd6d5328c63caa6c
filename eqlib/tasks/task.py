"""What every task shares: models by name, seeded weights, one call of the training loop, the report.

A task is a module of `eqlib.tasks` with::

    MODELS                      name -> `Model`
    arguments(parser)           its own command-line options; their names are those of `run`'s arguments
    run(model, ..., **how)      -> (network, report); `how` goes on to `train`
    make(model, seed, **sizes)  the network of that name, with seeded weights
    prepare(model, raw, **sizes) a reader's own data, as that network takes it: a tuple of tensors
    RENAMED                     where what it calls names an argument otherwise: that name -> the option's

`eqlib.train` offers it on the command line, `training.load` makes its networks again from their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from eqlib import training

#: What a model that learns nothing has no use for.
LEARNING = ("steps", "epochs", "batch_size", "lr", "double", "device", "checkpoint", "weights")


@dataclass(frozen=True)
class Model:
    """One line of a task's MODELS.

    about: what it is, one line for `--help`. make: called with the task's sizes, gives the network; None for a model that
    learns nothing. time: how long a run with the task's own settings takes on one core, in words.
    options: what else tells the run of this model from the others, for the task's own use.
    """

    about: str
    make: Callable[..., torch.nn.Module] | None
    time: str
    options: Mapping[str, Any]


def model(about: str, make: Callable[..., torch.nn.Module] | None, time: str, **options: Any) -> Model:
    """A `Model`, with its options as keywords."""
    return Model(about, make, time, options)


def augmented(models: Mapping[str, Model], augment: Any, about: str) -> dict[str, Model]:
    """The same models under the names `<name>-augmented`, with `augment` among their options."""
    return {
        f"{name}-augmented": model(f"{name}, {about}", m.make, m.time, **m.options, augment=augment)
        for name, m in models.items()
    }


def chosen(name: str, models: Mapping[str, Model], given: Mapping[str, Any] | None = None) -> Model:
    """The model of this name. ValueError for another name, and for an option in `given` that it has no use for.

    given: option -> value, None for those that the caller left alone.
    """
    if name not in models:
        raise ValueError(f"model: got {name!r}, expected one of {', '.join(models)}")
    found = models[name]
    idle = [option for option in LEARNING if (given or {}).get(option)] if found.make is None else []
    if idle:
        raise ValueError(
            f"{idle[0]}: got {(given or {})[idle[0]]!r}, but the model {name!r} learns nothing and has no use for it"
        )
    return found


def made(name: str, models: Mapping[str, Model], seed: int, **sizes: Any) -> torch.nn.Module:
    """The network of this name and these sizes, its initial weights drawn from this seed.

    The caller's random numbers go on as if nothing had been drawn. ValueError for another name, and for one that is no network.
    """
    make = chosen(name, models).make
    if make is None:
        networks = [other for other, model in models.items() if model.make is not None]
        raise ValueError(f"model: got {name!r}, which learns nothing, expected one of {', '.join(networks)}")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return make(**sizes)


def positive(**numbers: float | None) -> None:
    """ValueError for the first number that is given and not above 0."""
    for name, number in numbers.items():
        if number is not None and not number > 0:
            raise ValueError(f"{name}: got {number!r}, expected a number above 0")


def epochs_of(steps: int, batch_size: int, examples: int) -> int:
    """The number of epochs that comes nearest to so many steps; at least one."""
    return max(1, round(steps * batch_size / examples))


def train(
    net: torch.nn.Module,
    loss: training.Metric,
    examples: training.Source,
    valid: training.Source | None = None,
    *,
    recipe: training.Recipe,
    seed: int,
    double: bool = False,
    device: str | torch.device | None = None,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> training.History:
    """`training.fit` with what every run takes.

    double: train in float64; several processes then end within 1e-6 of one. device: cpu, cuda or mps; None: what is there.
    checkpoint: written during training; a second call goes on from it. progress: a bar with the time left.
    """
    if double:
        net.double().register_forward_pre_hook(_to_double)
    how: dict[str, Any] = {"seed": seed, "checkpoint": checkpoint, "progress": progress, "device": device}
    return training.fit(net, loss, examples, valid, recipe, **how)


def _to_double(_: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in inputs)


def report(
    task: str,
    model: str,
    seed: int,
    net: torch.nn.Module,
    recipe: training.Recipe,
    history: training.History | Sequence[training.History],
    sizes: Mapping[str, Any],
    **measured: Any,
) -> dict[str, Any]:
    """What a run says of itself: the line of a log, and the notes beside saved weights.

    sizes: `make`'s keywords. measured: the task's own figures. `seconds` and `cpu_seconds` are those of all epochs, also of
    a run that was stopped and went on. `best_epoch`, from 0, is the one whose weights were kept, where the recipe asks for it;
    of several networks, which have a history each, nothing.
    """
    histories = [history] if isinstance(history, training.History) else list(history)
    kept = histories[0].best_epoch if len(histories) == 1 else None
    best = {} if kept is None else {"best_epoch": kept}
    return {
        "task": task,
        "model": model,
        "seed": seed,
        "sizes": dict(sizes),
        "epochs": recipe.epochs,
        **best,
        "batch_size": recipe.batch_size,
        "lr": recipe.lr,
        "parameters": training.count_parameters(net),
        **measured,
        "seconds": round(sum(one.total_seconds for one in histories), 1),
        "cpu_seconds": round(sum(one.total_cpu_seconds for one in histories), 1),
    }


def member(checkpoint: Path, number: int) -> Path:
    """Where the checkpoint of one of several networks of a run lies: beside that of the run, with its number.

    >>> member(Path("run.pt"), 3).name
    'run.3.pt'
    """
    return checkpoint.with_suffix(f".{number}{checkpoint.suffix}")


def checkpoints(checkpoint: Path) -> list[Path]:
    """Those of them that are there, with that of the run itself."""
    return [
        path
        for path in (checkpoint, *sorted(checkpoint.parent.glob(f"{checkpoint.stem}.*{checkpoint.suffix}")))
        if path.exists()
    ]


def command(task: str, **given: Any) -> str:
    """The command line that repeats a run with these arguments of `run`; what has no part in its result is left out."""
    words = ["python -m eqlib.train", task]
    for name, value in given.items():
        if name in ("checkpoint", "progress") or value is None or value is False:
            continue
        option = f"--{'data' if name == 'folder' else name.replace('_', '-')}"
        words += [option] if value is True else [option, "FOLDER" if name == "folder" else str(value)]
    return " ".join(words)
