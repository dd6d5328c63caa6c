"""The training loop: it learns, draws only its own numbers, and resumes with the very same bits."""

import functools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from eqlib import groups, training
from eqlib import nn as eqnn

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

    def jitter_then_stop(batch, generator):
        calls.append(1)
        if len(calls) == stop:
            raise Stop
        return jitter(batch, generator)

    jitter_then_stop.__qualname__ = jitter.__qualname__
    with pytest.raises(Stop):
        go(model, augment=jitter_then_stop, checkpoint=path)
    assert path.exists() == (stop > 8)  # four steps an epoch, a file every second epoch
    again = make_model()
    assert go(again, checkpoint=path) == expected
    assert same(whole, again)
    assert [p.name for p in path.parent.iterdir()] == ["c.pt"]


def test_a_killed_process_resumes(tmp_path):
    """The process ends at once, in the middle of writing a checkpoint: the previous one is whole."""
    script = tmp_path / "job.py"
    script.write_text(
        "import os, sys, torch\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_fit import run, make_model\n"
        "save, count = torch.save, []\n"
        "def killed(content, file):\n"
        "    count.append(1)\n"
        "    if len(count) == 3:\n"
        "        file.write(b'half of it'); file.flush(); os._exit(9)\n"
        "    save(content, file)\n"
        "torch.save = killed\n"
        f"run(make_model(), epochs=5, checkpoint={str(tmp_path / 'c.pt')!r})\n",
        encoding="utf-8",
    )
    root = str(Path(training.__file__).parents[1])
    done = subprocess.run([sys.executable, script], env=os.environ | {"PYTHONPATH": root}, timeout=120)
    assert done.returncode == 9
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
    data = torch.ones(4, 1), torch.zeros(4, 1)
    with pytest.raises(FloatingPointError, match="parameter 'weight' is not finite after epoch 0"):
        training.fit(
            model, mse_loss, data, epochs=1, batch_size=4, optimizer=torch.optim.SGD, lr=math.inf, progress=False
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: got 0, expected at least 1"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"every": 0}, "every: got 0"),
        ({"best": "low"}, "best: got 'low'"),
        ({"best": "max", "valid": None}, "together with valid="),
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


def test_the_bar_is_shown_unless_it_is_not_wanted(capsys):
    run(make_model(), epochs=1)
    assert capsys.readouterr() == ("", "")
    run(make_model(), epochs=1, progress=True)
    shown = capsys.readouterr()
    assert shown.out == "" and "training: 100%" in shown.err and "loss=" in shown.err


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
    with pytest.raises(ValueError, match="meta: got"):
        training.save_weights(make_model(), path, model=make_model())
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="got a damaged or foreign file, expected weights"):
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
