"""The training loop: it learns, draws only its own numbers, and resumes with the very same bits."""

import dataclasses
import functools
import itertools
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from eqlib import groups, tasks, training
from eqlib import nn as eqnn
from eqlib.training import batches, checkpoint, devices, report

torch.set_num_threads(1)


def make_model(hidden=8, seed=0):
    """Dropout draws numbers and batch normalisation has buffers: both must survive a stop."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(4, hidden), nn.BatchNorm1d(hidden), nn.Tanh(), nn.Dropout(0.3), nn.Linear(hidden, 3)
        )


def make_data(n=50, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=g)
    return x, x[:, :3].argmax(1)


def jitter(batch, generator):
    x, y = batch
    return x + 0.1 * torch.randn(x.shape, generator=generator), y


run = functools.partial(
    training.fit,
    loss=cross_entropy,
    train=make_data(),
    valid=make_data(30, 1),
    batch_size=16,
    lr=0.02,
    weight_decay=1e-3,
    augment=jitter,
    clip=1.0,
    metric=training.accuracy,
    best="max",
    progress=False,
)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_learns():
    model = make_model()
    history = run(model, epochs=30)
    assert len(history.loss) == len(history.valid) == len(history.lr) == len(history.seconds) == 30
    assert history.loss[-1] < 0.6 * history.loss[0]
    assert training.evaluate(model, make_data(30, 1), training.accuracy) > 0.8


def test_lbfgs_solves_what_has_a_solution():
    """Least squares to the last digits in few steps, the loss being evaluated many times a step; no weight decay."""
    x, _ = make_data()
    torch.manual_seed(0)
    model, wanted = nn.Linear(4, 2).double(), torch.randn(4, 2).double()
    data = (x.double(), x.double() @ wanted + 1)
    history = training.fit(
        model, mse_loss, data, epochs=4, batch_size=50, optimizer=training.lbfgs, lr=1.0, progress=False
    )
    assert history.loss[-1] < 1e-20 < history.loss[0]
    assert torch.allclose(model.weight.T, wanted, atol=1e-10)
    with pytest.raises(ValueError, match=r"weight_decay: got 0\.1, expected 0"):
        training.lbfgs(model.parameters(), lr=1.0, weight_decay=0.1)


def test_the_caller_s_random_numbers_are_untouched_and_do_not_matter():
    torch.manual_seed(5)
    before, (one, two, other) = torch.get_rng_state(), (make_model() for _ in range(3))
    run(one, epochs=2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    run(two, epochs=2)
    run(other, epochs=2, seed=1)
    assert same(one, two) and not same(one, other)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, functools.partial(torch.optim.SGD, momentum=0.9)])
def test_three_epochs_and_three_more_are_six(tmp_path, optimizer):
    go = functools.partial(run, optimizer=optimizer)
    whole, parts = make_model(), make_model()
    expected = go(whole, epochs=6)
    go(parts, epochs=3, checkpoint=tmp_path / "c.pt")
    parts = make_model(seed=9)  # nothing of the first process is left
    torch.manual_seed(99)
    assert go(parts, epochs=6, checkpoint=tmp_path / "c.pt") == expected
    assert same(whole, parts)
    assert len({*expected.loss}) == 6


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop", [3, 9, 14])
def test_a_run_stopped_within_an_epoch_ends_with_the_same_bits(tmp_path, stop):
    go = functools.partial(run, epochs=6, schedule=training.cosine, every=2)
    whole, model = make_model(), make_model()
    expected = go(whole)
    path, calls = tmp_path / "sub" / "c.pt", []
    path.parent.mkdir()

    def jitter_then_stop(batch, generator):
        calls.append(1)
        if len(calls) == stop:
            raise Stop
        return jitter(batch, generator)

    jitter_then_stop.__qualname__ = jitter.__qualname__
    with pytest.raises(Stop):
        go(model, augment=jitter_then_stop, checkpoint=path)
    done = len(torch.load(path, weights_only=True)["history"]["loss"])
    assert done == (2 if stop > 8 else 0)  # four steps an epoch, a file at the start and every second epoch
    again = make_model()
    assert go(again, checkpoint=path) == expected
    assert same(whole, again)
    assert [p.name for p in path.parent.iterdir()] == ["c.pt"]


class Ordered:
    """Examples with an order of their own: two halves one after the other, each shuffled."""

    def __init__(self, arrays, name="halves"):
        self.arrays, self.name = arrays, name

    def __len__(self):
        return len(self.arrays[0])

    def __repr__(self):
        return f"Ordered({self.name})"

    def batch(self, indices):
        return tuple(a[indices] for a in self.arrays)

    def batches(self, size, generator):
        half = len(self) // 2
        orders = torch.randperm(half, generator=generator), half + torch.randperm(len(self) - half, generator=generator)
        return iter(torch.cat(orders).split(size))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("stop", [2, 3, 4, 6, 11])
def test_a_run_goes_on_within_an_epoch_with_the_same_bits(tmp_path, stop, ordered):
    """From the last checkpoint, two steps apart; the augmentation and dropout draw on, the loss of the epoch is whole."""
    source = Ordered(make_data()) if ordered else make_data()
    go = functools.partial(run, train=source, epochs=3, schedule=training.cosine, every_steps=2)
    whole, model, seen, path = make_model(), make_model(), [], tmp_path / "c.pt"
    expected = go(whole)

    def jitter_then_stop(batch, generator):
        seen.append(1)
        if len(seen) == stop:
            raise Stop
        return jitter(batch, generator)

    jitter_then_stop.__qualname__ = jitter.__qualname__
    with pytest.raises(Stop):
        go(model, augment=jitter_then_stop, checkpoint=path)
    kept = torch.load(path, weights_only=True)
    steps = len(kept["history"]["loss"]) * 4 + kept["within"]["step"]
    assert steps == (stop - 1) // 2 * 2
    again = make_model(seed=9)
    torch.manual_seed(99)
    assert go(again, checkpoint=path) == expected
    assert same(whole, again)
    with_none = make_model()
    assert run(with_none, train=source, epochs=3, schedule=training.cosine) == expected  # nothing hangs on every_steps
    assert same(whole, with_none)


def test_what_a_run_within_an_epoch_cannot_go_on_with(tmp_path):
    """Fewer epochs than have begun, other pauses, another order of the data."""
    path = tmp_path / "c.pt"

    def stop_at_7(batch, generator, seen=[]):  # noqa: B006
        seen.append(1)
        if len(seen) == 7:
            raise Stop
        return jitter(batch, generator)

    stop_at_7.__qualname__ = jitter.__qualname__
    go = functools.partial(run, train=Ordered(make_data()), checkpoint=path, every_steps=2)
    with pytest.raises(Stop):
        go(make_model(), epochs=3, augment=stop_at_7)
    for options, message in (
        ({"epochs": 1}, r"epochs: got 1, expected at least the 2 of .*c.pt"),
        ({"epochs": 3, "every_steps": 3}, r"c.pt: setting 'every_steps' differs: got 2 from the file, expected 3"),
        (
            {"epochs": 3, "train": Ordered(make_data(), "thirds")},
            r"'order' differs: got Ordered\(halves\) from the file",
        ),
        (
            {"epochs": 3, "train": make_data()},
            r"'order' differs: got Ordered\(halves\) from the file, expected nothing",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            go(make_model(), **options)
    model = make_model()
    assert len(go(model, epochs=2).loss) == 2


def test_a_killed_process_resumes(tmp_path):
    """The process ends at once, in the middle of writing a checkpoint: the previous one is whole."""
    script = tmp_path / "job.py"
    script.write_text(
        "import os, sys, torch\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_loop import run, make_model\n"
        "save, count = torch.save, []\n"
        "def killed(content, file):\n"
        "    count.append(1)\n"
        "    if len(count) == 4:\n"
        "        file.write(b'half of it'); file.flush(); os._exit(9)\n"
        "    save(content, file)\n"
        "torch.save = killed\n"
        f"run(make_model(), epochs=5, checkpoint={str(tmp_path / 'c.pt')!r})\n",
        encoding="utf-8",
    )
    root = str(Path(training.__file__).parents[2])
    done = subprocess.run([sys.executable, script], env=os.environ | {"PYTHONPATH": root}, timeout=120)
    assert done.returncode == 9 and (tmp_path / "c.pt.lock").exists()  # which must not keep the next run away
    assert len(torch.load(tmp_path / "c.pt", weights_only=True)["history"]["loss"]) == 2
    whole, model = make_model(), make_model(seed=3)
    assert run(model, epochs=5, checkpoint=tmp_path / "c.pt") == run(whole, epochs=5)
    assert same(whole, model)


def test_a_finished_run_is_loaded_not_trained_and_resume_false_starts_over(tmp_path):
    path, model, again, fresh = tmp_path / "c.pt", make_model(), make_model(seed=1), make_model(seed=1)
    history = run(model, epochs=2, checkpoint=path)
    assert run(again, epochs=2, checkpoint=path) == history and same(model, again)
    run(fresh, epochs=2, checkpoint=path, resume=False)
    assert not same(model, fresh)


def test_the_best_weights_are_kept(tmp_path):
    model, first = make_model(), make_model()
    history = run(model, epochs=8, lr=0.05)
    best = max(history.valid)
    assert history.best_epoch == history.valid.index(best) and best > min(history.valid)
    assert training.evaluate(model, make_data(30, 1), training.accuracy) == best
    lowest = run(first, epochs=8, lr=0.05, best="min", metric=None)
    assert lowest.best_epoch == lowest.valid.index(min(lowest.valid))
    last = make_model()
    assert run(last, epochs=8, lr=0.05, best=None).best_epoch is None and not same(last, model)


def test_the_schedule_multiplies_the_rate():
    history = run(make_model(), epochs=4, lr=0.1, schedule=lambda t: 1 - t)
    np.testing.assert_allclose(history.lr, [0.1 * (1 - (4 * e + 3) / 16) for e in range(4)])
    assert training.cosine(0) == 1 and abs(training.cosine(0.5) - 0.5) < 1e-12 and abs(training.cosine(1)) < 1e-12


def test_a_model_that_was_evaluated_is_trained_in_training_mode():
    one, two = make_model(), make_model().eval()
    run(one, epochs=2)
    run(two, epochs=2)
    assert same(one, two)


def test_clip_bounds_the_gradient():
    model = nn.Linear(1, 1, bias=False)
    start = model.weight.item()
    data = torch.full((4, 1), 100.0), torch.full((4, 1), 1e4)
    options = {"epochs": 1, "batch_size": 4, "optimizer": torch.optim.SGD, "lr": 0.5, "progress": False}
    training.fit(model, mse_loss, data, clip=0.1, **options)
    assert abs(model.weight.item() - start - 0.05) < 1e-5


def test_evaluate_weighs_uneven_batches_and_leaves_the_model_as_it_was():
    model, (x, y) = make_model(), make_data()
    model[1].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    value = training.evaluate(model, (x, y), cross_entropy, batch_size=16)
    assert [m.training for m in model] == [True, False, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    with torch.no_grad():
        assert abs(value - cross_entropy(model.eval()(x), y).item()) < 1e-6


class Pairs:
    """Examples of different sizes, put together by the data set itself, with a target of two parts."""

    def __init__(self, n):
        self.items = [np.random.default_rng(i).normal(size=(i % 3 + 1, 2)).astype(np.float32) for i in range(n)]

    def __len__(self):
        return len(self.items)

    def batch(self, indices):
        points = np.concatenate([self.items[i] for i in indices])
        owner = np.repeat(np.arange(len(indices)), [len(self.items[i]) for i in indices])
        sums = np.stack([self.items[i].sum(0) for i in indices])
        return points, owner, (sums[:, 0], sums[:, 1])


class SumOverPoints(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(2, 2, bias=False)

    def forward(self, points, owner):
        return torch.zeros(int(owner.max()) + 1, 2).index_add(0, owner, self.map(points)).unbind(1)


def both(output, target):
    return mse_loss(output[0], target[0]) + mse_loss(output[1], target[1])


def test_a_data_set_may_collate_its_own_batches():
    model = SumOverPoints()
    training.fit(model, both, Pairs(40), epochs=40, batch_size=7, lr=0.05, progress=False)
    assert training.evaluate(model, Pairs(20), both, 6) < 1e-3
    torch.testing.assert_close(model.map.weight.detach(), torch.eye(2), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            make_model(9),
            {},
            r"c\.pt: parameter '0\.weight' differs: got \(8, 4\) .*float32 from the file, expected \(9, 4\)",
        ),
        (nn.Sequential(nn.Linear(4, 8)), {}, r"'1\.weight' differs: got \(8,\) torch.float32 .*expected nothing"),
        (nn.Sequential(*make_model(), nn.Linear(3, 3)), {}, r"'5\.weight' differs: got nothing .*expected \(3, 3\)"),
        (
            make_model().double(),
            {},
            r"'0\.weight' differs: got \(8, 4\) torch\.float32 .*expected \(8, 4\) torch\.float64",
        ),
        (make_model(), {"lr": 0.01}, r"setting 'optimizer\.lr' differs: got 0\.02 from the file, expected 0\.01"),
        (make_model(), {"batch_size": 10}, r"setting 'batch_size' differs: got 16 from the file, expected 10"),
        (make_model(), {"augment": None}, r"setting 'augment' differs: got jitter from the file, expected None"),
        (make_model(), {"seed": 3}, r"setting 'seed' differs: got 0 from the file, expected 3"),
        (
            make_model(),
            {"schedule": training.cosine},
            r"setting 'epochs' differs: got nothing from the file, expected 2",
        ),
        (make_model(), {"epochs": 1}, r"epochs: got 1, expected at least the 2 of .*c\.pt"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, model, options, message):
    run(make_model(), epochs=2, checkpoint=tmp_path / "c.pt")
    with pytest.raises(ValueError, match=message):
        run(model, **{"epochs": 2, "checkpoint": tmp_path / "c.pt"} | options)


def test_a_loss_that_is_not_finite_stops_the_run_and_spares_the_checkpoint(tmp_path):
    x, y = make_data()
    run(make_model(), epochs=2, checkpoint=tmp_path / "c.pt")
    before = (tmp_path / "c.pt").read_bytes()
    x = x.clone()
    x[7] = math.nan
    with pytest.raises(FloatingPointError, match=r"the loss is nan in epoch 2, step \d, at learning rate 0\.02"):
        run(make_model(), train=(x, y), epochs=4, checkpoint=tmp_path / "c.pt")
    assert (tmp_path / "c.pt").read_bytes() == before


def test_a_parameter_that_is_not_finite_stops_the_run():
    model = nn.Linear(1, 1)
    data = torch.ones(4, 1), torch.full((4, 1), 1e4)
    with pytest.raises(FloatingPointError, match="parameter 'weight' is not finite after epoch 0"):
        training.fit(model, mse_loss, data, epochs=1, batch_size=4, optimizer=torch.optim.SGD, lr=1e38, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: got 0, expected at least 1"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"every": 0}, "every: got 0"),
        ({"every_steps": 0}, "every_steps: got 0, expected at least 1"),
        ({"every_steps": 2.5}, "every_steps: got 2.5, expected an integer"),
        ({"best": "low"}, "best: got 'low'"),
        ({"best": "max", "valid": None}, "together with valid="),
        ({"epochs": 1.5}, "epochs: got 1.5, expected an integer"),
        ({"lr": 0.0}, "lr: got 0.0, expected a finite number above 0"),
        ({"lr": math.inf}, "lr: got inf, expected a finite"),
        ({"weight_decay": -1.0}, "weight_decay: got -1.0, expected a finite number, at least 0"),
        ({"clip": 0.0}, "clip: got 0.0, expected None or a number above 0"),
        ({"epoch": 3}, "options: got 'epoch', expected fields of Recipe: epochs, batch_size, optimizer, lr"),
        ({"recipe": {"epochs": 3}}, "recipe: got a dict, expected a Recipe or None"),
        ({"device": "tpu"}, "device: got 'tpu', expected one of those that are here: .*cpu"),
        (
            {"train": (torch.zeros(3, 4), torch.zeros(2))},
            r"train: got shapes \[\(3, 4\), \(2,\)\], expected arrays of one length",
        ),
        ({"valid": (torch.zeros(0, 4), torch.zeros(0))}, "valid: got no examples"),
        (
            {"loss": lambda out, y: cross_entropy(out, y, reduction="none")},
            r"loss: got shape \(16,\), expected one number",
        ),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run(make_model(), **{"epochs": 1} | options)


def test_a_resumed_run_says_where_it_goes_on(tmp_path, capsys):
    for epochs, said in ((2, []), (4, ["training: going on from epoch 3 of 4"]), (4, [])):
        run(make_model(), epochs=epochs, checkpoint=tmp_path / "c.pt", progress=True)
        lines = capsys.readouterr().err.splitlines()
        assert lines[:-1] == said and lines[-1].startswith("training: 100%")
    run(make_model(), epochs=6, checkpoint=tmp_path / "c.pt")
    assert capsys.readouterr().err == ""


def test_the_bar_is_shown_unless_it_is_not_wanted(capsys, monkeypatch):
    run(make_model(), epochs=1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(make_model(), epochs=1, progress=True)
    shown = capsys.readouterr()
    assert shown.out == "" and "training: 100%" in shown.err and "loss=" in shown.err and "\r" in shown.err


def test_a_file_gets_a_line_now_and_then(capsys, monkeypatch):
    """Not a bar, which would fill it; and one line at the end of a run that is shorter than the pause between two."""
    history = run(make_model(), epochs=3, progress=True)
    line = f"training: 100%, epoch 3 of 3, loss={history.loss[-1]:.4g}, valid={history.valid[-1]:.4g}, 00:00 left\n"
    assert capsys.readouterr() == ("", line)
    clock = itertools.count(0, 10)  # each look at it finds ten seconds gone
    monkeypatch.setattr(report.time, "monotonic", lambda: next(clock))
    run(make_model(), epochs=3, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert 3 <= len(lines) <= 6 and lines[0] == "training: 25%, epoch 1 of 3, 02:00 left"  # 3 of 12 steps
    assert lines[1].startswith("training: 50%, epoch 2 of 3, loss=") and re.search(r", 01:\d\d left$", lines[1])


def test_a_recipe_and_options_are_one():
    recipe = training.Recipe(epochs=2, batch_size=16, lr=0.5, clip=1.0)
    train, models = make_data(), [make_model() for _ in range(3)]
    go = functools.partial(training.fit, loss=cross_entropy, train=train, progress=False)
    one = go(models[0], recipe=recipe, lr=0.01)
    assert one == go(models[1], epochs=2, batch_size=16, lr=0.01, clip=1.0) and same(*models[:2])
    assert go(models[2], recipe=recipe) != one
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.lr = 0.1
    for options, name in (({"epochs": 2}, "batch_size"), ({"batch_size": 2}, "epochs")):
        with pytest.raises(ValueError, match=f"{name}: got nothing, expected a number"):
            go(make_model(), **options)


def test_time_is_that_of_all_stretches(tmp_path):
    """A run that is stopped and resumed, and then only read, says the seconds of its epochs each time, each once."""

    def slow(batch, generator):
        time.sleep(0.02)
        return jitter(batch, generator)

    def broken(batch, generator):
        calls.append(1)
        if len(calls) == 15:  # in the fourth epoch, with the third not yet written
            raise KeyboardInterrupt
        return slow(batch, generator)

    calls, go = [], functools.partial(run, epochs=5, every=2, checkpoint=tmp_path / "c.pt")
    broken.__qualname__ = slow.__qualname__
    with pytest.raises(KeyboardInterrupt):
        go(make_model(), augment=broken)
    kept = torch.load(tmp_path / "c.pt", weights_only=True)["history"]["seconds"]
    resumed = go(make_model(), augment=slow)
    again = go(make_model(), augment=slow)
    assert len(kept) == 2 and resumed.seconds[:2] == kept
    assert len(resumed.seconds) == len(resumed.cpu_seconds) == 5 and min(resumed.seconds) > 0.08
    assert resumed.total_seconds == math.fsum(resumed.seconds) > 0.4
    assert 0 < resumed.total_cpu_seconds < resumed.total_seconds - 0.2  # it slept for 0.4 s
    assert (again.seconds, again.cpu_seconds) == (resumed.seconds, resumed.cpu_seconds)


def test_a_checkpoint_that_cannot_be_written_is_found_out_before_the_first_step(tmp_path, monkeypatch):
    def never(batch, generator):
        raise AssertionError("a step was taken")

    def full(source, target):
        raise OSError("no space left")

    go = functools.partial(run, epochs=2, augment=never)
    with pytest.raises(ValueError, match=r"checkpoint: got '.*chekpoints.*c\.pt', expected a file in a folder"):
        go(make_model(), checkpoint=tmp_path / "chekpoints" / "c.pt")
    with pytest.raises(ValueError, match="checkpoint: got "):
        go(make_model(), checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AssertionError):
        go(make_model(), checkpoint=tmp_path / "c.pt")
    assert torch.load(tmp_path / "c.pt", weights_only=True)["history"]["loss"] == []
    monkeypatch.setattr(checkpoint.shutil, "copyfile", full)
    with pytest.raises(OSError, match="no space left"):
        go(make_model(), checkpoint=tmp_path / "c.pt")
    monkeypatch.setattr(torch, "save", lambda *_: full(0, 0))
    with pytest.raises(OSError, match="no space left"):
        go(make_model(), checkpoint=tmp_path / "d.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_two_runs_cannot_write_one_checkpoint(tmp_path):
    """The second is refused while the first runs, in this process or another."""
    path, refused = tmp_path / "c.pt", []
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_loop import run, make_model\n"
        f"run(make_model(), epochs=1, checkpoint={str(path)!r})\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(training.__file__).parents[2])}
    options = {"env": environment, "timeout": 120, "capture_output": True, "text": True}

    def meanwhile(batch, generator):
        if not refused:
            refused.append(subprocess.run([sys.executable, "-c", script], **options))
            with pytest.raises(ValueError, match=r"c\.pt', expected a file that no other run is writing"):
                run(make_model(), epochs=1, checkpoint=path)
        return jitter(batch, generator)

    meanwhile.__qualname__ = jitter.__qualname__
    run(make_model(), epochs=1, checkpoint=path, augment=meanwhile)
    assert refused[0].returncode == 1 and "expected a file that no other run is writing" in refused[0].stderr
    run(make_model(), epochs=1, checkpoint=path)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize("where", ["a step", "the writing"])
def test_ctrl_c_leaves_the_last_checkpoint_and_no_lock(tmp_path, monkeypatch, where):
    path, save, calls = tmp_path / "c.pt", torch.save, []

    def interrupted(*args):
        calls.append(1)
        if where == "the writing":
            if len(calls) == 3:
                args[1].write(b"half of it")
                raise KeyboardInterrupt
            return save(*args)
        if len(calls) == 6:  # the second epoch's second step
            raise KeyboardInterrupt
        return jitter(*args)

    interrupted.__qualname__ = jitter.__qualname__
    options = {"augment": interrupted} if where == "a step" else {}
    before, model = torch.get_rng_state(), make_model()
    if where == "the writing":
        monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(model, epochs=5, checkpoint=path, **options)
    monkeypatch.undo()
    assert torch.equal(torch.get_rng_state(), before) and [p.name for p in tmp_path.iterdir()] == ["c.pt"]
    whole, again = make_model(), make_model()
    assert len(torch.load(path, weights_only=True)["history"]["loss"]) == 1
    assert run(again, epochs=5, checkpoint=path) == run(whole, epochs=5) and same(whole, again)


@pytest.fixture
def sigint():
    """Python's own handler, which a process of a test runner need not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "call", [1, 6, 8, 10]
)  # of five epochs of four steps: the first, inside, an epoch's last, inside
def test_ctrl_c_ends_a_run_after_the_step(tmp_path, sigint, call):
    """Even where what it raises is caught, as in an import that tries; nothing is lost, and SIGINT is Python's own again."""
    path, calls = tmp_path / "c.pt", []

    def pressed(*args):
        calls.append(1)
        if len(calls) == call:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pass
        return jitter(*args)

    pressed.__qualname__ = jitter.__qualname__
    with pytest.raises(KeyboardInterrupt):
        run(make_model(), epochs=5, checkpoint=path, augment=pressed)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and len(calls) == call
    kept = torch.load(path, weights_only=True)
    assert (len(kept["history"]["loss"]) + (kept["within"]["step"] == 4), kept["within"]["step"] % 4) == divmod(call, 4)
    whole, again = make_model(), make_model()
    assert run(again, epochs=5, checkpoint=path) == run(whole, epochs=5) and same(whole, again)


