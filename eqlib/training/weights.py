"""Trained weights on disk, with plain notes of how they were made, and the networks that come back from them."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from eqlib import processes
from eqlib.doors import typed
from eqlib.doubtful import named
from eqlib.groups import Rep
from eqlib.training.checkpoint import DAMAGED, compare, read, shapes, write


@typed
def count_parameters(model: nn.Module) -> int:
    """How many trainable numbers the model has.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def save_weights(model: nn.Module, path: Path | str, /, half: bool = False, **meta: Any) -> None:
    """Write parameters (as float32) and persistent buffers, with plain notes such as command, seed and seconds.

    half: write parameters as float16, three digits in half the room; they come back in the model's own dtype.

    The file appears whole or not at all, and the same weights give the same bytes. Its folder is made if need be. Under
    torchrun process 0 alone writes.
    Raises ValueError for meta that JSON cannot hold, and for weights beyond float16 where half is asked for.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.pt"
    >>> save_weights(nn.Linear(3, 2), path, seed=0)
    >>> load_weights(nn.Linear(3, 2), path)
    {'seed': 0}
    """
    try:
        notes = json.dumps(meta)
    except TypeError as error:
        raise ValueError(f"meta: got {meta!r}, expected text, numbers, lists and dicts ({error})") from error
    parameters, kind = dict(model.named_parameters()), torch.float16 if half else torch.float32
    weights = {k: (v.to(kind) if k in parameters else v).detach().cpu() for k, v in model.state_dict().items()}
    if half and not all(v.isfinite().all() for k, v in weights.items() if k in parameters):
        raise ValueError("half: got True for weights that float16 cannot hold, expected False")
    if processes.rank() == 0:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write(path, "weights", {"shapes": shapes(model), "meta": notes, "weights": weights})


def load_weights(model: nn.Module, path: Path | str) -> dict[str, Any]:
    """Load what `save_weights` wrote, in the model's own dtype and device; returns its notes.

    Raises ValueError for a file that is not such, for another model's, naming the first parameter that differs, and for NaN
    and inf.
    """
    content, notes = _read(path)
    compare(path, "parameter", content["shapes"], shapes(model))
    weights = content["weights"]
    with named(path, "weights written by eqlib", DAMAGED):
        parameters = dict(model.named_parameters())
        tensors = {name: x for name, x in model.state_dict().items() if isinstance(x, torch.Tensor)}
        for name, own in tensors.items():  # a buffer may hold inf of its own, such as a mask
            if (name in parameters or own.isfinite().all()) and not weights[name].isfinite().all():
                raise ValueError(f"NaN or inf in {name!r}")
        model.load_state_dict(weights)
    return notes


def _read(path: Path | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of a file of weights, and its notes."""
    content = read(path, "weights")
    with named(path, "weights written by eqlib", DAMAGED):
        notes = json.loads(content["meta"])
        if not (
            isinstance(notes, dict) and isinstance(content["weights"], dict) and isinstance(content["shapes"], dict)
        ):
            raise ValueError(f"notes {notes!r:.60}")
    return content, notes


@dataclass(frozen=True, repr=False)
class Trained:
    """A trained network, ready for use.

    network: in eval mode, on the CPU. notes: what `save_weights` was told. rep_in, rep_out: how its input and output
    transform, None where the network does not say. prepare: raw data -> the network's input, as the task prepares it; for a
    network that the reader's own function makes, the data as they are.
    """

    network: nn.Module
    notes: dict[str, Any]
    rep_in: Rep | None
    rep_out: Rep | None
    prepare: Callable[[Any], Any]

    def __repr__(self) -> str:
        notes = [f"{name} {self.notes[name]}" for name in ("task", "model", "seed") if name in self.notes]
        return f"Trained({', '.join([type(self.network).__name__, *notes])})"


def load(path: Path | str, make: Callable[[dict[str, Any]], nn.Module] | None = None) -> Trained:
    """The network that `save_weights` wrote, from the file alone.

    Its notes must name the `task` (one of `eqlib.tasks.TASKS`), `model` and `seed`; `sizes` are further arguments of the
    task's make and prepare. make: notes -> the network without its weights, for files of a reader's own scripts.
    Nothing in the file is executed. Raises ValueError for a file that is not such, whose notes do not say what is needed, or
    whose weights are another model's.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.pt"
    >>> save_weights(nn.Linear(3, 2), path, width=2)
    >>> trained = load(path, make=lambda notes: nn.Linear(3, notes["width"]))
    >>> trained.network, trained.notes
    (Linear(in_features=3, out_features=2, bias=True), {'width': 2})
    """
    _, notes = _read(path)
    prepare: Callable[[Any], Any] = _as_it_is
    with torch.random.fork_rng([]):
        if make is not None:
            network = make(notes)
        else:
            for name in ("task", "model", "seed"):
                if name not in notes:
                    raise ValueError(f"{path}: got notes without {name!r}, expected task, model and seed, or make=...")
            task, sizes = _task(path, notes["task"]), notes.get("sizes", {})
            with named(path, f"notes of a network of {notes['task']}"):
                network = task.make(notes["model"], seed=notes["seed"], **sizes)
            prepare = functools.partial(_prepared, task, notes["model"], sizes)
    load_weights(network, path)
    rep_in, rep_out = getattr(network, "rep_in", None), getattr(network, "rep_out", None)
    return Trained(network.eval(), notes, rep_in, rep_out, prepare)


def _task(path: Path | str, name: str) -> ModuleType:
    """The task's module. Tasks import this package and not the other way round; only here, where a file names one that the
    caller need not know, it is looked up while the program runs, and only among the names that `TASKS` lists.
    """
    tasks = importlib.import_module("eqlib.tasks").TASKS
    if not isinstance(name, str) or name not in tasks:
        raise ValueError(f"{path}: got task {name!r}, expected one of {', '.join(tasks)}, or make=...")
    return importlib.import_module(f"eqlib.tasks.{name}")


def _prepared(task: ModuleType, model: str, sizes: dict[str, Any], raw: Any) -> Any:
    return task.prepare(model, raw, **sizes)


def _as_it_is(raw: Any) -> Any:
    return raw
