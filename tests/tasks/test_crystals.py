"""The task of crystals: no compound on both sides, masses that can be left out, errors in the physics that they are for."""

import numpy as np
import pytest
import torch

from eqlib import data, training
from eqlib.tasks import crystals as task

F = np.arange(51) * 20.0
SINGLE = [name for name in task.MODELS if name != "committee"]
ELEMENTS = (12, 20, 38, 56)


def made(number=40):
    """fcc crystals of one or two elements, with one peak each, which is the higher the lighter and denser they are."""
    rng = np.random.default_rng(0)
    numbers, positions, cells, spectra = [], [], [], []
    for i in range(number):
        pair = (ELEMENTS[i % 4], ELEMENTS[i // 4 % 4])
        a = rng.uniform(3.0, 4.0)
        numbers.append(pair)
        positions.append([[0, 0, 0], [0.5 * a] * 3])
        cells.append(a * np.eye(3))
        peak = 2500.0 / (sum(pair) / 10) ** 0.5 / a
        spectra.append(np.exp(-0.5 * ((F - peak) / 60) ** 2))
    return data.as_crystals(
        np.ravel(numbers), np.reshape(positions, (-1, 3)), cells, [2] * number, frequencies=F, spectra=spectra
    )


@pytest.fixture
def known(monkeypatch):
    crystals = made()
    monkeypatch.setattr(data, "alloys", lambda split: crystals[:32] if split == "train" else crystals[32:])
    return crystals


def test_rivals_are_of_like_size():
    sizes = {name: training.count_parameters(task.make(name)) for name in SINGLE}
    assert max(sizes.values()) < 1.1 * min(sizes.values()), sizes


@pytest.mark.parametrize(("model", "massless"), [*((name, False) for name in SINGLE), ("l1", True)])
def test_every_model_learns(model, massless, monkeypatch):
    """Thirty epochs: less than a third of the error that the mean spectrum has, on the crystals themselves."""
    known = made(32)
    monkeypatch.setattr(task, "splits", lambda *_: (known, known, known))
    net, report = task.run(model, epochs=30, lr=5e-3, massless=massless, progress=False)
    mean = known.spectra.var(axis=0).mean()
    assert report["test_error"] < mean / 3, (report, mean)
    assert report["frequency_error"] < 60 and report["heat_error"] < 0.1 and report["r2"] > 0.5
    assert report["test_number"] == 32 and 0 <= report["best_epoch"] < 30
    again = task.make(model, **report["sizes"])
    again.load_state_dict(net.state_dict())
    found = again.eval()(*task.prepare(model, known[:2]))
    assert found.shape == (2, 51) and torch.equal(found, net.eval()(*task.prepare(model, known[:2])))


def test_a_committee_is_the_mean_of_members_that_were_trained_apart(known, tmp_path):
    """Each leaves out a tenth of its own; stopped and begun again, it ends with the same numbers; its mean beats their mean."""
    place = tmp_path / "run.pt"
    how = {"epochs": 8, "lr": 5e-3, "members": 3, "channels": 8, "dropout": 0.1, "progress": False}
    net, report = task.run("committee", **how)
    assert len(net.members) == len(report["member_errors"]) == 3 and report["sizes"]["members"] == 3
    assert report["test_error"] < np.mean(report["member_errors"])
    assert {"seconds", "cpu_seconds"} <= report.keys() and "best_epoch" not in report
    calls = []

    def stopped(*args, **given):
        calls.append(given["checkpoint"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **given)

    train = task.task.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task.task, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            task.run("committee", checkpoint=place, **how)
    assert calls == [task.task.member(place, k) for k in range(3)] and task.task.checkpoints(place) == calls[:2]
    again, other = task.run("committee", checkpoint=place, **how)
    assert other["test_error"] == report["test_error"]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    loaded = task.make("committee", **report["sizes"])
    loaded.load_state_dict(net.state_dict())
    one, two = known[:1], known[1:2]
    for crystal in (one, two):
        inputs = task.prepare("committee", crystal)
        said = torch.stack([member.eval()(*inputs) for member in net.members])
        assert torch.allclose(loaded.eval()(*inputs), said.mean(0), atol=1e-6)
    assert not torch.equal(*said[:2])


def test_each_fold_leaves_out_another_tenth():
    crystals = data.alloys("train")
    parts = [task.splits(judge="stop", fold=k)[1] for k in range(task.FOLDS)]
    assert all(not set(a.formulas) & set(b.formulas) for i, a in enumerate(parts) for b in parts[:i])
    assert sum(map(len, parts)) > 0.8 * len(crystals)


def test_no_compound_is_trained_on_and_judged_by(known):
    train, stop, judged = task.splits()
    assert len(train) + len(stop) == 32 and len(judged) == 8
    assert len(stop) and not set(train.formulas) & set(stop.formulas)
    again, same, own = task.splits(judge="stop")
    assert own is same and same.names == stop.names and again.names == train.names
    assert task.splits(number=3)[0].names == train.names[:3]


def test_sets_are_read_where_they_are(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(data, "phonon_dos", lambda split, folder: asked.append((split, folder)) or made())
    task.splits("phonon_dos", folder=tmp_path)
    assert asked == [("train", tmp_path), ("valid", tmp_path)]
    monkeypatch.setattr(data, "alloys", lambda split: asked.append(split) or made())
    task.splits("alloys", judge="test")
    assert asked[2:] == ["train", "test"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"crystals": "salts"}, "crystals: got 'salts', expected one of alloys, phonon_dos"),
        ({"judge": "all"}, "judge: got 'all'"),
        ({"folder": "here"}, "data: got 'here' with alloys"),
        ({"number": 1000}, "number: got 1000, expected 1 ... "),
        ({"number": 0}, "number: got 0"),
        ({"epochs": -1}, "epochs: got -1"),
        ({"model": "l9"}, "model: got 'l9'"),
        ({"members": 3}, "members: got 3 with the model 'l2', expected one with 'committee'"),
        ({"model": "committee", "members": 0}, "members: got 0"),
    ],
)
def test_bad_arguments_before_anything_runs(given, words, known):
    with pytest.raises(ValueError, match=words):
        task.run(**given)


def test_a_readers_own_crystal():
    net = task.make("l1", elements=ELEMENTS).eval()
    cell = 3.5 * np.eye(3)
    one = task.prepare("l1", ([12, 20], [[0, 0, 0], [1.75, 1.75, 1.75]], cell))
    same = task.prepare("l1", data.as_crystals([12, 20], [[0, 0, 0], [1.75] * 3], [cell], [2]))
    assert torch.equal(net(*one), net(*same)) and net(*one).shape == (1, 51)
    for wrong, words in (([1, 2], "got 2 items"), ("NaCl", "got str")):
        with pytest.raises(ValueError, match=words):
            task.prepare("l1", wrong)


def test_errors_of_a_spectrum_that_is_off_by_so_much():
    crystals = made(3)
    exact = task.errors(crystals.spectra, crystals)
    assert exact["test_error"] == exact["absolute"] == exact["frequency_error"] == exact["heat_error"] == 0
    assert exact["r2"] == 1
    wrong = task.errors(np.zeros_like(crystals.spectra) + crystals.spectra.mean(), crystals)
    assert wrong["r2"] == pytest.approx(0)
    shifted = task.errors(np.roll(crystals.spectra, 1, axis=1), crystals)
    assert shifted["frequency_error"] == pytest.approx(20, rel=0.02)