def test_a_second_ctrl_c_does_not_wait(sigint):
    def pressed(*args):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return jitter(*args)

    pressed.__qualname__ = jitter.__qualname__
    with pytest.raises(KeyboardInterrupt):
        run(make_model(), epochs=5, augment=pressed)


def test_ctrl_c_belongs_to_who_has_taken_it(sigint):
    """A program with a handler of its own, and a thread, which can have none."""
    seen = []

    def pressed(*args):
        signal.raise_signal(signal.SIGINT)
        return jitter(*args)

    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    run(make_model(), epochs=1, augment=pressed)
    assert len(seen) == 4
    thread = threading.Thread(target=lambda: seen.append(run(make_model(), epochs=1)))
    thread.start()
    thread.join()
    assert len(seen) == 5


def test_the_device_is_what_is_there(monkeypatch):
    assert training.device("cpu") == training.device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert training.device() == training.device("auto") == torch.device("cpu")
    with pytest.raises(ValueError, match=r"device: got 'cuda', expected one of those that are here: cpu$"):
        training.device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert training.device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training.device("auto") == torch.device("cuda") and training.device("cuda:1") == torch.device("cuda:1")


def test_a_network_comes_back_from_a_device_that_nobody_asked_for(monkeypatch):
    """Or a reader's next cell, which knows of no device, would fail where there is one."""

    class Moved(nn.Linear):
        def to(self, where):
            places.append(where.type)
            return self

    places = []
    monkeypatch.setattr(devices, "device", lambda name: torch.device(name or "cuda"))
    for name in (None, "cuda"):
        with devices.placed(Moved(2, 2), name) as here:
            assert here.type == "cuda"
    assert places == ["cuda", "cpu", "cuda"]


