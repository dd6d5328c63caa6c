"""What a run of training is, apart from its data and its seed."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from eqlib.training.batches import Metric


@dataclass(frozen=True)
class Recipe:
    """How to train: each field is also an option of `fit`.

    epochs, batch_size: how often all examples are seen, and how many a step. The last batch of an epoch may be smaller;
    one example alone, which has no variance to normalise by, joins the batch before it.
    optimizer: called as optimizer(parameters, lr=, weight_decay=); see `lbfgs` for small models without noise.
    schedule: the learning rate's factor as a function of the part of all steps that is done, 0 <= t < 1; see `cosine`.
    clip: largest norm of the gradient. augment: (batch, generator) -> batch, on the CPU, training batches only; draw
    from this torch.Generator alone, or a resumed run will not repeat.
    metric: (output, target) -> mean over the batch, measured on the validation data after each epoch; None: the loss.
    best: "min" or "max": end with the weights of the epoch whose validation metric was that; None: with the last ones.
    every: epochs from one checkpoint to the next. every_steps: within an epoch too, after each so many of its steps.
    Raises ValueError that names the field, what came and what was expected.

    >>> Recipe(epochs=3, batch_size=32).lr
    0.001
    >>> Recipe(epochs=3, batch_size=0)
    Traceback (most recent call last):
    ValueError: batch_size: got 0, expected at least 1
    """

    epochs: int
    batch_size: int
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    lr: float = 1e-3
    weight_decay: float = 0.0
    schedule: Callable[[float], float] | None = None
    clip: float | None = None
    augment: Callable[[tuple[Any, ...], torch.Generator], tuple[Any, ...]] | None = None
    metric: Metric | None = None
    best: str | None = None
    every: int = 1
    every_steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "every", "every_steps"):
            number = getattr(self, name)
            if number is None and name == "every_steps":
                continue
            if not isinstance(number, numbers.Integral):
                raise ValueError(f"{name}: got {number!r}, expected an integer")
            if number < 1:
                raise ValueError(f"{name}: got {number!r}, expected at least 1")
        for name in ("lr", "weight_decay", "clip"):
            number = getattr(self, name)
            if not isinstance(number, numbers.Real) and not (number is None and name == "clip"):
                raise ValueError(f"{name}: got {number!r}, expected a number")
        expect_callable("optimizer", self.optimizer, "torch.optim.Adam")
        for name, such in (
            ("schedule", "training.cosine"),
            ("augment", "data.turn_images"),
            ("metric", "training.accuracy"),
        ):
            if getattr(self, name) is not None:
                expect_callable(name, getattr(self, name), such)
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr: got {self.lr!r}, expected a finite number above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay: got {self.weight_decay!r}, expected a finite number, at least 0")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip: got {self.clip!r}, expected None or a number above 0")
        if self.best is not None and not (isinstance(self.best, str) and self.best in ("min", "max")):
            raise ValueError(f'best: got {self.best!r}, expected None, "min" or "max"')


def expect_callable(name: str, value: Any, such: str) -> None:
    """ValueError for what cannot be called, naming an example of what can."""
    if not callable(value):
        came = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
        raise ValueError(f"{name}: got {came}, expected a callable such as {such}")


def choose(recipe: Recipe | None, options: Mapping[str, Any]) -> Recipe:
    """The recipe with these fields replaced, or of these alone. ValueError for a name that is no field."""
    names = [field.name for field in fields(Recipe)]
    for name in options:
        if name not in names:
            raise ValueError(f"options: got {name!r}, expected fields of Recipe: {', '.join(names)}")
    if isinstance(recipe, Recipe):
        return replace(recipe, **options)
    if recipe is not None:
        raise ValueError(f"recipe: got a {type(recipe).__name__}, expected a Recipe or None")
    for name in ("epochs", "batch_size"):
        if name not in options:
            raise ValueError(f"{name}: got nothing, expected a number, by name or in a Recipe")
    return Recipe(**options)


def describe(recipe: Recipe, loss: Metric, optim: torch.optim.Optimizer, **others: Any) -> dict[str, str]:
    """What must be alike in all stretches of a run and in all its processes, in words that are the same in each of them."""
    settings = {"batch_size": recipe.batch_size, "clip": recipe.clip, "best": recipe.best} | others
    settings |= {"epochs": recipe.epochs} if recipe.schedule else {}
    settings |= {"every_steps": recipe.every_steps} if recipe.every_steps else {}
    settings |= {f"optimizer.{k}": v for k, v in optim.defaults.items()}
    named = {"loss": loss, "metric": recipe.metric or loss, "optimizer": type(optim)}
    named |= {"schedule": recipe.schedule, "augment": recipe.augment}
    return {k: str(v) for k, v in settings.items()} | {k: _name(f) for k, f in named.items()}


def _name(function: Any) -> str:
    """A name that is the same in every process: no address in memory."""
    if isinstance(function, functools.partial):
        return f"{_name(function.func)}({function.args}, {function.keywords})"
    return "None" if function is None else getattr(function, "__qualname__", type(function).__qualname__)
