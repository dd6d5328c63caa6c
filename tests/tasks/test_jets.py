"""The jets task: what a tagger is given moves with the group, and the training joins up, resumes and refuses."""

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, training
from eqlib.data.augment import boost_jets, random_boosts, random_turns
from eqlib.tasks import jets as task

GROUP = groups.Lorentz()


@pytest.fixture(scope="module")
def jets():
    return data.jets("valid", number=40)


def masses(batches):
    """Of the jets, from light-cone components in float64."""
    total = batches.momenta.astype(np.float64).sum(1)
    return np.sqrt(np.einsum("ni,ij,nj->n", total, GROUP.metric, total))


def test_boosted_and_turned_jets_keep_their_masses(jets):
    rest = masses(task.inputs("lorentz", jets))
    for moved in (random_boosts(40, 10.0, 0), random_turns(40, 0)):
        after = task.inputs("lorentz", jets.moved(moved))
        assert np.abs(masses(after) / rest - 1).max() < 1e-5
        raw = task.inputs("particlenet", jets.moved(moved)).momenta
        before = task.inputs("particlenet", jets).momenta
        assert np.abs(raw - before).max() > 1  # GeV
        assert (after.mask == task.inputs("particlenet", jets).mask).all()


def test_boosts_have_the_gamma_that_was_asked_for():
    boosts = GROUP.matrix(random_boosts(50, 3.0, 0))
    assert np.abs(boosts[:, 0, 0] - 3).max() < 1e-12
    assert np.abs(boosts[:, 0, 1:].mean(0)).max() < 0.9  # into many directions
    turns = GROUP.matrix(random_turns(50, 0))
    assert np.abs(turns[:, 0] - [1, 0, 0, 0]).max() < 1e-12
    with pytest.raises(ValueError, match=r"gamma: got 0.5, expected at least 1"):
        random_boosts(3, 0.5, 0)


def test_augmentation_moves_jets_and_keeps_their_masses(jets):
    batches = task.inputs("particlenet-augmented", jets)
    batch = tuple(torch.as_tensor(x) for x in batches.batch(np.arange(40)))
    moved = [boost_jets(batch, torch.Generator().manual_seed(seed))[0].double() for seed in (0, 0, 1)]
    assert torch.equal(moved[0], moved[1])
    assert (moved[0] - moved[2]).abs().max() > 100  # GeV
    total, before = moved[0].sum(1), batch[0].double().sum(1)
    squares = [v[:, 0] ** 2 - v[:, 1:].square().sum(1) for v in (total, before)]
    assert ((squares[0] - squares[1]).abs() < 1e-4 * total[:, 0] ** 2).all()
    gammas = total[:, 0] / before[:, 0]
    assert gammas.max() > 4
    assert gammas.min() < 1


@pytest.mark.parametrize("model", ["lorentz", "linear", "invariants"])
def test_scores_do_not_move_in_float32(jets, model):
    """From raw momenta to the score, boosted by gamma = 10: what page 13 claims of every test jet."""
    torch.manual_seed(0)
    net = task.make(model, 0)
    plain = task.scores(net, task.inputs(model, jets))
    for moved in (random_boosts(40, 10.0, 1), random_turns(40, 1)):
        assert np.abs(task.scores(net, task.inputs(model, jets.moved(moved))) - plain).max() < 1e-4
    assert plain.std() > 1e-4


def test_networks_have_about_as_many_parameters():
    sizes = {m: sum(p.numel() for p in task.make(m, 0).parameters()) for m in task.TAGGERS}
    assert max(sizes.values()) < 1.11 * min(sizes.values()), sizes


def test_a_run_trains_and_resumes(tmp_path, monkeypatch):
    parts = [data.jets(split, number=n) for split, n in (("train", 500), ("valid", 100), ("test", 400))]
    monkeypatch.setattr(task, "splits", lambda number, folder: parts)
    options = {"epochs": 2, "checkpoint": tmp_path / "run.pt", "progress": False}
    net, first = task.run("particlenet", **options)
    _, second = task.run("particlenet", **options)
    assert first == second  # its seconds too
    assert first["jets"] == 500 and first["test_accuracy"] > 0.6
    test = task.inputs("particlenet", parts[2])
    assert training.evaluate(net, test, training.accuracy) == first["test_accuracy"]


def test_splits_are_the_shipped_ones_and_those_of_a_folder(tmp_path):
    assert [len(jets) for jets in task.splits(7)] == [7, 1000, 3000]
    with pytest.raises(ValueError, match=r"folder: got '.*nowhere', expected a folder with train.h5"):
        task.splits(7, tmp_path / "nowhere")


def test_an_unknown_tagger_is_refused():
    with pytest.raises(ValueError, match="model: got 'transformer', expected one of lorentz"):
        task.run("transformer")
    with pytest.raises(ValueError, match="which learns nothing, expected one of lorentz"):
        task.make("tree")


def test_boosted_tree_finds_the_top():
    known, asked = (data.observables(data.jets(s, number=600)) for s in ("train", "valid"))
    labels = data.jets("train", number=600).labels
    tops = models.boosted_tree(np.column_stack(known), labels, np.column_stack(asked))
    assert ((tops > 0.5) == data.jets("valid", number=600).labels).mean() > 0.85
    with pytest.raises(ValueError, match="tables of the same columns"):
        models.boosted_tree(np.zeros((3, 2)), [0, 1, 0], np.zeros((3, 1)))
