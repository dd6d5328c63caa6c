"""What a run has measured, and all that it needs to go on after a stop."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eqlib import processes
from eqlib.doubtful import named
from eqlib.training.checkpoint import DAMAGED, compare, read, rewrite, shapes, write
from eqlib.training.devices import get_random, set_random

ANEW = "; another checkpoint file, or resume=False, starts anew"


@dataclass
class History:
    """What `fit` measured, one entry an epoch.

    loss: mean training loss. valid: validation metric. lr: learning rate of the last step. best_epoch: counted from 0, whose
    weights were kept; None where none were asked for.
    seconds, cpu_seconds: time on the clock, and of this process's processor cores together (under torchrun: process 0's),
    of the epoch's steps and its validation; what comes before the first epoch, and writing checkpoints, is left out. They
    are stored in the checkpoint: a run that was stopped and resumed has those of all its stretches. Epochs after a
    stretch's last checkpoint are lost with it, done again and counted once, as in the run that was never stopped.

    >>> History(seconds=[2.0, 3.0]).total_seconds
    5.0
    """

    loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    cpu_seconds: list[float] = field(default_factory=list, compare=False)
    best_epoch: int | None = None

    @property
    def total_seconds(self) -> float:
        """Seconds of all epochs, whichever stretch of the run they were in."""
        return math.fsum(self.seconds)

    @property
    def total_cpu_seconds(self) -> float:
        """Processor seconds of all epochs, whichever stretch of the run they were in."""
        return math.fsum(self.cpu_seconds)


@dataclass
class Within:
    """How far the present epoch is; a new one is all zeros.

    step: its steps that are done. total: of their losses, over their examples. seconds, cpu_seconds: as in `History`.
    start: the state of the run's generator before the order of the epoch was drawn.
    """

    step: int = 0
    total: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    start: Tensor | None = None


@dataclass
class State:
    """All that a resumed run needs to go on as if it had never stopped."""

    model: nn.Module
    optim: torch.optim.Optimizer
    settings: dict[str, str]
    device: torch.device
    generator: torch.Generator
    history: History = field(default_factory=History)
    kept: dict[str, Tensor] | None = None
    within: Within = field(default_factory=Within)

    def begin(self, path: Path | str | None, resume: bool, epochs: int) -> int:
        """Load the checkpoint, if it is there and wanted; returns how many epochs are done.

        `within` says how far the next one is. The file is written at once, so that a disk that refuses it does so before the
        first step and not after the last.
        """
        if path is None:
            return 0
        if not resume or not processes.from_first(Path(path).exists):
            self.save(path)
            return 0
        self.load(path)
        done = len(self.history.loss)
        if (begun := done + (self.within.step > 0)) > epochs:
            raise ValueError(f"epochs: got {epochs}, expected at least the {begun} of {path}")
        if done < epochs:
            processes.from_first(lambda: rewrite(path))
        return done

    def save(self, path: Path | str) -> None:
        content: dict[str, Any] = {"shapes": shapes(self.model, dtype=True), "run": self.settings}
        content |= {"model": self.model.state_dict(), "optimizer": self.optim.state_dict()}
        content |= {"history": asdict(self.history), "kept": self.kept, "within": vars(self.within)}
        content |= {"generator": self.generator.get_state(), "random": torch.get_rng_state()}
        content |= {"device": get_random(self.device)}
        processes.from_first(lambda: write(path, "checkpoint", content))

    def load(self, path: Path | str) -> None:
        content = processes.from_first(lambda: read(path, "checkpoint"))
        with named(path, "checkpoint written by eqlib", DAMAGED):
            self._take(path, content)

    def _take(self, path: Path | str, content: dict[str, Any]) -> None:
        compare(path, "parameter", content["shapes"], shapes(self.model, dtype=True), ANEW)
        compare(path, "setting", content["run"], self.settings, ANEW)
        self.model.load_state_dict(content["model"])
        self.optim.load_state_dict(content["optimizer"])
        vars(self.history).update(content["history"])
        self.kept, self.within = content["kept"], Within(**content.get("within", {}))
        self.generator.set_state(content["generator"])
        torch.set_rng_state(content["random"])
        set_random(self.device, content.get("device", []))

    def keep_best(self, best: str | None) -> None:
        """Copy the weights if the last validation metric is the best so far; a NaN never is."""
        history, last = self.history, self.history.valid[-1]
        if best is None or math.isnan(last):
            return
        sign = 1 if best == "max" else -1
        if history.best_epoch is None or sign * last > sign * history.valid[history.best_epoch]:
            history.best_epoch = len(history.valid) - 1
            self.kept = {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}
