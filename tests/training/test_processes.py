"""Several processes end where one does; this file is both the test and what torchrun runs in each process."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import Tensor
from torch.nn.functional import mse_loss

from eqlib import data, groups, models, processes, train, training

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torchrun with gloo",
)
LIMIT = {torch.float32: 1e-6, torch.float64: 1e-10}  # largest difference of a weight or running statistic
LONG = 600  # seconds; it takes 10, but only a process that waits for ever may fail on a busy machine
COMMAND = ("digits", "--model", "cnn-augmented", "--images", "40", "--steps", "3", "--weights")
PRECISION = {"": 3e-4, " --double": 1e-12}  # Adam in float32 makes 1e-5 of rounding, and 1e-2 of a batch that is wrong
IMAGES, BATCH = 24, 11  # batches of 11, 11 and 2, so shares of 3 + 4 + 4, again, and 0 + 1 + 1


class Forces(torch.nn.Module):
    """Minus the gradient of an energy that is normalised over the batch: training differentiates twice."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(3, 5, bias=False), torch.nn.BatchNorm1d(5), torch.nn.Tanh(), torch.nn.Linear(5, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        with torch.enable_grad():
            return -torch.autograd.grad(self.net(x).sum(), x, create_graph=True)[0]


class Masked(torch.nn.Module):
    """Statistics over the entries that are there, of which each row has another number."""

    running: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.map = torch.nn.Linear(4, 3, bias=False)
        self.register_buffer("running", torch.zeros(3))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        weight = mask[..., None].to(x.dtype)
        x = self.map(x)
        if self.training:
            mean = processes.batch_mean(x, (0, 1), weight)
            self.running.lerp_(mean.detach(), 0.1)
            x = x - mean
        return (x.tanh() * weight).sum(1)


