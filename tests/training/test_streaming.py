"""Training on jets in files: one process and two agree, and a killed one goes on. torchrun runs this file in each process."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eqlib import data, processes, train, training
from eqlib.tasks import jets as task
from tests.jet_files import write_shard
from tests.training.test_processes import apart, torchrun

several = pytest.mark.skipif(
    sys.platform == "win32" or not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torchrun with gloo",
)
COMMAND = [
    "jets",
    "--model",
    "lorentz",
    "--number",
    "40",
    "--epochs",
    "1",
    "--batch-size",
    "10",
    "--double",
    "--weights",
]
KILLED = 8  # the batch that a process does not live to see: the last of two epochs of four


class Dropped(torch.nn.Module):
    """A small network that draws random numbers in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.map = torch.nn.Linear(200, 2)

    def forward(self, momenta: Tensor, mask: Tensor) -> Tensor:
        x = (momenta / 100 * mask[..., None]).flatten(1)
        return self.map(torch.nn.functional.dropout(x, 0.4, self.training))


class Killed(data.JetStream):
    """The process ends at once, without a word, when it asks for its batch number KILLED."""

    asked = 0

    def batch(self, indices: Any) -> tuple[Any, ...]:
        self.asked += 1
        if self.asked == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(indices)


def shards(folder: Path) -> Path:
    """Four shards for training, one for validation, one for the test."""
    for k in range(4):
        write_shard(folder / f"train{k}.npz", 10 * k, 10)
    write_shard(folder / "valid.npz", 100, 13)
    write_shard(folder / "test.npz", 200, 25)
    return folder


def stream(folder: Path, split: str, kind: type[data.JetStream] = data.JetStream) -> data.JetStream:
    return kind(data.JetFiles.of(folder, split), at_once=20)


def gradients(folder: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """Of the mean loss of all 40 jets, at the network's first weights, by one step of `fit`."""
    net = task.make("lorentz", 0).to(dtype)
    if dtype == torch.float64:
        net.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(), inputs[1]))
    training.fit(net, training.cross_entropy, stream(folder, "train"), epochs=1, batch_size=40, lr=1e-9, progress=False)
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def go(folder: Path, kind: type[data.JetStream] = data.JetStream, checkpoint: Path | None = None) -> dict[str, Any]:
    """Two epochs of four steps, with a checkpoint every second step, from the same weights."""
    torch.manual_seed(0)
    net = Dropped()
    sets = stream(folder, "train", kind), stream(folder, "valid")
    how: dict[str, Any] = {"epochs": 2, "batch_size": 10, "lr": 0.01, "every_steps": 2, "progress": False}
    history = training.fit(net, training.cross_entropy, *sets, checkpoint=checkpoint, device="cpu", **how)
    return {"weights": net.state_dict(), "loss": history.loss, "valid": history.valid}


Killed.__repr__ = data.JetStream.__repr__  # type: ignore[method-assign]  # as for `fit`, which takes it for the same


def work(folder: Path) -> None:
    """In each process: the run that process 1 does not survive the first time, then all the rest."""
    torch.set_num_threads(1)
    rank, restarts = processes.rank(), os.environ["TORCHELASTIC_RESTART_COUNT"]
    path = folder / "run.pt"
    found: dict[str, Any] = {"restarts": restarts}
    if restarts != "0":
        kept = torch.load(path, weights_only=True)
        found["from"] = len(kept["history"]["loss"]), kept["within"]["step"]
    found["in two"] = go(folder, Killed if (rank, restarts) == (1, "0") else data.JetStream, path)
    found["whole"] = go(folder)
    found["gradients"] = {str(dtype): gradients(folder, dtype) for dtype in (torch.float32, torch.float64)}
    train.main([*COMMAND, str(folder / "command.pt"), "--data", str(folder)])
    torch.save(found, folder / f"result {rank}.pt")