def test_float64_stays_off_mps(monkeypatch):
    """It has none: a model that goes where there is a device goes to the CPU instead, one that is sent there is refused."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    x, y = make_data()
    history = run(make_model().double(), train=(x.double(), y), valid=(x.double(), y), epochs=1)
    assert len(history.loss) == 1
    with pytest.raises(ValueError, match="device: got 'mps', expected cpu for a model in float64"):
        run(make_model().double(), epochs=1, device="mps")
    with pytest.raises(ValueError, match="data: got float64, expected float32 on mps"):
        batches.tensors((x.numpy().astype("float64"),), torch.device("mps"))


class Forces(nn.Module):
    """Minus the gradient of an energy, taken in the forward pass by a module that knows nothing of evaluation."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        x.requires_grad_()
        return -torch.autograd.grad(self.net(x).sum(), x, create_graph=True)[0]


def test_a_network_may_differentiate_in_its_forward_pass():
    x, _ = make_data()
    torch.manual_seed(0)
    model, data = Forces(), (x, -x)  # the forces of a spring
    history = training.fit(model, mse_loss, data, data, epochs=20, batch_size=16, lr=0.02, best="min", progress=False)
    assert history.valid[-1] < 0.3 * history.valid[0]
    found = training.predict(model, data, batch_size=16)
    assert found.shape == x.shape and not found.requires_grad and all(p.requires_grad for p in model.parameters())
    torch.testing.assert_close(found, model(x.clone()).detach(), rtol=1e-5, atol=1e-6)
    assert training.evaluate(model, data, mse_loss, 16) == pytest.approx(float(mse_loss(found, data[1])), rel=1e-5)
    grids = []
    spy = nn.Sequential(nn.Linear(4, 3))
    spy.register_forward_hook(lambda *_: grids.append(torch.is_grad_enabled()))
    training.predict(spy, data, batch_size=16)
    assert grids == [False] * 4  # no gradients, and nothing done twice, where the network takes none itself


