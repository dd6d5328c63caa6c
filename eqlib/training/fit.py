"""One training loop for every task: seeded, with a bar that shows the time left, checkpointed, resumed bit by bit."""

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from eqlib import processes
from eqlib.training.checkpoint import compare, read, shapes, write


class Data(Protocol):
    """Anything with a length and batches by index, where the last item of a batch is the target."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.int64], /) -> tuple[Any, ...]: ...


Source = Data | Sequence[Tensor | NDArray[Any]]
Metric = Callable[[Any, Any], Tensor]


@dataclass
class History:
    """What `fit` measured, one entry an epoch: mean training loss, validation metric, learning rate, seconds."""

    loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    best_epoch: int | None = None  # counted from 0; only where `fit` was asked to keep the best weights


class _Arrays:
    """Arrays or tensors of one length, batched by index."""

    def __init__(self, name: str, arrays: Sequence[Tensor | NDArray[Any]]) -> None:
        self.tensors = tuple(torch.as_tensor(a) for a in arrays)
        found = [tuple(t.shape) for t in self.tensors]
        if len({shape[:1] for shape in found}) != 1:
            raise ValueError(f"{name}: got shapes {found}, expected arrays of one length, the target last")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, ...]:
        return tuple(t[indices] for t in self.tensors)


def fit(
    model: nn.Module,
    loss: Metric,
    train: Source,
    valid: Source | None = None,
    *,
    epochs: int,
    batch_size: int,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: Callable[[float], float] | None = None,
    clip: float | None = None,
    augment: Callable[[tuple[Any, ...], torch.Generator], tuple[Any, ...]] | None = None,
    metric: Metric | None = None,
    best: str | None = None,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    every: int = 1,
    resume: bool = True,
    progress: bool = True,
    device: torch.device | str = "cpu",
) -> History:
    """Train the model in place, on `loss(model(*inputs), target)` where a batch is `(*inputs, target)`.

    train, valid: arrays or tensors of one length, the target last; or anything with `__len__` and `batch(indices)`.
    optimizer: called as optimizer(parameters, lr=, weight_decay=); see `lbfgs` for small models without noise.
    schedule: the learning rate's factor as a function of the part of all steps that is done, 0 <= t < 1; see `cosine`.
    clip: largest norm of the gradient. augment: (batch, generator) -> batch, on the CPU, training batches only; draw
    from this torch.Generator alone, or a resumed run will not repeat.
    metric: (output, target) -> mean over the batch, measured on `valid` after each epoch; by default the loss.
    best: "min" or "max": end with the weights of the epoch whose validation metric was that; None: with the last ones.
    seed: draws order, augmentation and dropout; the caller's random state is as before when `fit` returns. The initial
    weights are the caller's: call torch.manual_seed before making the model.
    checkpoint: file to write after every `every` epochs and the last, whole or not at all. If it exists and `resume`,
    training goes on from it and ends, on the CPU, with the very bits of a run that was never stopped. A finished run
    may be prolonged where there is no schedule.
    progress: a bar with the time left; on the terminal it goes to stderr, in a notebook it is a widget.
    Under torchrun (`eqlib.processes.run`) every process must call it alike. Each takes its share of every batch, and all
    end with the weights of one process up to rounding, if the loss is a mean over the batch's examples; see
    `processes.whole_batch` for what layers owe. Process 0 alone shows the bar, reads and writes the checkpoint, which any
    number of processes may go on from.
    Raises ValueError for a checkpoint of another model or other settings, naming the first difference, and
    FloatingPointError when the loss or a parameter is no longer finite; the last checkpoint is then intact.
    """
    for name, number in (("epochs", epochs), ("batch_size", batch_size), ("every", every)):
        if number < 1:
            raise ValueError(f"{name}: got {number!r}, expected at least 1")
    if best not in (None, "min", "max") or (best and valid is None):
        raise ValueError(f'best: got {best!r}, expected None, or "min" or "max" together with valid=...')
    train, valid = _data("train", train), None if valid is None else _data("valid", valid)
    steps = math.ceil(len(train) / batch_size)
    measure = metric or loss
    optim = optimizer(model.to(device).parameters(), lr=lr, weight_decay=weight_decay)
    rates = [group["lr"] for group in optim.param_groups]
    settings = {"batch_size": batch_size, "clip": clip, "seed": seed, "best": best}
    settings |= {"len(train)": len(train), "len(valid)": 0 if valid is None else len(valid)}
    settings |= {"epochs": epochs} if schedule else {}
    settings |= {f"optimizer.{k}": v for k, v in optim.defaults.items()}
    named = {"loss": loss, "metric": measure, "schedule": schedule, "augment": augment, "optimizer": type(optim)}
    run = {k: str(v) for k, v in settings.items()} | {k: _name(f) for k, f in named.items()}
    cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
    alike = {"epochs": epochs, "every": every, "checkpoint": checkpoint is not None, "resume": resume}
    processes.agree("fit", run | {k: str(v) for k, v in alike.items()} | shapes(model, dtype=True))
    state = _State(model, optim, run, torch.Generator().manual_seed(seed), cuda)
    history = state.history

    def one_step(batch: tuple[Any, ...], weight: float, done: int) -> float:
        *inputs, target = _tensors(batch, device)
        if schedule is not None:
            for group, rate in zip(optim.param_groups, rates, strict=True):
                group["lr"] = rate * schedule(done / (epochs * steps))

        def closure() -> float:  # some optimizers, LBFGS above all, evaluate the loss more than once a step
            with processes.whole_batch(weight):
                value = loss(model(*inputs), target)
            if value.ndim:
                raise ValueError(f"loss: got shape {tuple(value.shape)}, expected one number for the batch")
            value = value * weight
            whole = processes.total(value).item()
            if not math.isfinite(whole):
                raise FloatingPointError(
                    f"the loss is {whole} in epoch {done // steps}, step {done % steps}, at learning rate "
                    f"{optim.param_groups[0]['lr']:.3g}: look for bad data, lower lr, or set clip"
                )
            optim.zero_grad()
            value.backward()
            processes.add_gradients(model.parameters())
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            return whole

        return float(optim.step(closure))

    with torch.random.fork_rng(cuda):
        torch.default_generator.manual_seed(seed)
        for gpu in cuda:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        if checkpoint is not None and resume and processes.from_first(Path(checkpoint).exists):
            state.load(checkpoint)
            if len(history.loss) > epochs:
                raise ValueError(f"epochs: got {epochs}, expected at least the {len(history.loss)} of {checkpoint}")
        processes.agree_on_state(model)
        first, hidden = len(history.loss), not progress or processes.rank() > 0
        with tqdm(total=epochs * steps, initial=first * steps, desc="training", disable=hidden) as bar:
            for epoch in range(first, epochs):
                start, total = time.perf_counter(), 0.0
                model.train()
                order = torch.randperm(len(train), generator=state.generator).split(batch_size)
                for done, chosen in enumerate(order, start=epoch * steps):
                    rows, weight = processes.share(len(chosen))
                    if augment is None:
                        batch = _tensors(train.batch(chosen[rows].numpy()))
                    else:  # every process draws for the whole batch, so that each row is what one process makes it
                        batch = augment(_tensors(train.batch(chosen.numpy())), state.generator)
                        batch = processes.take(_tensors(batch), rows, len(chosen))
                    total += one_step(batch, weight, done) * len(chosen)
                    bar.update()
                _refuse_non_finite(model, epoch)
                processes.agree_on_state(model)
                history.loss.append(total / len(train))
                history.lr.append(float(optim.param_groups[0]["lr"]))
                if valid is not None:
                    history.valid.append(evaluate(model, valid, measure, batch_size))
                    state.keep_best(best)
                history.seconds.append(time.perf_counter() - start)
                bar.set_postfix({k: f"{v[-1]:.4g}" for k, v in (("loss", history.loss), ("valid", history.valid)) if v})
                if checkpoint is not None and ((epoch + 1) % every == 0 or epoch + 1 == epochs):
                    state.save(checkpoint)
    if state.kept is not None:
        model.load_state_dict(state.kept)
    return history


def evaluate(model: nn.Module, data: Source, metric: Metric, batch_size: int = 256) -> float:
    """Mean of metric(output, target) over the data, in eval mode and without gradients, on the model's device.

    metric: returns the mean over its batch; batches are weighted by their length. Each module's mode is put back.
    Under torchrun every process must call it, for the batches are shared out; all get the same value.
    """
    data = _data("data", data)
    device = next((t.device for t in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    modes = [(module, module.training) for module in model.modules()]
    batches = np.split(np.arange(len(data)), range(batch_size, len(data), batch_size))
    sums = torch.zeros(len(batches), dtype=torch.float64)
    try:
        model.eval()
        with torch.no_grad():
            for i in range(processes.rank(), len(batches), processes.size()):
                *inputs, target = _tensors(data.batch(batches[i]), device)
                sums[i] = float(metric(model(*inputs), target)) * len(batches[i])
    finally:
        for module, mode in modes:
            module.training = mode
    return sum(processes.total(sums).tolist()) / len(data)


@dataclass
class _State:
    """All that a resumed run needs to go on as if it had never stopped."""

    model: nn.Module
    optim: torch.optim.Optimizer
    run: dict[str, str]
    generator: torch.Generator
    cuda: list[torch.device]
    history: History = field(default_factory=History)
    kept: dict[str, Tensor] | None = None

    def save(self, path: Path | str) -> None:
        content: dict[str, Any] = {"shapes": shapes(self.model, dtype=True), "run": self.run}
        content |= {"model": self.model.state_dict(), "optimizer": self.optim.state_dict()}
        content |= {"history": asdict(self.history), "kept": self.kept}
        content |= {"generator": self.generator.get_state(), "random": torch.get_rng_state()}
        write(path, "checkpoint", content | {"cuda": [torch.cuda.get_rng_state(gpu) for gpu in self.cuda]})

    def load(self, path: Path | str) -> None:
        content = processes.from_first(lambda: read(path, "checkpoint"))
        compare(path, "parameter", content["shapes"], shapes(self.model, dtype=True))
        compare(path, "setting", content["run"], self.run)
        self.model.load_state_dict(content["model"])
        self.optim.load_state_dict(content["optimizer"])
        vars(self.history).update(content["history"])
        self.kept = content["kept"]
        self.generator.set_state(content["generator"])
        torch.set_rng_state(content["random"])
        for gpu, random in zip(self.cuda, content["cuda"], strict=True):
            torch.cuda.set_rng_state(random, gpu)

    def keep_best(self, best: str | None) -> None:
        """Copy the weights if the last validation metric is the best so far; a NaN never is."""
        *before, last = self.history.valid
        if best is None or math.isnan(last):
            return
        sign = 1 if best == "max" else -1
        if all(math.isnan(v) or sign * last > sign * v for v in before):
            self.history.best_epoch = len(before)
            self.kept = {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}


def _data(name: str, source: Source) -> Data:
    data = source if hasattr(source, "batch") else _Arrays(name, source)
    if len(data) == 0:
        raise ValueError(f"{name}: got no examples, expected at least one")
    return data


def _tensors(batch: Any, device: torch.device | str = "cpu") -> Any:
    """Arrays to tensors on the device, through nested tuples and lists."""
    if isinstance(batch, tuple | list):
        return tuple(_tensors(item, device) for item in batch)
    return torch.as_tensor(batch, device=device) if isinstance(batch, Tensor | np.ndarray) else batch


def _refuse_non_finite(model: nn.Module, epoch: int) -> None:
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise FloatingPointError(f"parameter {name!r} is not finite after epoch {epoch}: lower lr, or set clip")


def _name(function: Any) -> str:
    """A name that is the same in every process: no address in memory."""
    if isinstance(function, functools.partial):
        return f"{_name(function.func)}({function.args}, {function.keywords})"
    return "None" if function is None else getattr(function, "__qualname__", type(function).__qualname__)
