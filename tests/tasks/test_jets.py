"""The jets task: what a tagger is given moves with the group, and the training joins up, resumes and refuses."""

import json

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, tagging, train, training

GROUP = groups.Lorentz()


@pytest.fixture(scope="module")
def jets():
    return data.jets("valid", number=40)


def masses(batches):
    """Of the jets, from light-cone components in float64."""
    total = batches.momenta.astype(np.float64).sum(1)
    return np.sqrt(np.einsum("ni,ij,nj->n", total, GROUP.metric, total))


def test_boosted_and_turned_jets_keep_their_masses(jets):
    rest = masses(tagging.JetBatches(jets, "lorentz"))
    for moved in (tagging.random_boosts(40, 10.0, 0), tagging.random_turns(40, 0)):
        after = tagging.JetBatches(jets, "lorentz", moved)
        assert np.abs(masses(after) / rest - 1).max() < 1e-5
        raw = tagging.JetBatches(jets, "particlenet", moved).momenta
        before = tagging.JetBatches(jets, "particlenet").momenta
        assert np.abs(raw - before).max() > 1  # GeV
        assert (after.mask == tagging.JetBatches(jets, "particlenet").mask).all()


def test_boosts_have_the_gamma_that_was_asked_for():
    boosts = GROUP.matrix(tagging.random_boosts(50, 3.0, 0))
    assert np.abs(boosts[:, 0, 0] - 3).max() < 1e-12
    assert np.abs(boosts[:, 0, 1:].mean(0)).max() < 0.9  # into many directions
    turns = GROUP.matrix(tagging.random_turns(50, 0))
    assert np.abs(turns[:, 0] - [1, 0, 0, 0]).max() < 1e-12
    with pytest.raises(ValueError, match="gamma must be at least 1"):
        tagging.random_boosts(3, 0.5, 0)


def test_augmentation_moves_jets_and_keeps_their_masses(jets):
    batches = tagging.JetBatches(jets, "particlenet-augmented")
    batch = tuple(torch.as_tensor(x) for x in batches.batch(np.arange(40)))
    moved = [tagging.boost(batch, torch.Generator().manual_seed(seed))[0].double() for seed in (0, 0, 1)]
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
    net = tagging.make_tagger(model, 0)
    plain = tagging.scores(net, tagging.JetBatches(jets, model))
    for moved in (tagging.random_boosts(40, 10.0, 1), tagging.random_turns(40, 1)):
        assert np.abs(tagging.scores(net, tagging.JetBatches(jets, model, moved)) - plain).max() < 1e-4
    assert plain.std() > 1e-4


def test_rivals_have_about_as_many_parameters():
    sizes = {m: sum(p.numel() for p in tagging.make_tagger(m, 0).parameters()) for m in tagging.TAGGERS}
    assert max(sizes.values()) < 1.11 * min(sizes.values()), sizes


def test_the_command_trains_writes_and_resumes(tmp_path, capsys):
    command = ["jets", "--model", "particlenet", "--number", "500", "--epochs", "2"]
    command += ["--checkpoint", str(tmp_path / "run.pt"), "--weights", str(tmp_path / "net.pt")]
    found = []
    for _ in range(2):
        train.main(command)
        found.append(json.loads(capsys.readouterr().out.strip().splitlines()[-1]))
    assert found[0]["test_accuracy"] == found[1]["test_accuracy"] > 0.6
    assert found[0]["jets"] == 500
    net = tagging.make_tagger("particlenet", 1)
    assert training.load_weights(net, tmp_path / "net.pt")["model"] == "particlenet"
    test = tagging.JetBatches(data.jets("test"), "particlenet")
    assert training.evaluate(net, test, training.accuracy) == found[0]["test_accuracy"]


def test_an_unknown_tagger_is_refused():
    with pytest.raises(ValueError, match="model must be one of"):
        tagging.make_tagger("transformer", 0)


def test_boosted_tree_finds_the_top():
    known, asked = (data.observables(data.jets(s, number=600)) for s in ("train", "valid"))
    labels = data.jets("train", number=600).labels
    tops = models.boosted_tree(np.column_stack(known), labels, np.column_stack(asked))
    assert ((tops > 0.5) == data.jets("valid", number=600).labels).mean() > 0.85
    with pytest.raises(ValueError, match="tables of the same columns"):
        models.boosted_tree(np.zeros((3, 2)), [0, 1, 0], np.zeros((3, 1)))
