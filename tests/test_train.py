"""`python -m eqlib.train`: what it says, what it refuses before anything runs, what it writes, how it goes on after a stop."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from eqlib import data, tasks, train, training
from eqlib.data.mnist_idx import FILES
from eqlib.tasks import digits

SMALL = ["digits", "--model", "cnn", "--images", "20", "--steps", "2"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def report_of(arguments: list[str], tmp_path: Path) -> dict:
    train.main([*arguments, "--json", str(tmp_path / "report.json")])
    return json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))


CHEAP = {
    "crystals": ["--number", "10", "--epochs", "1"],
    "digits": ["--images", "20", "--steps", "1"],
    "fields": ["--systems", "5", "--epochs", "1"],
    "jets": ["--number", "40", "--epochs", "1"],
    "inertia": ["--bodies", "5", "--epochs", "1"],
    "molecules": ["--number", "10", "--steps", "2"],
    "shifted_digits": ["--images", "20", "--steps", "1"],
    "spins": ["--graphs", "20", "--steps", "1"],
    "tetris": ["--turns", "3", "--steps", "1"],
    "volumes": ["--number", "20", "--steps", "1", "--test", "14"],
}


@pytest.mark.parametrize("task", tasks.TASKS)
def test_every_task_runs_and_says_what_repeats_it(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report with what a log keeps, a table for people, and no checkpoint left behind."""
    module = train.module(task)
    if task == "jets":  # 4,000 jets for validation and test take longer than all the rest
        parts = [data.jets(split, number=n) for split, n in (("train", 60), ("valid", 20), ("test", 40))]
        monkeypatch.setattr(module, "splits", lambda number, folder: parts)
    if task == "molecules":
        monkeypatch.setattr(module, "splits", lambda *_: (data.glycol("train", 10), data.glycol("test", 5)))
    learners = [m for m, about in module.MODELS.items() if about.make is not None]
    for model in [learners[-1], *(m for m in module.MODELS if m not in learners)]:
        few = CHEAP[task] if model in learners else CHEAP[task][:2]
        report = report_of([task, "--model", model, *few, "--seed", "3"], tmp_path)
        assert {"task": task, "model": model, "seed": 3}.items() <= report.items()
        assert report["seconds"] >= 0 and any(key.startswith("test_") for key in report)
        words = report["command"].split()
        assert words[:3] == ["python", "-m", "eqlib.train"] and words[words.index("--model") + 1] == model
        shown = capsys.readouterr().out
        assert f"model{'':{shown.index(model) - shown.index('model') - 5}}{model}" in shown
    assert not list((tmp_path / "cache").rglob("*.pt"))


def test_help_knows_tasks_models_times_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for task in tasks.TASKS:
        for model, about in train.module(task).MODELS.items():
            assert model in text and about.time in text
    assert "the same command goes on from it" in text and "training.load" in text
    for task in tasks.TASKS:
        with pytest.raises(SystemExit):
            train.main([task, "--help"])
        text = capsys.readouterr().out
        for option in ("--seed", "--device", "--double", "--checkpoint", "--weights", "--json", "--threads"):
            assert option in text
        assert text.count("default") > 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits", "--data", "/nowhere"], "--data: got '/nowhere', expected a folder with MNIST's idx files"),
        (["jets", "--data", "/nowhere"], "--data: got '/nowhere', expected a folder with train.h5"),
        (["jets", "--data", "."], "expected a folder with train.h5, val.h5 and test.h5, or with shards train*.npz"),
        (["digits", "--steps", "0"], "--steps: got 0, expected a number above 0"),
        (["digits", "--lr", "0"], "--lr: got 0.0, expected a number above 0"),
        (["digits", "--lr", "nan"], "--lr: got nan"),
        (["digits", "--batch-size", "0"], "--batch-size: got 0"),
        (["jets", "--epochs", "-1"], "--epochs: got -1"),
        (["digits", "--images", "5000"], "--images: got 5000, expected 1 ... 1000"),
        (["jets", "--number", "7000"], "--number: got 7000, expected 1 ... 6000"),
        (
            ["digits", "--model", "neighbours", "--steps", "5"],
            "--steps: got 5, but the model 'neighbours' learns nothing",
        ),
        (
            ["digits", "--model", "neighbours", "--weights", "w.pt"],
            "--weights: got 'w.pt', but the model 'neighbours' learns",
        ),
        (["jets", "--model", "tree", "--double"], "--double: got True, but the model 'tree' learns nothing"),
        (["jets", "--model", "tree", "--checkpoint", "c.pt"], "--checkpoint: got"),
        (
            [*SMALL, "--weights", "nowhere/w.pt"],
            "--weights: got 'nowhere/w.pt', expected a file in a folder that is there",
        ),
        ([*SMALL, "--weights", "."], "--weights: got '.', expected a file in a folder that is there"),
        ([*SMALL, "--threads", "0"], "--threads: got 0, expected a number above 0"),
        ([*SMALL, "--seed", "-1"], "--seed: got -1, expected 0 ... 4294967295"),
        (["digits", "--data", "."], "--data: got '.', expected a folder with MNIST's idx files: no train-images"),
        ([*SMALL, "--json", "nowhere/r.json"], "--json: got"),
        ([*SMALL, "--checkpoint", "nowhere/c.pt"], "--checkpoint: got"),
        (["digits", "--model", "mlp"], "invalid choice: 'mlp'"),
        (["digits", "--graphs", "5"], "digits: error: no such option: --graphs 5 (python -m eqlib.train digits --help"),
        (["spins", "--graphs", "0"], "--graphs: got 0"),
        (["tetris", "--turns", "0"], "--turns: got 0"),
        (["volumes", "--number", "-1"], "--number: got -1"),
        (["digits", "--device", "cuda", *SMALL[1:]], "--device: got 'cuda'"),
    ],
)
def test_bad_input_ends_in_one_line_of_the_options(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything runs, with status 2; no folder is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("it ran"))
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit) as end:
        train.main(arguments)
    assert end.value.code == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert words in last and "Traceback" not in captured.err and captured.out == ""
    assert not (tmp_path / "nowhere").exists()


