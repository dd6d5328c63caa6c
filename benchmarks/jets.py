"""Top tagging with 6,000 jets: Lorentz group network, its ablations, ParticleNet, a boosted tree, the mass; writes jets.json.

    python benchmarks/jets.py                          # every run that the log lacks: 90 minutes on one core, resumable
    python benchmarks/jets.py --models lorentz --seeds 0
    python benchmarks/jets.py --speed                  # ms a jet and training step of a network of the original's kind

Equal data, about equal parameters, equal epochs; the seconds of each run stand in the log. Lines with "clock": "last stretch"
are older than the clock that counts all stretches of a resumed run: of a run that was stopped they lack what came before. An
epoch of 6,000 jets takes 48 CPU seconds (lorentz), 26 (linear), 22 (invariants), 11 (ParticleNet) on another machine, and
none of these lines has less for its epochs; the one that had was run again, to the same judgement of every jet.

After the training every test
jet is boosted into a random direction, or turned, and judged again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eqlib import data, groups, models, training
from eqlib.tasks import jets, task

RESULTS = Path(__file__).parent / "results" / "jets.json"
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
    }


def run(model: str, seed: int) -> dict[str, Any]:
    """A line of the log; the weights of a network's first seed are kept with the course."""
    if model in jets.TREES:
        return run_tree(model, seed)
    name, epochs = LONGER.get(model, (model, EPOCHS))
    given = {"model": name, "number": JETS, "seed": seed, "epochs": epochs}
    checkpoint = Path(tempfile.gettempdir()) / f"eqlib-jets-{name}-{JETS}-{epochs}-{seed}.pt"
    net, report = jets.run(**given, checkpoint=checkpoint)
    assert net is not None
    test = data.jets("test")
    found = {
        key: share(jets.scores(net, jets.inputs(name, test.moved(g))), test.labels)
        for key, g in jets.moves(len(test), seed).items()
    }
    report |= judge(jets.scores(net, jets.inputs(name, test)), test.labels)
    report |= {"command": task.command("jets", **given), "turned": found.pop("turned"), "boosted": found}
    if seed == 0:
        training.save_weights(
            net, CHECKPOINTS / f"jets-{model}.pt", **{k: v for k, v in report.items() if k != "right"}
        )
    return {**report, "model": model, **training.runs.stamp()}


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


def speed(number: int = 8, particles: int = 50, repeats: int = 20) -> None:
    """A training step of a network of the original's kind: 3 layers, channels 2-4-4-2, irreps up to (2,2), one thread."""
    given = data.JetInputs(data.jets("train", number=number), "jet", particles)
    momenta, mask, labels = (torch.as_tensor(x) for x in given.batch(np.arange(number)))
    net = models.LorentzGroupNetwork(groups.Lorentz(), channels=(2, 4, 4, 2))
    optimizer, seconds = torch.optim.Adam(net.parameters()), []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        optimizer.zero_grad()
        training.cross_entropy(net(momenta, mask), labels).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    each = np.array(seconds[3:]) / number * 1e3
    print(f"{np.median(each):.1f} ms a jet (least {each.min():.1f}), batch {number}, {particles} particles, one thread")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.speed:
        return speed()
    points = [{"model": model, "seed": seed} for seed in args.seeds for model in args.models]
    training.runs.fill(RESULTS, points, run, "test_accuracy", args.again)


if __name__ == "__main__":
    main()
