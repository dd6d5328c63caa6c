"""The jets task: what a tagger is given moves with the group, and the training joins up, resumes and refuses."""

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, training
from eqlib.data.augment import random_boosts, random_turns
from eqlib.data.jet_file import FILE
from eqlib.tasks import jets as task
from tests.jet_files import write_hdf5, write_shard

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
    small = [sizes.pop(name) for name in ("lorentz-small", "pure")]
    assert sizes.pop("particlenet-full") == pytest.approx(366_160, rel=1e-3)  # Qu and Gouskos 2020, Table II: 366k
    assert max(sizes.values()) < 1.11 * min(sizes.values()), sizes
    assert 4500 < min(small) and max(small) < 5500  # the published one has 4,500


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


@pytest.mark.parametrize("model", ["lorentz-small", "particlenet"])
def test_a_network_of_other_particles_comes_back_with_them(tmp_path, model):
    """30 of a jet in training, in the test and after loading: 50 would give other scores."""
    folder = tmp_path / "jets"
    folder.mkdir()
    for name, first, number in (("train", 0, 40), ("valid", 6000, 10), ("test", 7000, 20)):
        write_shard(folder / f"{name}.npz", first, number)
    net, report = task.run(model, folder=folder, epochs=1, particles=30, progress=False)
    assert report["sizes"] == {"particles": 30}
    test = data.jets("test", number=20)
    assert training.evaluate(net, task.inputs(model, test, 30), training.accuracy) == report["test_accuracy"]
    training.save_weights(net, tmp_path / "net.pt", **report)
    loaded = training.load(tmp_path / "net.pt")
    assert loaded.prepare(test)[0].shape == (20, 30, 4)
    with torch.no_grad():
        assert torch.equal(loaded.network(*loaded.prepare(test)), net.eval()(*task.prepare(model, test, 30)))


def test_a_number_of_particles_that_cannot_be():
    with pytest.raises(ValueError, match="particles: got 0, expected a number above 0"):
        task.run("lorentz", particles=0)
    with pytest.raises(ValueError, match="particles: got 30, but the model 'tree' sees all of them"):
        task.run("tree", particles=30)


def test_splits_are_the_shipped_ones_and_those_of_a_folder(tmp_path):
    assert [len(jets) for jets in task.splits(7)] == [7, 1000, 3000]
    with pytest.raises(ValueError, match=r"folder: got '.*nowhere', expected a folder with train.h5"):
        task.splits(7, tmp_path / "nowhere")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards of the shipped jets: two of 100 to train on, 30 and 90 others."""
    folder = tmp_path_factory.mktemp("jets")
    for name, first, number in (("train0", 0, 100), ("train1", 100, 100), ("valid", 6000, 30), ("test", 7000, 90)):
        write_shard(folder / f"{name}.npz", first, number)
    return folder


def test_splits_of_a_folder_and_of_a_file(folder, tmp_path):
    """All of a folder's jets, or the first of each split in the shipped proportions; a file of make_jets.py has its own."""
    assert [len(jets) for jets in task.splits(None, folder)] == [200, 30, 90]
    assert [len(jets) for jets in task.splits(60, folder)] == [60, 10, 30]
    assert [len(jets) for jets in task.splits(1, folder)] == [1, 1, 1]
    assert [len(jets) for jets in task.splits(198, folder)] == [198, 30, 90]
    assert [len(jets) for jets in task.splits(7, FILE)] == [7, 1000, 3000]
    with pytest.raises(ValueError, match=r"number: got 201, expected 1 ... 200, the training jets of"):
        task.splits(201, folder)
    for name in ("train.h5", "val.h5", "test.h5"):
        write_hdf5(tmp_path / name, 12)
    assert [len(jets) for jets in task.splits(None, tmp_path)] == [12, 12, 12]


def test_a_tree_learns_from_files_what_it_learns_from_memory(folder):
    known, asked = data.jets("train", number=200), data.jets("test", number=90)
    wanted = ((task.tree_scores("mass", known, [asked], 0) > 0.5) == asked.labels).mean()
    _, report = task.run("mass", folder=folder)
    assert report["test_accuracy"] == wanted and report["jets"] == 200 and report["test_jets"] == 90


def test_a_run_on_files_streams_them(folder, tmp_path, monkeypatch):
    """Each split, and no more of it in memory than a few blocks; its checkpoint knows of pauses within an epoch."""
    made = []
    plain = data.JetStream.__init__
    monkeypatch.setattr(data.JetStream, "__init__", lambda self, *a, **k: made.append(self) or plain(self, *a, **k))
    monkeypatch.setattr(data.JetFiles, "read_all", None)
    path = tmp_path / "run.pt"
    _, report = task.run("particlenet", folder=folder, epochs=1, batch_size=40, checkpoint=path, progress=False)
    assert [len(stream) for stream in made] == [200, 30, 90] and report["test_jets"] == 90
    settings = torch.load(path, weights_only=True)["run"]
    assert settings["every_steps"] == "500" and settings["order"].startswith("JetStream(JetFiles(200 jets, 2 blocks)")


def test_an_unknown_tagger_is_refused():
    with pytest.raises(ValueError, match="model: got 'nothing', expected one of lorentz"):
        task.run("nothing")
    with pytest.raises(ValueError, match="which learns nothing, expected one of lorentz"):
        task.make("tree")


def test_boosted_tree_finds_the_top():
    known, asked = (data.observables(data.jets(s, number=600)) for s in ("train", "valid"))
    labels = data.jets("train", number=600).labels
    tops = models.boosted_tree(np.column_stack(known), labels, np.column_stack(asked))
    assert ((tops > 0.5) == data.jets("valid", number=600).labels).mean() > 0.85
    with pytest.raises(ValueError, match="tables of the same columns"):
        models.boosted_tree(np.zeros((3, 2)), [0, 1, 0], np.zeros((3, 1)))
