"""One training loop for every task: seeded, with a bar that shows the time left, checkpointed, resumed bit by bit."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eqlib import processes
from eqlib.training.batches import Data, Metric, Source, as_data, explained, tensors
from eqlib.training.checkpoint import reserved, shapes
from eqlib.training.devices import keep_memory, placed, reseed, seeded
from eqlib.training.evaluation import evaluate
from eqlib.training.recipe import Recipe, choose, describe, expect_callable
from eqlib.training.report import Report
from eqlib.training.state import History, State, Within
from eqlib.training.stopping import between_steps


def fit(
    model: nn.Module,
    loss: Metric,
    train: Source,
    valid: Source | None = None,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    resume: bool = True,
    progress: bool = True,
    device: torch.device | str | None = None,
    **options: Any,
) -> History:
    """Train the model in place, on `loss(model(*inputs), target)` where a batch is `(*inputs, target)`.

    train, valid: arrays or tensors of one length, the target last; or anything with `__len__` and `batch(indices)`, and
    `batches(size, generator)` if it has an order of its own (`training.batches.Data`).
    recipe, options: how to train, see `Recipe`: one of them, or its fields by name, or one with some fields replaced.
    seed: draws order, augmentation and dropout; the caller's random state is as before when `fit` returns. The initial
    weights are the caller's: call torch.manual_seed before making the model.
    checkpoint: file to write at the start, then every `recipe.every` epochs and after the last, and within an epoch every
    `recipe.every_steps` steps; whole or not at all. If it exists and `resume`, training goes on from it and ends, on the
    CPU, with the very bits of a run that was never stopped. A finished run may be prolonged where there is no schedule.
    Ctrl-C, or a notebook's stop button, ends it after the step that is under way, which the checkpoint then has, with
    KeyboardInterrupt. What happened since the last checkpoint is lost with a process that is killed, with one of several that
    is stopped, and by a second Ctrl-C.
    progress: a bar with the time left; on the terminal it goes to stderr, in a notebook it is a widget. Where stderr is a
    file, a line every half a minute and one at the end.
    device: where to train, see `device`; the model stays there. None: on what is there, and back to where the model was.
    Under torchrun (`eqlib.processes.run`) every process must call it alike. Each takes its share of every batch, and all
    end with the weights of one process up to rounding, if the loss is a mean over the batch's examples; see
    `eqlib.processes` for what layers owe. Process 0 alone shows the bar, reads and writes the checkpoint, which any
    number of processes may go on from.
    Raises ValueError for data of another form or dtype, for a checkpoint that another run is writing, whose folder is not there,
    or that is of another model or other settings, naming the first difference; FloatingPointError when the loss or a parameter
    is no longer finite; the last checkpoint is then intact.

    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> torch.manual_seed(0).initial_seed()
    0
    >>> history = fit(nn.Linear(1, 1), nn.functional.mse_loss, (x, 2 * x), epochs=60, batch_size=5, lr=0.1, progress=False)
    >>> history.loss[-1] < 1e-4
    True
    """
    recipe = choose(recipe, options)
    expect_callable("loss", loss, "training.cross_entropy")
    data, held_out = as_data("train", train), None if valid is None else as_data("valid", valid)
    if recipe.best and held_out is None:
        raise ValueError(f'best: got {recipe.best!r}, expected None, or "min" or "max" together with valid=...')
    keep_memory()
    with placed(model, device) as here:
        optim = recipe.optimizer(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
        sizes = {"len(train)": len(data), "len(valid)": 0 if held_out is None else len(held_out)}
        order = {"order": repr(data)} if hasattr(data, "batches") else {}
        settings = describe(recipe, loss, optim, seed=seed, **sizes, **order)
        alike = {"epochs": recipe.epochs, "every": recipe.every, "checkpoint": checkpoint is not None, "resume": resume}
        processes.agree("fit", settings | {k: str(v) for k, v in alike.items()} | shapes(model, dtype=True))
        state = State(model, optim, settings, here, torch.Generator().manual_seed(seed))
        rates = [group["lr"] for group in optim.param_groups]
        steps, show = steps_of(len(data), recipe.batch_size), progress and processes.rank() == 0
        with reserved(checkpoint), seeded(here, seed), between_steps() as stop:
            run = _Run(model, data, held_out, recipe, state, steps, rates, loss, seed, checkpoint, stop)
            first = state.begin(checkpoint, resume, recipe.epochs)
            processes.agree_on_state(model)
            showing = Report(recipe.epochs, steps, first * steps + state.within.step, show)
            with processes.synchronised(model, loss) as objective, showing as report:
                for epoch in range(first, recipe.epochs):
                    run.epoch(epoch, objective, report)
                    if checkpoint is not None and ((epoch + 1) % recipe.every == 0 or epoch + 1 == recipe.epochs):
                        state.save(checkpoint)
                    if (stopped := stop()) is not None:
                        raise stopped
        if state.kept is not None:
            model.load_state_dict(state.kept)
    return state.history


def steps_of(examples: int, size: int) -> int:
    """Batches of an epoch: the last one holds the rest, but for a rest of one, which joins the batch before.

    >>> [steps_of(n, 32) for n in (1, 32, 33, 34)]
    [1, 1, 1, 2]
    """
    full, rest = divmod(examples, size)
    return full + (rest > 1 or (rest == 1 and full == 0))


def _joined(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """The same, but for a last one of one example behind larger ones, which joins its neighbour: one has no variance."""
    before: Tensor | None = None
    for batch in batches:
        if before is not None:
            if len(batch) == 1 < len(before):
                batch = torch.cat([before, batch])
            else:
                yield before
        before = batch
    if before is not None:
        yield before


@dataclass
class _Run:
    """One run: what its epochs and steps have in common."""

    model: nn.Module
    train: Data
    valid: Data | None
    recipe: Recipe
    state: State
    steps: int  # of an epoch
    rates: list[float]  # of the optimizer's groups, before the schedule
    loss: Metric
    seed: int
    checkpoint: Path | str | None
    stop: Callable[[], type[KeyboardInterrupt] | None]

    def epoch(self, epoch: int, objective: Callable[..., Tensor], report: Report) -> None:
        """Train on every example once, or on those that are left, measure, and write it into the history."""
        recipe, state, history, within = self.recipe, self.state, self.state.history, self.state.within
        start, cpu = time.perf_counter() - within.seconds, time.process_time() - within.cpu_seconds
        first, pause = within.step, recipe.every_steps or self.steps
        self.model.train()
        for step, chosen in enumerate(self.order(), start=first):
            stopped = self.stop()
            if step > first and self.checkpoint is not None and (step % pause == 0 or stopped is not None):
                within.seconds, within.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
                self.agree(epoch)
                state.save(self.checkpoint)
            if stopped is not None:
                raise stopped
            # Other numbers than process 0 has, and the same ones after a stop.
            if processes.rank() and (step % pause == 0 or step == first):
                reseed(state.device, hash((self.seed, epoch, step, processes.rank())) % 2**63)
            batch, weight = self.share(chosen)
            within.total += self.step(objective, batch, weight, epoch * self.steps + step) * len(chosen)
            within.step = step + 1
            report.step()
        self.agree(epoch)
        history.loss.append(within.total / len(self.train))
        history.lr.append(float(state.optim.param_groups[0]["lr"]))
        if self.valid is not None:
            history.valid.append(evaluate(self.model, self.valid, recipe.metric or self.loss, recipe.batch_size))
            state.keep_best(recipe.best)
        history.seconds.append(time.perf_counter() - start)
        history.cpu_seconds.append(time.process_time() - cpu)
        state.within = Within()
        report.epoch(history)

    def order(self) -> Iterator[Tensor]:
        """The indices of the epoch's batches, but for those of the steps that are done."""
        generator, within, size = self.state.generator, self.state.within, self.recipe.batch_size
        now = generator.get_state()
        if within.start is None:
            within.start = now
        generator.set_state(within.start)
        own = getattr(self.train, "batches", None)
        batches = own(size, generator) if own else torch.randperm(len(self.train), generator=generator).split(size)
        if within.step:
            generator.set_state(now)  # it has drawn for the augmentation since
        return itertools.islice(_joined(batches), within.step, None)

    def agree(self, epoch: int) -> None:
        """Raise unless all parameters are finite, and the same in every process."""
        _refuse_non_finite(self.model, epoch)
        processes.agree_on_state(self.model)

    def share(self, chosen: Tensor) -> tuple[Any, float]:
        """This process's rows of the batch of these examples, and their weight."""
        rows, weight = processes.share(len(chosen))
        if self.recipe.augment is None:
            return tensors(self.train.batch(chosen[rows].numpy())), weight
        # Every process draws for the whole batch, so that each row is what one process makes it.
        batch = self.recipe.augment(tensors(self.train.batch(chosen.numpy())), self.state.generator)
        return processes.take(tensors(batch), rows, len(chosen)), weight

    def step(self, objective: Callable[..., Tensor], batch: Any, weight: float, done: int) -> float:
        """One step of the optimizer, after so many others; returns the loss of the whole batch before it."""
        recipe, optim = self.recipe, self.state.optim
        *inputs, target = tensors(batch, self.state.device)
        if recipe.schedule is not None:
            factor = recipe.schedule(done / (recipe.epochs * self.steps))
            for group, rate in zip(optim.param_groups, self.rates, strict=True):
                group["lr"] = rate * factor

        def closure() -> float:  # some optimizers, LBFGS above all, evaluate the loss more than once a step
            with explained("train", self.model, inputs, target):
                value = objective(inputs, target, weight)
            if value.ndim:
                raise ValueError(f"loss: got shape {tuple(value.shape)}, expected one number for the batch")
            value = value * weight
            whole = processes.total(value).item()
            if not math.isfinite(whole):
                raise FloatingPointError(
                    f"the loss is {whole} in epoch {done // self.steps}, step {done % self.steps}, at learning rate "
                    f"{optim.param_groups[0]['lr']:.3g}: look for bad data, lower lr, or set clip"
                )
            optim.zero_grad()
            with explained("train", self.model, inputs, target):
                (value * processes.size()).backward()  # the gradient is the mean over the processes
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
            return whole

        return float(optim.step(closure))


def _refuse_non_finite(model: nn.Module, epoch: int) -> None:
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise FloatingPointError(f"parameter {name!r} is not finite after epoch {epoch}: lower lr, or set clip")