def test_predictions_are_in_order_and_in_eval_mode():
    model, (x, y) = make_model().train(), make_data()
    found = training.predict(model, (x, y), batch_size=7)
    assert all(m.training for m in model.modules())
    with torch.no_grad():
        assert torch.allclose(found, model.eval()(x), atol=1e-6)
    with pytest.raises(ValueError, match="model: got a tuple from it, expected one tensor"):
        training.predict(SumOverPoints(), Pairs(20), 6)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        training.predict(model, (x[:, :3], y))
    assert not model.training  # put back as it was, after an error too


def test_weights_are_small_plain_and_repeatable(tmp_path):
    model, other = make_model().double(), make_model(seed=1)
    for name in ("a.pt", "b.pt"):
        training.save_weights(model, tmp_path / name, command="train", seed=0, scores=[0.5])
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert training.load_weights(other, tmp_path / "a.pt") == {"command": "train", "seed": 0, "scores": [0.5]}
    assert same(make_model(), other)
    stored = torch.load(tmp_path / "a.pt", weights_only=True)["weights"]
    assert stored["0.weight"].dtype == torch.float32 and stored["1.running_mean"].dtype == torch.float64


def test_weights_of_another_model_or_another_file_are_refused(tmp_path):
    path = tmp_path / "w.pt"
    training.save_weights(make_model(), path)
    with pytest.raises(
        ValueError, match=r"w\.pt: parameter '0\.weight' differs: got \(8, 4\) from the file, expected \(9, 4\)"
    ):
        training.load_weights(make_model(9), path)
    with pytest.raises(ValueError, match="got another kind of file, expected checkpoint"):
        run(make_model(), epochs=1, checkpoint=path)
    run(make_model(), epochs=1, checkpoint=tmp_path / "c.pt")
    for read in (training.load, functools.partial(training.load_weights, make_model())):
        for name, message in (
            ("none.pt", "none.pt: got no file of this name, expected weights written by eqlib"),
            ("", f"{tmp_path}: got a folder, expected weights written by eqlib"),
            (
                "c.pt",
                "got another kind of file, expected weights written by eqlib; this is the checkpoint of a run; "
                "weights are what --weights or save_weights wrote",
            ),
        ):
            with pytest.raises(ValueError, match=f"{re.escape(message)}$"):
                read(tmp_path / name)
    for options in ({"lr": 0.5}, {"model": make_model(9)}):
        with pytest.raises(
            ValueError, match=r"differs: got .*; another checkpoint file, or resume=False, starts anew$"
        ):
            run(**{"model": make_model(), "epochs": 2, "checkpoint": tmp_path / "c.pt"} | options)
    with pytest.raises(ValueError, match="meta: got"):
        training.save_weights(make_model(), path, model=make_model())
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"got a damaged or foreign file \(.*\), expected weights"):
        training.load_weights(make_model(), path)


