"""`python -m eqlib.train`: the contestants of the digit comparison."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eqlib import data, train, training
from eqlib.data.mnist_idx import FILES


def test_neighbours_see_every_pose() -> None:
    """Each training image, turned by a multiple of 15 degrees, is its own nearest neighbour; without copies few are."""
    part = data.digits(size=21, seed=3, train=60).train
    angles = 2 * np.pi * (np.arange(len(part)) % 24) / 24
    turned = data.rotate(part.images, angles).clip(0, 1)
    assert np.array_equal(train.neighbours(part, turned), part.labels)
    assert (train.neighbours(part, turned, copies=1) == part.labels).mean() < 0.8


def test_neighbours_by_brute_force() -> None:
    """The same labels as every distance written out."""
    splits = data.digits(size=13, rotated=True, seed=1, train=12)
    images = splits.test.images[:30]
    copies = [data.rotate(splits.train.images, np.full(12, 2 * np.pi * k / 5)).clip(0, 1) for k in range(5)]
    distances = [((image - np.concatenate(copies)) ** 2).sum(axis=(1, 2, 3)) for image in images]
    wanted = np.tile(splits.train.labels, 5)[np.argmin(distances, axis=1)]
    assert np.array_equal(train.neighbours(splits.train, images, copies=5), wanted)


def test_the_command_line_knows_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON line each, with what the log keeps."""
    for model in train.MODELS:
        train.main(["digits", "--model", model, "--images", "20", "--steps", "2"])
        report = json.loads(capsys.readouterr().out)
        assert report["model"] == model and report["images"] == 20
        assert 0 <= report["test_accuracy"] <= 1 and report["seconds"] >= 0
    with pytest.raises(ValueError, match=r"model must be one of .* got 'mlp'"):
        train.make("mlp", 0)


def test_rivals_have_as_many_parameters() -> None:
    for size in (21, 28):
        equal = [name for name in train.NETWORKS if not name.startswith("cnn-wide")]
        sizes = {name: training.count_parameters(train.make(name, 0, size)) for name in equal}
        assert max(sizes.values()) < 1.08 * min(sizes.values()), sizes
        assert training.count_parameters(train.make("cnn-wide", 0, size)) > 4 * max(sizes.values())


def test_networks_do_not_change_with_quarter_turns() -> None:
    """All but the plain ones, of both sizes."""
    for size in (21, 28):
        x = torch.randn(2, 1, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        for kind in train.KINDS:
            net = train.make(kind, 0, size).double().eval()
            with torch.no_grad():
                gap = float((net(x) - net(torch.rot90(x, 1, (-2, -1)))).abs().max())
            assert (gap < 1e-10) == (not kind.startswith("cnn")), (kind, size, gap)


def write_mnist(folder: Path, number: int) -> None:
    """Files of MNIST's own format, with digits of its size: scikit-learn's, enlarged."""
    split = data.digits(size=29, seed=0).train
    images = (split.images[:number, 0, :28, :28] * 255).astype(np.uint8)
    for name, array in zip(FILES["train"], (images, split.labels[:number].astype(np.uint8)), strict=True):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (folder / name).write_bytes(header + array.tobytes())


def test_rotated_mnist_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files of the real format; a run that was cut off goes on from its checkpoint and ends the same."""
    write_mnist(tmp_path, 180)
    sums = {n: hashlib.md5((tmp_path / n).read_bytes()).hexdigest() for n in FILES["train"]}
    monkeypatch.setattr(data, "rotated_mnist", functools.partial(data.rotated_mnist, valid=20, checksums=sums))
    common = ["digits", "--data", str(tmp_path), "--model", "cnn-augmented", "--images", "64", "--batch-size", "32"]
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    train.main([*common, "--steps", "8", "--checkpoint", str(whole), "--weights", str(tmp_path / "whole.weights")])
    report = json.loads(capsys.readouterr().out)
    assert report["test"] == "MNIST train file, held out" and report["test_images"] == 30
    assert report["epochs"] == 4 and len(report["wrong"]) == round(30 * (1 - report["test_accuracy"]))

    class Stopped(Exception):
        pass

    def stop(*_: object) -> None:
        calls.append(0)
        if len(calls) == 2:
            raise Stopped

    calls: list[int] = []
    with monkeypatch.context() as patch:
        save = training._State.save
        patch.setattr(training._State, "save", lambda *a: (save(*a), stop())[0])
        with pytest.raises(Stopped):
            train.main([*common, "--steps", "8", "--checkpoint", str(parts)])
    train.main([*common, "--steps", "8", "--checkpoint", str(parts), "--weights", str(tmp_path / "parts.weights")])
    again = json.loads(capsys.readouterr().out)
    assert again["wrong"] == report["wrong"]
    nets = [train.make("cnn", seed, 28) for seed in (1, 2)]
    for net, name in zip(nets, ("whole", "parts"), strict=True):
        training.load_weights(net, tmp_path / f"{name}.weights")
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


def test_changed_labels() -> None:
    """A network that knows the symmetry changes none under quarter turns; one that looks at one corner changes many."""
    net = train.make("harmonic", 0)
    assert train.changed_labels(net, 90, seed=0) <= 0.004  # two of 500: rounding may decide between equal scores

    class Corner(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            half = x.shape[-1] // 2
            return torch.stack([x[:, 0, :half].mean((1, 2)), x[:, 0, half + 1 :].mean((1, 2))], dim=1)

    assert train.changed_labels(Corner(), 180, seed=0) > 0.99
    assert train.changed_labels(Corner(), 0, seed=0) == 0


def test_a_log_is_read_by_model_and_size(tmp_path: Path) -> None:
    lines = [("a", 10, 1, 0.5), ("b", 10, 0, 0.1), ("a", 10, 0, 0.4), ("a", 20, 0, 0.6)]
    runs = [{"model": m, "images": n, "seed": s, "test_accuracy": v, "epochs": s} for m, n, s, v in lines]
    (tmp_path / "log.json").write_text(json.dumps({"runs": runs}), encoding="utf-8")
    assert train.read_log(tmp_path / "log.json") == {("a", 10): [0.4, 0.5], ("b", 10): [0.1], ("a", 20): [0.6]}
    assert train.read_log(tmp_path / "log.json", "epochs")["a", 10] == [0, 1]
    assert train.read_log(tmp_path / "log.json", by=("model",))["a",] == [0.4, 0.6, 0.5]


def test_mistakes_of_a_log_are_paired(tmp_path: Path) -> None:
    runs = [{"model": "a", "images": 9, "seed": s, "test_images": 4, "wrong": w} for s, w in [(1, ""), (0, "0 3")]]
    (tmp_path / "log.json").write_text(json.dumps({"runs": runs}), encoding="utf-8")
    found = train.mistakes(tmp_path / "log.json")["a", 9]
    assert found.tolist() == [[1, 0, 0, 1], [0, 0, 0, 0]]