class OwnMean(torch.nn.Module):
    """A layer that takes the mean of the rows it sees, as under torchrun no layer may."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.map = torch.nn.Linear(3, 3)
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.copy_(x.detach().mean(0))
        return self.map(x - self.mean)


class Sometimes(torch.nn.Module):
    """Rows of one kind take another way, which the share of one process may lack, so that its gradients are ready earlier.

    That way is wide: torch sends its gradients by themselves, on one process before the sums of the batch normalisation
    and on the other one after. One more layer's output is not used by the loss, and one parameter is used by nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.map, self.norm = torch.nn.Linear(3, 3, bias=False), torch.nn.BatchNorm1d(3, momentum=None)
        self.out, self.more = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.never = torch.nn.Parameter(torch.ones(3))
        self.wide = torch.nn.Sequential(torch.nn.Linear(3, 50_000), torch.nn.Linear(50_000, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = (x[:, 0] > 0).nonzero()[:, 0]
        other = self.wide(x[rows]) if len(rows) else None
        y = self.map(x)
        y = y if other is None else y.index_add(0, rows, other)
        y = self.norm(y)
        return self.out(y), self.more(y)


class Draws(torch.nn.Module):
    """Draws a random number in each step, as dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.map, self.drawn = torch.nn.Linear(3, 3), list[float]()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.drawn.append(float(torch.rand(())))
        return self.map(torch.nn.functional.dropout(x, 0.4, self.training))


def small() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, bias=False),
        torch.nn.BatchNorm2d(4, momentum=0.2),
        torch.nn.Tanh(),
        torch.nn.Flatten(),
        torch.nn.LazyLinear(10),
    )


@functools.cache
def digits(number: int) -> data.Split:
    return data.digits(size=13, rotated=True, train=number).train


def of_first(output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
    return mse_loss(output[0], target)


def vectors(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=g).double(), torch.randn(n, 3, generator=g).double()


def go(model: torch.nn.Module, dtype: torch.dtype, images: int = IMAGES, **options: Any) -> training.History:
    """Train on digits, measured on seven more: two batches, so that processes share the validation out."""
    part = digits(images + 7)
    x, y = torch.as_tensor(part.images, dtype=dtype), torch.as_tensor(part.labels)
    options = {"epochs": 3, "batch_size": BATCH, "progress": False} | options
    valid = x[images:], y[images:]
    return training.fit(model, training.cross_entropy, (x[:images], y[:images]), valid, **options)


def turn(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """A turn for each image, and one number for the batch as a whole."""
    images, labels = batch
    angles = torch.rand(len(images), generator=generator) * 6 + torch.rand(1, generator=generator)
    return torch.as_tensor(data.rotate(images.numpy(), angles.numpy())).to(images.dtype), labels


def make(name: str, dtype: torch.dtype = torch.float64) -> torch.nn.Module:
    kinds: dict[str, Callable[[], torch.nn.Module]] = {
        "harmonic": lambda: models.HarmonicNet(groups.SO2(), ("3x0+2x1+1x2", "4x0+2x1")),
        "cnn": lambda: models.PlainCNN(6, blocks=2),
        "small": small,
        "linear": lambda: torch.nn.Linear(3, 3),
        "forces": Forces,
        "masked": Masked,
        "sometimes": Sometimes,
        "draws": Draws,
        "own mean": OwnMean,
    }
    torch.manual_seed(0)
    model = kinds[name]()
    if name == "small":
        model(torch.zeros(2, 1, 13, 13))  # gives the lazy layer its size
        model[1].reset_running_stats()
    return model.to(dtype)


Case = tuple[Callable[..., training.History], torch.nn.Module, torch.dtype]


def cases(folder: Path) -> dict[str, Case]:
    """What one process and three must agree on: the training, the model, its dtype."""
    found: dict[str, Case] = {}

    def add(name: str, model: str, dtype: torch.dtype, run: Callable[..., Any], **options: Any) -> None:
        found[f"{name} {dtype}"] = functools.partial(run, **options), make(model, dtype), dtype

    for dtype in LIMIT:
        on_digits = functools.partial(go, dtype=dtype)
        # Adam divides small gradients by their own size, and with them the rounding of float32, to 1e-4 in a few steps.
        adam, sgd = torch.optim.Adam, functools.partial(torch.optim.SGD, momentum=0.9)
        optimizer = {"optimizer": sgd, "lr": 0.01} if dtype == torch.float32 else {"optimizer": adam, "lr": 5e-3}
        options = optimizer | {"augment": turn, "schedule": training.cosine}
        for model in ("harmonic", "cnn"):
            add(model, model, dtype, on_digits, **options)
        # The last batch has one row: two of three processes have none. Clipping always acts, and decay.
        options = {"optimizer": sgd, "lr": 0.1, "clip": 0.05, "weight_decay": 1e-2, "best": "min"}
        add("small", "small", dtype, on_digits, images=2 * BATCH + 1, **options)
    add("compiled", "small", torch.float64, on_digits, epochs=1)
    found[f"compiled {torch.float64}"][1].compile(backend="eager")

    def on_vectors(model: torch.nn.Module, loss: Any = mse_loss, **options: Any) -> training.History:
        return training.fit(model, loss, vectors(11), progress=False, **{"epochs": 3, "batch_size": 7} | options)

    def on_sets(model: torch.nn.Module) -> training.History:
        x, y = torch.randn(9, 6, 4, generator=torch.Generator().manual_seed(0)).double(), vectors(9)[0]
        mask = torch.arange(6) < torch.arange(9)[:, None] % 7
        return training.fit(model, mse_loss, (x, mask, y), epochs=3, batch_size=5, progress=False)

    add("forces", "forces", torch.float64, on_vectors)
    add("masked", "masked", torch.float64, on_sets)
    add("sometimes", "sometimes", torch.float64, on_vectors, loss=of_first, batch_size=4, optimizer=torch.optim.SGD)
    add("lbfgs", "forces", torch.float64, on_vectors, optimizer=training.lbfgs, lr=1.0, batch_size=11, epochs=2)
    for first, then in ((1, 3), (3, 1)):
        path = folder / f"{first}.pt"
        add(f"{first} then {then}", "small", torch.float64, _resumed, path=path, first=first, then=then)
    return found


def _resumed(model: torch.nn.Module, path: Path, first: int, then: int) -> training.History:
    """With a checkpoint's path the two halves of a run, each where there are so many processes; else the whole run."""
    here = functools.partial(go, model, torch.float64, augment=turn, best="min", lr=0.02)
    if not path.parent.exists():
        return here(epochs=4)
    if processes.size() == first:
        here(epochs=2, checkpoint=path)
    return here(epochs=4, checkpoint=path) if processes.size() == then else training.History()


def failures(folder: Path) -> dict[str, Callable[[], Any]]:
    """What every process must refuse, for it is wrong in one of them, or in all."""
    x, y = vectors(10)
    bad = x.clone()
    bad[9] = math.nan  # in the share of one process
    rank = processes.rank()

    def fit(model: torch.nn.Module, loss: Any = mse_loss, train: Any = (x, y), **options: Any) -> training.History:
        return training.fit(model, loss, train, epochs=1, batch_size=10, progress=False, **options)

    def unseeded() -> torch.nn.Module:
        model = make("linear")
        with torch.no_grad():
            model.bias += rank
        return model

    def taken() -> training.History:
        with FileLock(folder / "taken.pt.lock") if rank == 0 else contextlib.nullcontext():
            return fit(make("linear"), checkpoint=folder / "taken.pt")

    (folder / "damaged.pt").write_bytes(b"nothing")
    return {
        "taken": taken,
        "folder": lambda: fit(make("linear"), checkpoint=folder / "none" / "c.pt"),
        "nan": lambda: fit(make("linear"), train=(bad, y)),
        "unseeded": lambda: fit(unseeded()),
        "settings": lambda: fit(make("linear"), lr=0.1 + rank),
        "epochs": lambda: training.fit(make("linear"), mse_loss, (x, y), epochs=1 + rank, batch_size=4),
        "own mean": lambda: fit(make("own mean")),
        "augment": lambda: fit(make("linear"), augment=lambda batch, generator: (batch[0], batch[1][:3])),
        "damaged": lambda: fit(make("linear"), checkpoint=folder / "damaged.pt"),
        "one row": lambda: training.fit(make("forces"), mse_loss, vectors(1), epochs=1, batch_size=4, progress=False),
    }


def work(folder: Path) -> None:
    """In each process: train, and write down the results."""
    torch.set_num_threads(1)
    rank, results = processes.rank(), {}
    for name, (run, model, _) in cases(folder).items():
        history = run(model)
        assert not any("forward" in vars(module) for module in model.modules()), "statistics of one process again"
        results[name] = {"loss": history.loss, "valid": history.valid, "weights": model.state_dict()}
        if name.startswith("sometimes"):
            results[name]["none"] = [k for k, p in model.named_parameters() if p.grad is None]
            if rank == 0:  # nothing is left that waits for the other processes
                of_first(model.eval()(vectors(4)[0]), vectors(4)[1]).backward()
    messages = {}
    for name, wrong in failures(folder).items():
        try:
            messages[name] = f"nothing, but {wrong()}"
        except (ValueError, FloatingPointError) as error:
            messages[name] = f"{type(error).__name__}: {error}"
    with contextlib.redirect_stderr(io.StringIO()) as bar:
        training.fit(make("linear"), mse_loss, vectors(4), epochs=1, batch_size=4, checkpoint=folder / f"by {rank}.pt")
    results |= {"messages": messages, "bar": bar.getvalue()} | draws(folder)
    results["predicted"] = training.predict(make("small"), (torch.zeros(5, 1, 13, 13).double(), torch.zeros(5)), 2)
    for precision in PRECISION:
        place = folder / f"command{precision}"
        train.main([*COMMAND, f"{place}.pt", "--json", f"{place}.json", *precision.split()])
    torch.save(results, folder / f"result {rank}.pt")
    training.fit(make("linear"), mse_loss, OneBreaks(), epochs=1, batch_size=8, progress=False)


def draws(folder: Path) -> dict[str, Any]:
    """The random numbers and the weights of a run, and of the same run stopped half-way."""
    whole, half = make("draws"), make("draws")
    for model, epochs, path in ((whole, 4, None), (half, 2, folder / "half.pt"), (half, 4, folder / "half.pt")):
        training.fit(
            model, mse_loss, vectors(8), epochs=epochs, batch_size=4, checkpoint=path, progress=False, device="cpu"
        )
    assert isinstance(whole, Draws) and isinstance(half, Draws)
    return {"drawn": whole.drawn, "drawn in two": half.drawn, "whole": whole.state_dict(), "in two": half.state_dict()}


class OneBreaks:
    """Data that one process cannot read while the other waits for its sum."""

    def __len__(self) -> int:
        return 8

    def batch(self, indices: Any) -> tuple[Any, ...]:
        if processes.rank() == 1:
            raise ValueError("this disk is worn out")
        return tuple(v[indices] for v in vectors(8))


def torchrun(processes: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command that the name torchrun stands for."""
    root = str(Path(train.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=LONG
    )


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max((one[k].double() - other[k].double()).abs().max().item() for k in one)


Run = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run_of_three(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The folder in which three processes did all their work, and how they ended: it is their start that takes long."""
    folder = tmp_path_factory.mktemp("three")
    run, model, _ = cases(folder)["1 then 3 torch.float64"]
    run(model)
    return folder, torchrun(3, __file__, folder)


def results(run_of_three: Run) -> list[dict[str, Any]]:
    folder, done = run_of_three
    assert (folder / "result 2.pt").exists(), done.stderr
    return [torch.load(folder / f"result {rank}.pt") for rank in range(3)]


def test_three_processes_end_where_one_does(run_of_three: Run, tmp_path: Path) -> None:
    """Weights, running statistics and losses: Adam, SGD with clipping, LBFGS; every sort of share; stopped and resumed."""
    alone = cases(tmp_path / "nowhere")
    expected = {name: run(model) for name, (run, model, _) in alone.items()}
    first, *others = results(run_of_three)
    run, model, _ = cases(run_of_three[0])["3 then 1 torch.float64"]
    half = run(model)
    first["3 then 1 torch.float64"] = {"loss": half.loss, "valid": half.valid, "weights": model.state_dict()}

    found = {}
    for name, (_, model, dtype) in alone.items():
        for other in others if not name.startswith("3 then 1") else ():
            assert apart(first[name]["weights"], other[name]["weights"]) == 0, name
        found[name] = apart(first[name]["weights"], model.state_dict()) / LIMIT[dtype]
        for quantity in ("loss", "valid"):
            values, wanted = first[name][quantity], getattr(expected[name], quantity)
            assert len(set(wanted)) == len(wanted), name
            np.testing.assert_allclose(values, wanted, rtol=0, atol=10 * LIMIT[dtype], err_msg=name)
    print({name: f"{value:.2g}" for name, value in found.items()})
    assert max(found.values()) < 1, found
    for one in (first, *others):  # in the last batch one process has a row that takes the wide way
        assert one["sometimes torch.float64"]["none"] == ["never", "more.weight", "more.bias"]
        assert torch.equal(first["predicted"], one["predicted"]) and len(first["predicted"]) == 5


def test_what_is_wrong_in_one_process_is_refused_by_all(run_of_three: Run) -> None:
    first, *others = results(run_of_three)
    folder = run_of_three[0]
    for name, start in {
        "nan": "FloatingPointError: the loss is nan in epoch 0, step 0",
        "unseeded": "ValueError: model: 'bias' differs between the processes: 0x",
        "settings": "ValueError: fit: 'optimizer.lr' differs between the processes: 0.1, 1.1, 2.1",
        "epochs": "ValueError: fit: 'epochs' differs between the processes: 1, 2, 3",
        "own mean": "ValueError: model: 'mean' differs between the processes: 0x",
        "augment": "ValueError: augment: got a tensor (3, 3) in a batch of 10, expected tensors of 10 rows",
        "damaged": f"ValueError: {folder / 'damaged.pt'}: got a damaged or foreign file",
        "one row": "ValueError: Expected more than 1 value per channel when training",
        "taken": f"ValueError: checkpoint: got '{folder / 'taken.pt'}', expected a file that no other run is writing",
        "folder": f"ValueError: checkpoint: got '{folder / 'none' / 'c.pt'}', expected a file in a folder that is there",
    }.items():
        assert first["messages"][name].startswith(start), first["messages"][name]
    assert all(first["messages"] == other["messages"] for other in others)
    assert "100%" in first["bar"] and not any(other["bar"] for other in others)
    assert {p.name for p in folder.glob("by*")} == {"by 0.pt"}


def test_each_process_draws_its_own_numbers(run_of_three: Run) -> None:
    """Or dropout would leave out the same places in each share; after a stop every process draws what it would have."""
    found = results(run_of_three)
    model = make("draws")
    training.fit(model, mse_loss, vectors(8), epochs=1, batch_size=4, progress=False)
    assert isinstance(model, Draws) and found[0]["drawn"][0] == model.drawn[0]
    assert len({number for one in found for number in one["drawn"]}) == 24
    for one in found:
        assert one["drawn in two"] == one["drawn"]
        assert apart(one["in two"], one["whole"]) == 0 and apart(one["whole"], found[0]["whole"]) == 0


def test_a_process_that_fails_ends_the_others(run_of_three: Run) -> None:
    """With its message; were the others left waiting, torchrun would not end within the limit."""
    assert results(run_of_three) and run_of_three[1].returncode != 0
    assert "ValueError: this disk is worn out" in run_of_three[1].stderr


def test_the_command_with_three_processes(run_of_three: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints one report, writes one file, and finds what one process finds; `-m eqlib.train` hands it to `run`."""
    assert results(run_of_three)
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path / "cache"))
    assert run_of_three[1].stdout.count("model          cnn-augmented") == len(
        PRECISION
    )  # a table each, from process 0
    for precision, limit in PRECISION.items():
        files = tmp_path / "one.pt", run_of_three[0] / f"command{precision}.pt"
        train.main([*COMMAND, str(files[0]), "--json", str(files[0].with_suffix(".json")), *precision.split()])
        report, shared = (json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in files)
        assert shared | {k: report[k] for k in ("seconds", "cpu_seconds")} == report
        one, three = (torch.load(path, weights_only=True)["weights"] for path in files)
        assert apart(one, three) < limit
    handed: list[Callable[[], None]] = []
    monkeypatch.setattr(processes, "run", handed.append)
    runpy.run_path(train.__file__, run_name="__main__")
    assert [main.__name__ for main in handed] == ["main"]


def test_torch_without_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some builds have none: one process works, and several are refused in words."""
    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    monkeypatch.setattr(torch.distributed, "is_initialized", None)
    calls: list[int] = []
    processes.run(lambda: calls.append(processes.size()))
    assert calls == [1] and processes.rank() == 0
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(ValueError, match="this build of torch has no gloo"):
        processes.run(lambda: calls.append(2))
    assert calls == [1]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shares_of_three(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares in order make up the batch, weights 1; a process without rows takes one of weight 0."""
    assert processes.share(n) == (slice(0, n), 1.0)
    monkeypatch.setattr(processes, "size", lambda: 3)
    rows, weights = [], []
    for rank in range(3):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        share, weight = processes.share(n)
        assert len(range(n)[share]) >= 1
        weights.append(weight)
        rows += range(n)[share] if weight else []
    assert rows == list(range(n)) and abs(sum(weights) - 1) < 1e-15


if __name__ == "__main__":
    processes.run(lambda: work(Path(sys.argv[1])))