def test_parameters_are_counted_if_they_are_trained():
    model = make_model()
    assert training.count_parameters(model) == 4 * 8 + 8 + 8 + 8 + 8 * 3 + 3
    model[0].weight.requires_grad_(False)
    assert training.count_parameters(model) == 8 + 8 + 8 + 8 * 3 + 3


def test_weights_of_another_representation_are_refused(tmp_path):
    """Frequencies 1 and 2 have weights of one shape; a network for one must not take the other's."""
    so2 = groups.SO2()
    one, two = (eqnn.Linear(so2.rep(text), so2.rep(text)) for text in ("2x1", "2x2"))
    assert one.weight.shape == two.weight.shape
    training.save_weights(one, tmp_path / "one.pt")
    before = two.weight.detach().clone()
    with pytest.raises(ValueError, match=r"rep_in' differs: got SO2: 2x1 from the file, expected SO2: 2x2"):
        training.load_weights(two, tmp_path / "one.pt")
    assert torch.equal(two.weight, before)


class Plain(nn.Linear):
    """A layer that says how its input and output transform."""

    def __init__(self, rep_in, rep_out, width=1):
        super().__init__(rep_in.dim, rep_out.dim * width)
        self.rep_in, self.rep_out = rep_in, rep_out


@pytest.fixture
def task(monkeypatch):
    """A task `toys`, as eqlib.tasks would list it."""
    module, so2 = types.ModuleType("eqlib.tasks.toys"), groups.SO2()

    def make(model, seed, width=1):
        torch.manual_seed(seed)
        return Plain(so2.rep(model), so2.rep("2x0"), width)

    module.make = make
    module.prepare = lambda model, raw, width=1: (model, raw / width)
    monkeypatch.setitem(sys.modules, "eqlib.tasks.toys", module)
    monkeypatch.setattr(tasks, "TASKS", ("toys",), raising=False)
    return module


