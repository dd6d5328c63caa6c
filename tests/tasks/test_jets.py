"""The jets task: what a tagger is given moves with the group, and the training joins up, resumes and refuses."""

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, training
from eqlib.data.augment import random_boosts, random_turns
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


@pytest.mark.parametrize("model", ["lorentz", "linear", "invariants"])
def test_scores_do_not_move_in_float32(jets, model):
    """From raw momenta to the score, boosted by gamma = 10: what page 13 claims of every test jet."""
    torch.manual_seed(0)
    net = task.make(model, 0)
    plain = task.scores(net, task.inputs(model, jets))
    for moved in (random_boosts(40, 10.0, 1), random_turns(40, 1)):
        assert np.abs(task.scores(net, task.inputs(model, jets.moved(moved))) - plain).max() < 1e-4
    assert plain.std() > 1e-4
    by_pt = [data.JetInputs(j, order="pt") for j in (jets, jets.moved(random_boosts(40, 10.0, 1)))]
    assert np.abs(np.subtract(*(task.scores(net, x) for x in by_pt))).max() > 1e-4  # an invariant network is not enough


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
