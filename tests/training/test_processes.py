"""Several processes end where one does; this file is both the test and what torchrun runs in each process."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from eqlib import data, groups, models, processes, train, training

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="needs torchrun with gloo",
)
LIMIT = {torch.float32: 1e-6, torch.float64: 1e-10}  # largest difference of a weight or running statistic
LONG = 600  # seconds; it takes 10, but only a process that waits for ever may fail on a busy machine
IMAGES, BATCH = 24, 11  # batches of 11, 11 and 2, so shares of 5 + 6, 5 + 6 and 1 + 1


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


def small() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, bias=False),
        torch.nn.BatchNorm2d(4, momentum=0.2),
        torch.nn.Tanh(),
        torch.nn.Dropout2d(0.2),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.3),
        torch.nn.LazyLinear(10),
    )


def vectors(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=g).double(), torch.randn(n, 3, generator=g).double()


def go(model: torch.nn.Module, dtype: torch.dtype, images: int = IMAGES, **options: Any) -> training.History:
    """Train on digits, measured on seven more: two batches, so that the processes share the validation out."""
    part = data.digits(size=13, rotated=True, train=images + 7).train
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
    """What one process and two must agree on: the training, the model, its dtype."""
    found: dict[str, Case] = {}

    def add(name: str, model: str, dtype: torch.dtype, run: Callable[..., Any], **options: Any) -> None:
        found[f"{name} {dtype}"] = functools.partial(run, **options), make(model, dtype), dtype

    for dtype in LIMIT:
        on_digits = functools.partial(go, dtype=dtype)
        # Adam divides small gradients by their own size, and with them the rounding of float32, to 1e-4 in a few steps.
        adam, sgd = torch.optim.Adam, functools.partial(torch.optim.SGD, momentum=0.9)
        optimizer = {"optimizer": sgd, "lr": 0.02} if dtype == torch.float32 else {"optimizer": adam, "lr": 5e-3}
        options = optimizer | {"augment": turn, "schedule": training.cosine}
        for model in ("harmonic", "cnn"):
            add(model, model, dtype, on_digits, **options)
        # The last batch has one row: one of two processes has none. Clipping always acts, and dropout and decay.
        options = {"optimizer": sgd, "lr": 0.1, "clip": 0.05, "weight_decay": 1e-2, "best": "min"}
        add("small", "small", dtype, on_digits, images=2 * BATCH + 1, **options)
    add("compiled", "small", torch.float64, on_digits, epochs=1)
    found[f"compiled {torch.float64}"][1].compile(backend="eager")

    def on_vectors(model: torch.nn.Module, **options: Any) -> training.History:
        return training.fit(model, mse_loss, vectors(11), progress=False, **{"epochs": 3, "batch_size": 7} | options)

    def on_sets(model: torch.nn.Module) -> training.History:
        x, y = torch.randn(9, 6, 4, generator=torch.Generator().manual_seed(0)).double(), vectors(9)[0]
        mask = torch.arange(6) < torch.arange(9)[:, None] % 7
        return training.fit(model, mse_loss, (x, mask, y), epochs=3, batch_size=5, progress=False)

    add("forces", "forces", torch.float64, on_vectors)
    add("masked", "masked", torch.float64, on_sets)
    add("lbfgs", "forces", torch.float64, on_vectors, optimizer=training.lbfgs, lr=1.0, batch_size=11, epochs=2)
    for first, then in ((1, 2), (2, 1)):
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

    (folder / "damaged.pt").write_bytes(b"nothing")
    return {
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
        results[name] = {"loss": history.loss, "valid": history.valid, "weights": model.state_dict()}
    messages = {}
    for name, wrong in failures(folder).items():
        try:
            messages[name] = f"nothing, but {wrong()}"
        except (ValueError, FloatingPointError) as error:
            messages[name] = f"{type(error).__name__}: {error}"
    with contextlib.redirect_stderr(io.StringIO()) as bar:
        training.fit(make("linear"), mse_loss, vectors(4), epochs=1, batch_size=4, checkpoint=folder / f"by {rank}.pt")
    results |= {"messages": messages, "bar": bar.getvalue()}
    torch.save(results, folder / f"result {rank}.pt")


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


def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    """Weights, running statistics and losses: Adam, SGD with clipping, LBFGS; every sort of share; stopped and resumed."""
    alone = cases(tmp_path / "nowhere")
    expected = {name: run(model) for name, (run, model, _) in alone.items()}
    make_half = cases(tmp_path)["1 then 2 torch.float64"]
    make_half[0](make_half[1])

    done = torchrun(2, __file__, "work", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"result {rank}.pt") for rank in (0, 1))
    run, model, _ = cases(tmp_path)["2 then 1 torch.float64"]
    half = run(model)
    first["2 then 1 torch.float64"] = {"loss": half.loss, "valid": half.valid, "weights": model.state_dict()}

    found = {}
    for name, (_, model, dtype) in alone.items():
        assert name.startswith("2 then 1") or apart(first[name]["weights"], second[name]["weights"]) == 0, name
        found[name] = apart(first[name]["weights"], model.state_dict()) / LIMIT[dtype]
        for quantity in ("loss", "valid"):
            values, wanted = first[name][quantity], getattr(expected[name], quantity)
            assert len(set(wanted)) == len(wanted), name
            np.testing.assert_allclose(values, wanted, rtol=0, atol=10 * LIMIT[dtype], err_msg=name)
    print({name: f"{value:.2g}" for name, value in found.items()})
    assert max(found.values()) < 1, found

    assert first["messages"] == second["messages"]
    for name, start in {
        "nan": "FloatingPointError: the loss is nan in epoch 0, step 0",
        "unseeded": "ValueError: model: 'bias' differs between the processes: 0x",
        "settings": "ValueError: fit: 'optimizer.lr' differs between the processes: 0.1, 1.1",
        "epochs": "ValueError: fit: 'epochs' differs between the processes: 1, 2",
        "own mean": "ValueError: model: 'mean' differs between the processes: 0x",
        "augment": "ValueError: augment: got a tensor (3, 3) in a batch of 10, expected tensors of 10 rows",
        "damaged": f"ValueError: {tmp_path / 'damaged.pt'}: got a damaged or foreign file",
        "one row": "ValueError: Expected more than 1 value per channel when training",
    }.items():
        assert first["messages"][name].startswith(start), first["messages"][name]
    assert "100%" in first["bar"] and second["bar"] == ""
    assert (tmp_path / "by 0.pt").exists() and not (tmp_path / "by 1.pt").exists()


@pytest.mark.parametrize(("precision", "limit"), [([], 3e-4), (["--double"], 1e-12)])
def test_the_command_with_three_processes(
    precision: list[str], limit: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`torchrun -m eqlib.train` prints one report, writes one file, and finds what one process finds.

    Its Adam in float32 makes 1e-5 of rounding (cases above), and 1e-2 of a batch that is wrong.
    """
    command = ["digits", "--model", "cnn-augmented", "--images", "40", "--steps", "3", *precision, "--weights"]
    train.main([*command, str(tmp_path / "one.pt")])
    report = json.loads(capsys.readouterr().out)
    done = torchrun(3, "-m", "eqlib.train", *command, tmp_path / "three.pt")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) | {k: report[k] for k in ("seconds", "cpu_seconds")} == report
    one, three = (torch.load(tmp_path / name, weights_only=True)["weights"] for name in ("one.pt", "three.pt"))
    assert apart(one, three) < limit


