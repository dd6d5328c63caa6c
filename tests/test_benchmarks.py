"""Each committed log of benchmarks/results holds: one cheap point of it is run again and meets its spread."""

import sys
from pathlib import Path

import numpy as np
import pytest

from eqlib import data, tagging, training

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))


def runs(name):
    import runlog

    return runlog.lines(ROOT / "benchmarks" / "results" / name)


def accuracies(model, images):
    found = {r["seed"]: r["test_accuracy"] for r in runs("digits.json") if (r["model"], r["images"]) == (model, images)}
    return [found[seed] for seed in sorted(found)]


def test_rotated_digits():
    """1,000 images, seed 0: a second run lands within the spread of the three seeds, and turned digits do as well."""
    import digits_turned

    logged = {r["seed"]: r for r in runs("digits_turned.json") if r["model"] == "harmonic"}
    again = digits_turned.run("harmonic", 0)
    spread = np.ptp(accuracies("harmonic", 1000))
    assert 0 < spread < 0.1
    assert again["test_accuracy"] == pytest.approx(accuracies("harmonic", 1000)[0], abs=spread)
    for angle, share in again["changed"].items():
        found = [logged[seed]["changed"][angle] for seed in (0, 1, 2)]
        assert share == pytest.approx(found[0], abs=max(np.ptp(found), 0.02))


def test_nearest_neighbours_of_digits():
    """They learn nothing, so a second run is the same to a digit or two of 500."""
    import digits

    for images in (50, 200):
        logged = accuracies("neighbours", images)
        assert len(logged) == 3
        assert digits.run("neighbours", images, seed=1)["test_accuracy"] == pytest.approx(logged[1], abs=0.004)


def test_both_logs_know_the_same_networks():
    """A line of digits_turned.json is a line of digits.json trained again: same seed, same accuracy within the spread."""
    for line in runs("digits_turned.json"):
        logged = accuracies(line["model"], 1000)
        assert line["test_accuracy"] == pytest.approx(logged[line["seed"]], abs=max(np.ptp(logged), 0.02))
        assert line["changed"]["90"] <= 0.004 or line["model"].startswith("cnn")


def test_boosted_tree_of_jets():
    """Five observables, seed 0: the same accuracy to the spread of the seeds, and almost every jet judged alike."""
    import jets

    logged = {r["seed"]: r for r in runs("jets.json") if r["model"] == "tree"}
    assert sorted(logged) == list(jets.SEEDS)
    found = [r["test_accuracy"] for r in logged.values()]
    spread = max(found) - min(found)
    assert 0 < spread < 0.01
    again = jets.run_tree("tree", seed=0, moved=False)
    assert again["test_accuracy"] == pytest.approx(logged[0]["test_accuracy"], abs=spread)
    assert (right(again) == right(logged[0])).mean() > 0.998


@pytest.mark.parametrize("model", ["lorentz", "linear", "invariants", "particlenet"])
def test_taggers_kept_with_the_course(model):
    """The committed weights are those of the log's seed 0: they judge 600 test jets as it says, up to rounding."""
    import jets

    (logged,) = (r for r in runs("jets.json") if (r["model"], r["seed"]) == (model, 0))
    net = tagging.make_tagger(model, 0)
    notes = training.load_weights(net, jets.CHECKPOINTS / f"jets-{model}.pt")
    for key in ("command", "seed", "test_accuracy"):
        assert notes[key] == logged[key], key
    test = data.jets("test", number=600)
    tops = tagging.scores(net, tagging.JetBatches(test, model), 50)
    assert (((tops > 0.5) == test.labels) == right(logged)[:600]).sum() >= 598


def right(line):
    """Which of the 3,000 test jets a line of the log judged rightly."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(line["right"]), np.uint8))[:3000]


def test_inertia_tensors():
    """The tensor field of seed 0: a second run lands within twice what the three seeds showed, below one in a thousand."""
    import inertia

    logged = {r["seed"]: r for r in runs("inertia.json") if r["model"] == "field"}
    assert sorted(logged) == list(inertia.SEEDS)
    again = inertia.run("field", seed=0)
    assert again["parameters"] == logged[0]["parameters"]
    for old, new in [
        (logged[0]["error"], again["error"]),
        *((logged[0]["others"][n], again["others"][n]) for n in ("2", "40")),
    ]:
        assert new < 1e-3
        assert new == pytest.approx(old, rel=1.0)


@pytest.mark.parametrize("seed", [3, 5, 7])
def test_inertia_tensors_of_seeds_that_once_stopped_early(seed):
    """With a loss in kg^2 m^4 these stood still at 1.1e-3 to 1.7e-3: below 1e-10 torch's LBFGS updates nothing."""
    import inertia

    assert inertia.run("field", seed)["error"] < 5e-4


def test_logs_name_every_run():
    """What a reader needs to repeat a line: command, commit, seed, seconds; three seeds a point."""
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        found = runs(path.name)
        for line in found:
            assert {"command", "commit", "seed", "seconds"} <= line.keys(), (path.name, line)
        assert {line["seed"] for line in found} >= {0, 1, 2}, path.name
