"""Top tagging with 6,000 jets: Lorentz group network, its ablations, ParticleNet, a boosted tree, the mass; writes jets.json.

    python benchmarks/jets.py                          # every run that the log lacks: 80 minutes on one core, resumable
    python benchmarks/jets.py --models lorentz --seeds 0
    python benchmarks/jets.py --other other.npz        # networks beside the tree on jets that are not shipped; jets_other.json

Equal data, about equal parameters, equal epochs; the seconds of each run stand in the log. Lines with "clock": "last stretch"
are older than the clock that counts all stretches of a resumed run: of a run that was stopped they lack what came before.

After the training every test jet is boosted into a random direction, or turned, and judged again. The Lorentz group's networks
are then given particles that are chosen after the boost, which are the same ones, and ParticleNet the 50 that were hardest
before it.

Lines with "ranks" hold the order of the scores, so that two of them give the paired interval of their areas under the ROC curve.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eqlib import data, training
from eqlib.data import jet_file
from eqlib.tasks import jets, task

RESULTS = Path(__file__).parent / "results" / "jets.json"
OTHER = RESULTS.with_name("jets_other.json")
CHECKPOINTS = RESULTS.parents[2] / "checkpoints"
SEEDS, JETS, EPOCHS = (0, 1, 2), 6000, 10
# ParticleNet's epochs are cheaper, so it may have more of them; boosted training jets need more still.
LONGER = {"particlenet-long": ("particlenet", 30), "particlenet-augmented": ("particlenet-augmented", 20)}
NAMES = (*jets.TREES, *jets.TAGGERS, "particlenet-long")


def judge(tops: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What the log keeps of the scores of one run."""
    right = (tops > 0.5) == labels
    signal, background = training.roc(tops, labels)
    kept = np.linspace(0.02, 1, 50)
    return {
        "test_accuracy": round(float(right.mean()), 5),
        "interval": [round(x, 5) for x in training.bootstrap(right)[1:]],
        "auc": round(training.auc(tops, labels), 5),
        "rejection": {str(e): training.rejection(tops, labels, e) for e in (0.5, 0.7, 0.8)},
        "background_at": [round(float(x), 5) for x in np.interp(kept, signal, background)],
        "right": training.runs.bits(right),
        "ranks": training.runs.ranks(tops),
    }


def run(model: str, seed: int) -> dict[str, Any]:
    """A line of the log; the weights of a network's first seed are kept with the course."""
    if model in jets.TREES:
        return run_tree(model, seed)
    name, epochs = LONGER.get(model, (model, EPOCHS))
    given = {"model": name, "number": JETS, "seed": seed, "epochs": epochs}
    net, report = trained(**given)
    test = data.jets("test")
    found = {
        key: share(jets.scores(net, jets.inputs(name, test.moved(g))), test.labels)
        for key, g in jets.moves(len(test), seed).items()
    }
    report |= judge(jets.scores(net, jets.inputs(name, test)), test.labels)
    report |= {"command": task.command("jets", **given), "turned": found.pop("turned"), "boosted": found}
    report |= training.runs.stamp()
    if seed == 0:
        notes = {key: value for key, value in report.items() if key not in ("right", "ranks")}
        training.save_weights(net, CHECKPOINTS / f"jets-{model}.pt", **notes)
    return {**report, "model": model}


def trained(**given: Any) -> tuple[torch.nn.Module, dict[str, Any]]:
    """A network and its report; from its checkpoint in the folder of temporary files, if it was trained already."""
    name = "-".join(str(given[key]) for key in ("model", "number", "epochs", "seed"))
    net, report = jets.run(**given, checkpoint=Path(tempfile.gettempdir()) / f"eqlib-jets-{name}.pt")
    assert net is not None
    return net, report


def share(tops: np.ndarray, labels: np.ndarray) -> float:
    """Of the jets that are judged rightly."""
    return round(float(((tops > 0.5) == labels).mean()), 5)


def run_tree(model: str, seed: int, moved: bool = True) -> dict[str, Any]:
    """A tree's line of the log; moved jets are observed anew, which takes a minute and a half, or left out."""
    known, test = data.jets("train"), data.jets("test")
    names = jets.moves(len(test), seed) if moved else {}
    start = time.perf_counter()
    tops, *others = np.split(
        jets.tree_scores(model, known, [test, *(test.moved(g) for g in names.values())], seed), 1 + len(names)
    )
    seconds = round(time.perf_counter() - start, 1)
    report = {"model": model, "jets": len(known), "seed": seed, "test_jets": len(test)} | judge(tops, test.labels)
    found = {key: share(t, test.labels) for key, t in zip(names, others, strict=True)}
    report |= {"turned": found.pop("turned", None), "boosted": found, "seconds": seconds}
    return {"command": f"python benchmarks/jets.py --models {model} --seeds {seed}", **report}


def run_other(model: str, seed: int, path: Path) -> dict[str, Any]:
    """A network beside the tree, on all jets of a file of make_jets.py: both figures and their paired intervals."""
    start = time.perf_counter()
    arrays, recipe = jet_file.read(path, None)
    other = jet_file.unpack(arrays, recipe, slice(0, len(arrays["labels"])))
    net, _ = trained(model=model, number=JETS, seed=seed, epochs=EPOCHS)
    two = jets.scores(net, jets.inputs(model, other)), jets.tree_scores("tree", data.jets("train"), [other], seed)
    right = [(tops > 0.5) == other.labels for tops in two]
    (accuracy, of_tree), (auc, auc_of_tree) = [r.mean() for r in right], [training.auc(t, other.labels) for t in two]
    made = f"python tools/make_jets.py --jets {len(other)} --seed {recipe['seed']} --out other.npz"
    return {
        "command": f"{made} && python benchmarks/jets.py --other other.npz --models {model} --seeds {seed}",
        "model": model,
        "beside": "tree",
        "jets": len(other),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "seed": seed,
        "accuracy": round(float(accuracy), 5),
        "accuracy_beside": round(float(of_tree), 5),
        "accuracy_difference": [round(x, 5) for x in training.paired(*right)],
        "auc": round(auc, 5),
        "auc_beside": round(auc_of_tree, 5),
        "auc_difference": [round(x, 5) for x in training.paired_auc(*two, other.labels)],
        "seconds": round(time.perf_counter() - start, 1),
        **training.runs.stamp(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    parser.add_argument(
        "--other", type=Path, metavar="NPZ", help="networks beside the tree on these jets of make_jets.py"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    points = [{"model": model, "seed": seed} for seed in args.seeds for model in args.models]
    if args.other:
        return training.runs.fill(OTHER, points, partial(run_other, path=args.other), "auc", args.again)
    training.runs.fill(RESULTS, points, run, "test_accuracy", args.again)


if __name__ == "__main__":
    main()