def test_the_error_itself_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQLIB_TRACEBACK", "1")
    with pytest.raises(ValueError, match="steps: got 0"):
        train.main(["digits", "--steps", "0"])


def test_weights_come_back_with_what_made_them(tmp_path: Path) -> None:
    report = report_of([*SMALL, "--weights", str(tmp_path / "w.pt")], tmp_path)
    trained = training.load(tmp_path / "w.pt")
    assert trained.notes == {k: v for k, v in report.items() if k != "wrong"}
    test = data.digits(size=21, rotated=True, train=20).test
    assert digits.wrong_labels(trained.network, test) == report["wrong"]
    (images,) = trained.prepare(test.images[:5])
    assert torch.equal(images, torch.as_tensor(test.images[:5]))


def write_mnist(folder: Path, number: int) -> None:
    """Files of MNIST's own format, with digits of its size: scikit-learn's, enlarged."""
    split = data.digits(size=29, seed=0).train
    images = (split.images[:number, 0, :28, :28] * 255).astype(np.uint8)
    for name, array in zip(FILES["train"], (images, split.labels[:number].astype(np.uint8)), strict=True):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (folder / name).write_bytes(header + array.tobytes())


def test_a_run_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rotated MNIST from files of the real format. Ctrl-C says how to go on; the same command ends alike."""
    write_mnist(tmp_path, 180)
    sums = {n: hashlib.md5((tmp_path / n).read_bytes()).hexdigest() for n in FILES["train"]}
    monkeypatch.setattr(data, "rotated_mnist", functools.partial(data.rotated_mnist, valid=20, checksums=sums))
    common = ["digits", "--data", str(tmp_path), "--model", "cnn-augmented", "--images", "64", "--batch-size", "32"]
    common += ["--steps", "8"]
    whole = report_of([*common, "--weights", str(tmp_path / "whole.weights")], tmp_path)
    assert whole["test"] == "MNIST train file, held out" and whole["test_images"] == 30
    assert whole["epochs"] == 4 and len(whole["wrong"]) == round(30 * (1 - whole["test_accuracy"]))
    assert str(tmp_path) not in whole["command"] and "--data FOLDER" in whole["command"]
    batch, calls = data.Split.batch, []

    def stop(self: data.Split, indices: np.ndarray) -> tuple:
        calls.append(0)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return batch(self, indices)

    with monkeypatch.context() as patch:
        patch.setattr(data.Split, "batch", stop)
        with pytest.raises(SystemExit) as end:
            train.main(common)
    assert end.value.code == train.STOPPED
    (kept,) = (tmp_path / "cache").rglob("*.pt")
    assert f"the same command goes on from {kept}" in capsys.readouterr().err
    again = report_of([*common, "--weights", str(tmp_path / "parts.weights")], tmp_path)
    assert again["wrong"] == whole["wrong"] and not kept.exists()
    first, second = (training.load(tmp_path / f"{name}.weights").network for name in ("whole", "parts"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """A process of its own: one line, no traceback, and a bar that does not go to a terminal stays short."""
    command = [sys.executable, "-m", "eqlib.train", "digits", "--model", "cnn", "--steps", "200000"]
    # A cache of its own: what another test left there would have it stopped while it still imports torch.
    env = os.environ | {"EQLIB_CACHE": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("*.pt")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == train.STOPPED and out == ""
    assert "Traceback" not in err and "the same command goes on from" in err.strip().splitlines()[-1]
    assert len(err) < 2000


def test_a_checkpoint_of_ones_own_is_kept(tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    first = report_of([*SMALL, "--checkpoint", str(own)], tmp_path)
    assert own.exists()
    second = report_of([*SMALL, "--checkpoint", str(own)], tmp_path)
    assert second == first  # its seconds too: those of the run, not of the second call