Run = tuple[Path, subprocess.CompletedProcess[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def run_of_two(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The folder, how torchrun ended, and what each process found."""
    folder = shards(tmp_path_factory.mktemp("two"))
    done = torchrun(2, "--max-restarts=1", __file__, folder)
    assert done.returncode == 0, done.stderr
    return folder, done, [torch.load(folder / f"result {rank}.pt") for rank in range(2)]


@several
def test_two_processes_have_the_gradients_of_one(run_of_two: Run) -> None:
    """In float64 to 1e-12 of the largest; in float32, whose rounding alone makes 5e-6 of it, as near to those as one process."""
    folder, _, results = run_of_two
    single, double = gradients(folder, torch.float32), gradients(folder, torch.float64)
    largest = max(g.abs().max().item() for g in double.values())
    assert len(double) > 20 and largest > 1e-3
    rounding = apart(single, double) / largest
    assert 0 < rounding < 2e-5
    for one in results:
        assert apart(one["gradients"]["torch.float64"], double) / largest < 1e-12
        assert apart(one["gradients"]["torch.float32"], double) / largest < 3 * rounding


@several
def test_the_command_with_two_processes(run_of_two: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder of shards, which are cut: 40 jets, 6 and 20; the weights of one process."""
    folder, done, _ = run_of_two
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path))
    train.main([*COMMAND, str(tmp_path / "alone.pt"), "--data", str(folder)])
    one, two = (
        torch.load(path, weights_only=True)["weights"] for path in (tmp_path / "alone.pt", folder / "command.pt")
    )
    assert apart(one, two) < 1e-12
    assert "jets           40" in done.stdout and "test jets      20" in done.stdout


@several
def test_torchrun_starts_a_killed_process_again(run_of_two: Run) -> None:
    """Both go on from the checkpoint of step 6 of 8, and end with the bits of a run that nobody killed, dropout included."""
    _, _, results = run_of_two
    for one in results:
        assert one["restarts"] == "1" and one["from"] == (1, 2)
        assert apart(one["in two"]["weights"], one["whole"]["weights"]) == 0
        assert one["in two"]["loss"] == one["whole"]["loss"] and one["in two"]["valid"] == one["whole"]["valid"]
    assert len(set(results[0]["whole"]["loss"])) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_within_an_epoch_goes_on(tmp_path: Path) -> None:
    """kill -9 in the second epoch's last step; from its second step on the run ends with the same bits."""
    folder, path = shards(tmp_path), tmp_path / "run.pt"
    script = f"from pathlib import Path\nfrom {__name__} import *\n"
    script += f"torch.set_num_threads(1)\ngo(Path({str(folder)!r}), Killed, Path({str(path)!r}))\n"
    root = Path(train.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'tools'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = torch.load(path, weights_only=True)
    assert (len(kept["history"]["loss"]), kept["within"]["step"]) == (1, 2)
    whole, parts = go(folder), go(folder, checkpoint=path)
    assert apart(whole["weights"], parts["weights"]) == 0
    assert whole["loss"] == parts["loss"] and whole["valid"] == parts["valid"]


def test_a_checkpoint_of_another_architecture_is_named(tmp_path: Path) -> None:
    """By the first parameter that differs; another order of the data, by what it was."""
    folder, path = shards(tmp_path), tmp_path / "run.pt"
    go(folder, checkpoint=path)
    fit = functools.partial(
        training.fit, loss=training.cross_entropy, epochs=2, batch_size=10, checkpoint=path, lr=0.01
    )
    with pytest.raises(ValueError, match=r"run.pt: parameter '.*' differs: got nothing from the file, expected"):
        fit(task.make("lorentz", 0), train=stream(folder, "train"), every_steps=2, progress=False)
    files = data.JetFiles.of(folder, "train")
    for other in (data.JetStream(files, at_once=10), data.JetStream(files, "lab", at_once=20)):
        with pytest.raises(
            ValueError, match=r"run.pt: setting 'order' differs: got JetStream\(JetFiles\(40 jets, 4 blocks"
        ):
            fit(Dropped(), train=other, valid=stream(folder, "valid"), every_steps=2, progress=False)


def test_a_stream_learns_what_memory_does(tmp_path: Path) -> None:
    """The same jets in another order: a network of their masses finds the tops as well from files."""
    for k in range(10):
        write_shard(tmp_path / f"train{k}.npz", 100 * k, 100)
    whole, valid = data.JetInputs(data.jets("train", number=1000)), data.JetInputs(data.jets("valid", number=300))
    found = []
    for source in (whole, data.JetStream(data.JetFiles.of(tmp_path, "train"), at_once=300)):
        torch.manual_seed(0)
        net = Masses()
        training.fit(net, training.cross_entropy, source, epochs=15, batch_size=50, lr=0.02, progress=False)
        found.append(training.evaluate(net, valid, training.accuracy))
    assert min(found) > 0.8 and abs(np.subtract(*found)) < 0.04, found


class Masses(torch.nn.Module):
    """A network of the jet's mass alone."""

    def __init__(self) -> None:
        super().__init__()
        self.map = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))

    def forward(self, momenta: Tensor, mask: Tensor) -> Tensor:
        plus, minus, x, y = (momenta * mask[..., None]).sum(1).unbind(1)
        mass = (2 * plus * minus - x**2 - y**2).clamp(min=0).sqrt()
        return self.map(mass[:, None] / 100 - 1)


if __name__ == "__main__":
    processes.run(lambda: work(Path(sys.argv[1])))
