"""`python -m eqlib.train`: the contestants of the digit comparison."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eqlib import data, train


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
    sizes = {name: sum(p.numel() for p in train.make(name, 0).parameters()) for name in train.NETWORKS}
    assert max(sizes.values()) < 1.05 * min(sizes.values())


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
