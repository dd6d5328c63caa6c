"""Top tagging with 6,000 jets: Lorentz group network, its ablations, ParticleNet, a boosted tree, the mass; writes jets.json.

    python benchmarks/jets.py                          # every run that the log lacks: 90 minutes on one core, resumable
    python benchmarks/jets.py --models lorentz --seeds 0
    python benchmarks/jets.py --speed                  # ms a jet and training step of a network of the original's kind

Equal data, about equal parameters, equal epochs; the seconds of each run stand in the log. After the training every test
jet is boosted into a random direction, or turned, and judged again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import runlog
import torch

from eqlib import data, groups, models, tagging, training

RESULTS = Path(__file__).parent / "results" / "jets.json"
CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
SEEDS = (0, 1, 2)
TREES = {"mass": ["mass"], "tree": ["mass", "pt", "multiplicity", "tau21", "tau32"]}
EPOCHS = 10
# ParticleNet's epochs are cheaper, so it may have more of them; boosted training jets need more still.
LONGER = {"particlenet-long": ("particlenet", 30), "particlenet-augmented": ("particlenet-augmented", 20)}
GAMMAS = (1.5, 2.0, 3.0, 5.0, 10.0)


def judge(tops: np.ndarray, labels: np.ndarray) -> dict[str, object]:
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
        "right": np.packbits(right).tobytes().hex(),
    }


def run(model: str, seed: int, jets: int = 6000, epochs: int = EPOCHS) -> tuple[torch.nn.Module, dict[str, object]]:
    """One network's line of the log."""
    name, (model, epochs) = model, LONGER.get(model, (model, epochs))
    checkpoint = Path(tempfile.gettempdir()) / f"eqlib-jets-{model}-{jets}-{epochs}-{seed}.pt"
    net, report = tagging.jets(model, jets, seed, epochs=epochs, checkpoint=checkpoint)
    test = data.jets("test")
    report["model"] = name
    report |= judge(tagging.scores(net, tagging.JetBatches(test, model)), test.labels)
    found = {
        key: share(tagging.scores(net, tagging.JetBatches(test, model, g)), test.labels)
        for key, g in moves(len(test), seed).items()
    }
    report |= {"turned": found.pop("turned"), "boosted": found}
    command = f"python -m eqlib.train jets --model {model} --number {jets} --seed {seed} --epochs {epochs}"
    return net, {"command": command, **report, "torch": torch.__version__, "threads": torch.get_num_threads()}


def share(tops: np.ndarray, labels: np.ndarray) -> float:
    """Of the jets that are judged rightly."""
    return round(float(((tops > 0.5) == labels).mean()), 5)


def moves(number: int, seed: int) -> dict[str, groups.Element]:
    """What is done to the test jets after the training, by the name in the log."""
    boosts = {str(gamma): tagging.random_boosts(number, gamma, seed) for gamma in GAMMAS}
    return boosts | {"turned": tagging.random_turns(number, seed)}


def run_tree(name: str, seed: int, moved: bool = True) -> dict[str, object]:
    """A tree's line of the log; moved jets are observed anew, which takes a minute and a half, or left out."""
    known, test = data.jets("train"), data.jets("test")
    momenta, mask = test.momenta()
    seen = [data.observables(known), data.observables(test)]
    names = moves(len(test), seed) if moved else {}
    for g in names.values():
        there = momenta @ groups.Lorentz().matrix(g).swapaxes(1, 2)
        taus = data.subjettiness(there, mask) if "tau21" in TREES[name] else test.taus
        seen.append(data.observe(there, mask, taus))
    tables = [np.column_stack([getattr(o, c) for c in TREES[name]]) for o in seen]
    start = time.perf_counter()
    tops = models.boosted_tree(tables[0], known.labels, np.concatenate(tables[1:]), seed)
    seconds = round(time.perf_counter() - start, 1)
    tops, *others = np.split(tops, 1 + len(names))
    report = {"model": name, "jets": len(known), "seed": seed, "test_jets": len(test)} | judge(tops, test.labels)
    found = {key: share(t, test.labels) for key, t in zip(names, others, strict=True)}
    report |= {"turned": found.pop("turned", None), "boosted": found, "seconds": seconds}
    return {"command": f"python benchmarks/jets.py --models {name} --seeds {seed}", **report}


def speed(jets: int = 8, particles: int = 50, repeats: int = 20) -> None:
    """A training step of a network of the original's kind: 3 layers, channels 2-4-4-2, irreps up to (2,2), one thread."""
    train_jets = data.jets("train", number=jets)
    momenta, mask = (torch.as_tensor(x) for x in data.network_input(*train_jets.momenta(particles), dtype=np.float32))
    labels = torch.as_tensor(train_jets.labels)
    net = models.LorentzGroupNetwork(groups.Lorentz(), channels=(2, 4, 4, 2))
    optimizer, seconds = torch.optim.Adam(net.parameters()), []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        optimizer.zero_grad()
        training.cross_entropy(net(momenta, mask), labels).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    per_jet = np.array(seconds[3:]) / jets * 1e3
    print(
        f"{np.median(per_jet):.1f} ms a jet (least {per_jet.min():.1f}), batch {jets}, {particles} particles, one thread"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=[*TREES, *tagging.TAGGERS, "particlenet-long"])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.speed:
        return speed()
    commit = runlog.commit()
    for seed in args.seeds:
        for model in args.models:
            if any((r["model"], r["seed"]) == (model, seed) for r in runlog.lines(RESULTS)):
                continue
            if model in TREES:
                new = run_tree(model, seed)
            else:
                net, new = run(model, seed)
                if seed == 0:
                    notes = {k: new[k] for k in ("command", "seed", "seconds", "test_accuracy")}
                    training.save_weights(net, CHECKPOINTS / f"jets-{model}.pt", **notes)
            print(f"{model:12s} seed {seed}: {new['test_accuracy']:.4f} in {new['seconds']} s", flush=True)
            runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
