"""Crystals: the phonon density of states by networks of several degrees and by trees; writes benchmarks/results/crystals.json.

    python benchmarks/crystals.py                                        # the parts on shipped alloys that the log lacks
    python benchmarks/crystals.py --part ablation trees wide committee ensemble --data FOLDER   # the public table's folder
    python benchmarks/crystals.py --part alloys --models l0 --seeds 0 --again          # beside the logged numbers

Data, networks and measures are those of `eqlib.tasks.crystals`; errors are of the sets' own validation crystals (alloys: test).
The epoch is chosen by a tenth of the training set. Parts:

alloys      shipped alloys: l0, angles, l2, and trees
ablation    public table: degrees 0 to 3, an invariant network that sees angles, l2 without masses and without periods and groups
trees       public table: extra-trees and a forest on composition, density and masses, as they are and divided by their maxima
wide        public table: l2 with more channels, spectra divided by their maxima or by the number of atoms
committee   public table: the mean of ten wide networks, l2 and angles, each with a tenth of its own that stops it
ensemble    the mean of the spectra of three committees, of those and extra-trees, and both divided by their maxima

Lines have R^2 for each frequency as well, `r2_each`. The weights of KEPT go to checkpoints/. Unfinished runs stay in --kept.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eqlib import data, models, training
from eqlib.models.composition import KINDS
from eqlib.tasks import crystals, task

RESULTS = Path(__file__).parent / "results" / "crystals.json"
CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
SEEDS = (0, 1, 2)
PARTS = ("alloys", "ablation", "trees", "wide", "committee", "ensemble")
BEST = "l2"
WIDE = {"channels": 192, "dropout": 0.5, "lr": 2e-3, "epochs": 25}
WHOLE = {"massless": False, "one_hot": False}
ABLATION = [{"model": m} for m in crystals.MODELS if m != "committee"] + [{"model": BEST, part: True} for part in WHOLE]


def points(part: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """The runs of a part, each by everything that tells it from the others."""
    names = args.models or [*crystals.MODELS, *KINDS]

    def seeded(*wanted: dict[str, Any]) -> list[dict[str, Any]]:
        each = ((s, one) for s in args.seeds for one in wanted if one["model"] in names)
        return [{"part": part, "model": one["model"], "seed": s} | one for s, one in each]

    trees = [{"model": kind, "divided": divided} for kind in KINDS for divided in (False, True)]
    return {
        "alloys": seeded(*({"model": m, "epochs": 200} for m in ("l0", "angles", BEST)), *trees),
        "ablation": seeded(*(WHOLE | one for one in ABLATION)),
        "trees": seeded(*trees),
        "wide": seeded(*({"model": BEST, "undivided": u} | WIDE for u in (True, False))),
        "committee": seeded({"model": "committee"}),
        "ensemble": [
            {"part": part, "seed": 0, "model": m, "divided": divided}
            for m in ("committees", "committees and trees")
            for divided in (False, True)
        ],
    }[part]


def known(args: argparse.Namespace, part: str) -> tuple[data.Crystals, data.Crystals]:
    """All training crystals of a part's set, and those that its errors are of."""
    if part == "alloys":
        return data.alloys("train"), data.alloys("test")
    return data.phonon_dos("train", args.data), data.phonon_dos("valid", args.data)


def judged(spectra: np.ndarray, true: data.Crystals) -> dict[str, Any]:
    """The task's errors, and R^2 for each frequency: 1 - square errors by the spread of that frequency's own values; None where
    all are equal."""
    assert true.spectra is not None
    off, spread = (((true.spectra - other) ** 2).sum(0) for other in (spectra, true.spectra.mean(0)))
    each = [round(1 - o / s, 3) if s > 0 else None for o, s in zip(off, spread, strict=True)]
    return crystals.errors(spectra, true) | {"r2_each": each}


def grown(args: argparse.Namespace, part: str, model: str, divided: bool, seed: int) -> dict[str, Any]:
    """A line of trees."""
    train, true = known(args, part)
    start = time.process_time()
    found = models.crystal_trees(model, train, true, seed)
    seconds = time.process_time() - start
    found = found / found.max(1, keepdims=True) if divided else found
    line = {"model": model, "divided": divided, "seed": seed, "number": len(train), "test_number": len(true)}
    return line | judged(found, true) | {"cpu_seconds": round(seconds, 1)} | training.runs.stamp()


def trained(args: argparse.Namespace, part: str, **given: Any) -> dict[str, Any]:
    """A line of a network: one call of the task."""
    checkpoint = args.kept / f"crystals-{part}-{'-'.join(map(str, given.values()))}.pt"
    which = (
        {"crystals": "alloys", "judge": "test"} if part == "alloys" else {"crystals": "phonon_dos", "folder": args.data}
    )
    net, report = crystals.run(**given, **which, checkpoint=checkpoint)
    for path in task.checkpoints(checkpoint):
        path.unlink()
    line = report | given | {"command": task.command(crystals.TASK, **given, **which)} | training.runs.stamp()
    if given["model"] == "committee":
        training.save_weights(net, committee(args, given["seed"]), half=True, **line)
        if given["seed"] == 0:
            training.save_weights(net, CHECKPOINTS / "crystals-committee.pt", half=True, **line)
    if (part, given["model"], given["seed"]) == ("alloys", BEST, 0):
        training.save_weights(net, CHECKPOINTS / "crystals-alloys.pt", **line)
    _, true = known(args, part)
    return line | judged(predicted(net, true), true)


def committee(args: argparse.Namespace, seed: int) -> Path:
    """The file of the weights of a seed's committee; that of seed 0 is in checkpoints/ too, as crystals-committee.pt."""
    return args.kept / f"crystals-committee-{seed}.pt"


def predicted(net: Any, true: data.Crystals) -> np.ndarray:
    """Spectra (n, F) of crystals."""
    return np.asarray(training.predict(net, data.CrystalGraphs(true, crystals.CUTOFF)))


def ensemble(args: argparse.Namespace, part: str, model: str, seed: int, divided: bool) -> dict[str, Any]:
    """A line of the mean of the kept committees; with trees: half of it, and half of extra-trees' spectra."""
    train, true = known(args, part)
    found = np.mean([predicted(training.load(committee(args, s)).network, true) for s in SEEDS], 0)
    if "trees" in model:
        found = (found + models.crystal_trees("extra-trees", train, true, seed)) / 2
    found = found / found.max(1, keepdims=True) if divided else found
    line = {"model": model, "seed": seed, "divided": divided, "test_number": len(true)}
    return line | judged(found, true) | training.runs.stamp()


def run(args: argparse.Namespace, part: str, **point: Any) -> dict[str, Any]:
    """A line of the log."""
    how = ensemble if part == "ensemble" else grown if point["model"] in KINDS else trained
    start = time.perf_counter()
    line = {"command": f"python benchmarks/crystals.py --part {part}"} | how(args, part, **point)
    return {"part": part, "seconds": round(time.perf_counter() - start, 1)} | line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS[:1])
    parser.add_argument("--models", nargs="+", choices=[*crystals.MODELS, *KINDS], help="these alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="with the public table (default: the cache's)")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "eqlib-crystals")
    parser.add_argument("--log", type=Path, default=RESULTS, help="several processes: one log each")
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    args.kept.mkdir(exist_ok=True)
    for part in args.part:
        training.runs.fill(args.log, points(part, args), partial(run, args), "test_error", args.again)


if __name__ == "__main__":
    main()