def test_weights_bring_back_their_network(tmp_path, task):
    path, net = tmp_path / "w.pt", task.make("1", 5, 3)  # trained: other weights than those of seed 0
    notes = {"task": "toys", "model": "1", "seed": 0, "sizes": {"width": 3}, "seconds": 1.5}
    training.save_weights(net, path, **notes)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    found = training.load(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(found.network, net) and not found.network.training and found.notes == notes
    assert (found.rep_in, found.rep_out) == (net.rep_in, net.rep_out)
    assert found.prepare(6.0) == ("1", 2.0)
    assert repr(found) == "Trained(Plain, task toys, model 1, seed 0)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.notes = {}


def test_weights_of_a_reader_s_own_script_need_a_function(tmp_path, task):
    path, model = tmp_path / "w.pt", make_model()
    training.save_weights(model, path, hidden=8)
    found = training.load(path, make=lambda notes: make_model(notes["hidden"], seed=5))
    assert same(found.network, model) and found.rep_in is None and found.rep_out is None and found.prepare(6.0) == 6.0
    assert repr(found) == "Trained(Sequential)"
    for notes, message in (
        ({}, "w.pt: got notes without 'task', expected task, model and seed, or make="),
        ({"task": "toys", "seed": 0}, "got notes without 'model'"),
        ({"task": "os", "model": "1", "seed": 0}, "got task 'os', expected one of toys, or make="),
        ({"task": "toys.evil", "model": "1", "seed": 0}, "got task 'toys.evil', expected one of toys"),
        ({"task": ["toys"], "model": "1", "seed": 0}, "got task ['toys'], expected one of toys"),
    ):
        training.save_weights(model, path, **notes)
        with pytest.raises(ValueError, match=re.escape(message)):
            training.load(path)
    with pytest.raises(ValueError, match=r"'0\.weight' differs: got \(8, 4\) from the file, expected \(9, 4\)"):
        training.load(path, make=lambda notes: make_model(9))