def test_a_process_that_fails_ends_the_others(tmp_path: Path) -> None:
    """With its message; were the other left waiting, torchrun would not end within the limit."""
    done = torchrun(2, __file__, "break")
    assert done.returncode != 0 and "ValueError: this disk is worn out" in done.stderr


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
@pytest.mark.parametrize("drop", sorted(processes.DROPOUTS, key=lambda f: f.__name__))
def test_shares_and_dropout_of_three(n: int, drop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares in order make up the batch, weights 1, and what three processes drop is what one drops."""
    assert processes.share(n) == (slice(0, n), 1.0)
    x = torch.randn(n, 4, *{"dropout1d": [6], "dropout3d": [2, 2, 2]}.get(drop.__name__, [3, 3]))
    torch.manual_seed(0)
    whole, state = drop(x, 0.4, True), torch.get_rng_state()
    monkeypatch.setattr(processes, "size", lambda: 3)
    rows, weights, parts = [], [], []
    sizes = torch.tensor([n // 3, 2 * n // 3 - n // 3, n - 2 * n // 3])
    monkeypatch.setattr(processes, "total", lambda value: sizes)
    for rank in range(3):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        torch.manual_seed(0)
        share, weight = processes.share(n)
        with processes.whole_batch(weight):
            part = drop(x[share], 0.4, True)
        assert torch.equal(torch.get_rng_state(), state) and part.shape == x[share].shape
        weights.append(weight)
        if weight:
            rows += range(n)[share]
            parts.append(part)
    assert rows == list(range(n)) and abs(sum(weights) - 1) < 1e-15
    assert torch.equal(torch.cat(parts), whole)


if __name__ == "__main__":
    if sys.argv[1] == "work":
        processes.run(lambda: work(Path(sys.argv[2])))
    else:
        breaking = functools.partial(training.fit, make("linear"), mse_loss, OneBreaks(), epochs=1, batch_size=8)
        processes.run(lambda: print(breaking(progress=False)))
