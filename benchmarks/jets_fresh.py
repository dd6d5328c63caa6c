"""Top tagging on jets made for it: every network at 20,000 jets, judged on 40,000 QCD jets; writes jets_fresh.json.

    python tools/make_jets.py --jets 36000 --seed 4 --out a.npz                 # 20 to 40 minutes each
    python tools/make_jets.py --jets 34000 --seed 3 --only QCD --out b.npz
    python benchmarks/jets_fresh.py a.npz b.npz                                 # every run that the log lacks: many hours
    python benchmarks/jets_fresh.py a.npz b.npz --part rates --models particlenet
    python benchmarks/jets_fresh.py a.npz b.npz --part pairs                    # when the runs are there
    python tools/make_jets.py --jets 3000 --seed 5 --setup coupling --out coupling.npz
    python tools/make_jets.py --jets 3000 --seed 6 --setup underlying --out underlying.npz
    python benchmarks/jets_fresh.py a.npz b.npz --part setups --setups coupling.npz underlying.npz
    python tools/make_jets.py --jets 30000 --seed 7 --out large/train-1.npz     # and --seed 8 for train-2.npz
    python tools/make_jets.py --jets 4000 --seed 9 --out large/valid.npz        # and 1,000 of --seed 10 for test.npz
    python benchmarks/jets_fresh.py a.npz b.npz --part large --large large

Of the first file the first 20,000 training jets and the valid ones; the test jets are all others but those, and all of the
other files. Accuracy is the mean of those of the two classes, of which there need not be as many. A line has both figures on
these jets and on the 3,000 shipped test jets, and 1 / background where 100 QCD jets or more are left. Parts:

rates       three learning rates for each network, 6,000 jets, seed 0, no test; RATES holds that of the largest AUC of valid jets
runs        all networks at 20,000 jets, 10 epochs, three seeds
long        the same with other numbers of epochs
curve       500, 2,000 and 6,000 jets
particles   the Lorentz group network of 20 to 128 particles, 6,000 jets
large       60,000 other jets, streamed from the folder that --large names: ours and ParticleNet-Lite, six epochs, seed 0
full        ParticleNet at full strength, one seed: fourteen times the parameters, ten times the time, four epochs of 20,000
setups      networks and tree on jets of other set-ups of the generator, which --setups names: accuracy and AUC
pairs       of two runs on the same jets, where both are there: differences of accuracy and AUC with paired intervals

Checkpoints and the scores of the test jets stay in --kept, where the pairs look for them; the log has what they come to.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eqlib import data, models, training
from eqlib.data.augment import random_boosts
from eqlib.tasks import jets, task

RESULTS = Path(__file__).parent / "results" / "jets_fresh.json"
CHECKPOINTS = RESULTS.parents[2] / "checkpoints"
SEEDS = (0, 1, 2)
JETS, EPOCHS = 20_000, 10
DEFAULT = 3e-3
# Of the tries in the log; who is not named learns best at the default.
RATES = {"deep-sets": 9e-3}
# The networks of these have the learning rate of the network they are a variant of.
VARIANTS = {"lorentz-types": "lorentz", "lorentz-beam": "lorentz", "particlenet-augmented": "particlenet"}
TRIES = (1e-3, DEFAULT, 9e-3)
TREES = ("mass", "tree", "tree-50")  # the last: observables of the 50 hardest particles
NETWORKS = (
    "lorentz",
    "lorentz-small",
    "invariants",
    "linear",
    "pure",
    "particlenet",
    "transformer",
    "deep-sets",
)
OPTIONS = ("lorentz-types", "lorentz-beam")
LONG = {"lorentz": (20,), "particlenet": (30,)}
FEW = {500: 40, 2000: 20, 6000: 10}  # jets: epochs, so that few jets are not few steps
LARGE = (60_000, 6)  # jets and epochs: half an hour of one core for the Lorentz group network
FULL = 4  # epochs, an hour and a quarter
GAMMAS = (2.0, 10.0)  # of the boosts under which the shipped test jets are judged again, each about an axis of its own
SIZES = (20, 30, 80, 128)  # particles, beside the 50 of the curve
ONCE = (*OPTIONS, "particlenet-full")  # seed 0 alone
BESIDE = {"lorentz": (*NETWORKS[1:], *ONCE, *TREES), "lorentz-small": ("particlenet", "tree")}


def points(part: str, asked: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The runs of a part, each by everything that tells it from the others."""

    def one(model: str, seed: int, number: int = JETS, epochs: int = EPOCHS, **other: Any) -> dict[str, Any]:
        lr = RATES.get(VARIANTS.get(model, model), DEFAULT)
        made = {"part": part, "model": model, "jets": number, "epochs": epochs, "particles": 50, "lr": lr, "seed": seed}
        if model in TREES:
            made |= {"epochs": None, "lr": None, "particles": 50 if model == "tree-50" else None}
        return made | {"beside": None} | other

    if part == "rates":
        return [one(m, 0, 6000, lr=lr) for m in asked if m in NETWORKS for lr in TRIES]
    if part == "runs":
        return [one(m, s) for s in seeds for m in asked if s == 0 or m not in OPTIONS]
    if part == "long":
        return [one(m, s, epochs=n) for s in seeds for m in asked for n in LONG.get(m, ())]
    if part == "curve":
        names = ("lorentz", "lorentz-small", "particlenet", "tree")
        return [one(m, s, number, n) for s in seeds for number, n in FEW.items() for m in asked if m in names]
    if part == "particles":
        return [one(m, s, 6000, particles=n) for s in seeds for m in asked if m == "lorentz" for n in SIZES]
    if part == "setups":
        return [one(m, s) for s in seeds for m in asked if m not in ("mass", "tree-50") and m not in OPTIONS]
    if part == "large":
        return [one(m, s, *LARGE) for s in seeds if s == 0 for m in asked if m in ("lorentz", "particlenet")]
    if part == "full":
        return [one("particlenet-full", s, epochs=FULL) for s in seeds if s == 0]
    both = [one(m, s, beside=o) for s in seeds for m in asked for o in BESIDE.get(m, ()) if s == 0 or o not in ONCE]
    return both + [one(m, s, *LARGE, beside="particlenet") for s in seeds if s == 0 for m in asked if m == "lorentz"]


class Files:
    """The jets of the command line, and what each kind of tagger makes of them, formed once."""

    def __init__(
        self, paths: Sequence[Path], folder: Path, setups: Sequence[Path] = (), large: Path | None = None
    ) -> None:
        self.paths, self.folder, self.setups, self.large = paths, folder, setups, large
        self.sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        self.inputs = functools.lru_cache(4)(self._inputs)
        # A tree's observables, (n, 5), of the training jets and of each of `test`.
        self.tables = functools.lru_cache(2)(self._tables)

    @functools.cached_property
    def test(self) -> dict[str, data.Jets]:
        """Fresh ones, file by file and of the first in two parts; the shipped ones, as they are and boosted."""
        train, test = (data.jets(split, path=self.paths[0], checksum=None) for split in ("train", "test"))
        own = [train[JETS:], test, *(data.JetFiles([path]).read_all() for path in self.paths[1:])]
        shipped = data.jets("test")
        boosted = {f"gamma {gamma:g}": shipped.moved(random_boosts(len(shipped), gamma, 0)) for gamma in GAMMAS}
        return {f"fresh {n}": one for n, one in enumerate(own)} | {"shipped": shipped} | boosted

    def split(self, tops: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Scores of all of `test`, by name; the fresh ones together."""
        parts = np.split(tops, np.cumsum([len(one) for one in self.test.values()])[:-1])
        found = dict(zip(self.test, parts, strict=True))
        fresh = [found.pop(name) for name in self.test if name.startswith("fresh")]
        return {"fresh": np.concatenate(fresh)} | found

    @functools.cached_property
    def labels(self) -> NDArray[np.int64]:
        """Of the fresh test jets."""
        return np.concatenate([one.labels for name, one in self.test.items() if name.startswith("fresh")])

    def _inputs(self, frame: str, particles: int, extra: str | None) -> list[data.JetInputs]:
        return [data.JetInputs(one, frame, particles, extra=extra) for one in self.test.values()]

    def taken(self, model: str, particles: int) -> list[data.JetInputs]:
        """`test` as this model takes them."""
        return self.inputs(jets.frame(model), particles, jets.MODELS[model].options.get("extra"))

    def _tables(self, name: str) -> list[NDArray[np.float64]]:
        known = data.jets("train", JETS, path=self.paths[0], checksum=None)
        change: dict[str, Any] = {"most": 50, "taus": None} if name == "tree-50" else {}
        files = [dataclasses.replace(one, **change) for one in (known, *self.test.values())]
        return [np.column_stack(data.observables(one)) for one in files]

    def place(self, ending: str, sums: Sequence[str], **point: Any) -> Path:
        """Where what a run made of the files of these sums is kept."""
        name = "-".join(str(point[key]) for key in ("model", "jets", "epochs", "particles", "lr", "seed"))
        return self.folder / f"{hashlib.sha256(''.join(sums).encode()).hexdigest()[:8]}-{name}{ending}"

    def scores(self, **point: Any) -> Path:
        """Of a run, on `test`: those of all jets, shipped ones last."""
        return self.place(".npy", self.sums, **point)

    def both(self, beside: str, **point: Any) -> list[Path]:
        """The scores of a run and of the one that it is paired with, of equal seed."""
        part = "full" if beside == "particlenet-full" else "runs" if point["jets"] == JETS else "large"
        other = next(p for p in points(part, [beside], SEEDS) if p["seed"] == point["seed"])
        return [self.scores(**p) for p in (point, other)]

    def trained(self, **point: Any) -> tuple[torch.nn.Module, dict[str, Any]]:
        """The network of a run and its report; from its checkpoint, which needs the first file only, if it was trained before."""
        given = {"model": point["model"], "number": point["jets"], "seed": point["seed"]}
        given |= {name: point[name] for name in ("epochs", "lr", "particles")}
        source = self.paths[0] if point["jets"] <= JETS else self.large
        if source is None:
            raise SystemExit(f"large: got no folder of {point['jets']:,} training jets: --large FOLDER")
        kept = self.place(".pt", self.sums[:1], **point)
        net, report = jets.run(**given, folder=source, checkpoint=kept)
        assert net is not None
        names = ("parameters", "best_epoch", "seconds", "cpu_seconds")
        run = task.command("jets", **given, folder=source).replace("FOLDER", source.name)
        return net, {"run": run} | {name: report[name] for name in names}


def run(files: Files, **point: Any) -> dict[str, Any]:
    """A line of the log."""
    given = " ".join(str(path.name) for path in files.paths)
    command = f"python benchmarks/jets_fresh.py {given} --part {point['part']} --models {point['model']}"
    line = {"command": f"{command} --seeds {point['seed']}", "sha256": files.sums, **point}
    how = pair if point["beside"] else elsewhere if point["part"] == "setups" else scored
    line |= how(files, **point)
    return {key: value for key, value in line.items() if value is not None} | training.runs.stamp()


def scored(files: Files, part: str, beside: None, **point: Any) -> dict[str, Any]:
    """Train, judge, and keep the scores; a run that another part has made before is not trained again."""
    model, number, seed = point["model"], point["jets"], point["seed"]
    report: dict[str, Any] = {}
    if model in TREES:
        start = time.perf_counter()
        tables = files.tables("tree-50" if model == "tree-50" else "tree")
        columns = slice(0, 1) if model == "mass" else slice(None)
        known = data.jets("train", number, path=files.paths[0], checksum=None)
        tops = models.boosted_tree(
            tables[0][:number, columns], known.labels, np.concatenate(tables[1:])[:, columns], seed
        )
        report["seconds"] = round(time.perf_counter() - start, 1)
    else:
        net, report = files.trained(**point)
        valid = data.jets("valid", path=files.paths[0], checksum=None)
        report["valid_auc"] = round(
            training.auc(jets.scores(net, jets.inputs(model, valid, point["particles"])), valid.labels), 5
        )
        if part == "rates":
            return report
        tops = np.concatenate([jets.scores(net, one) for one in files.taken(model, point["particles"])])
    np.save(files.scores(**point), tops)
    by = files.split(tops)
    shipped = files.test["shipped"].labels
    report |= judge(by["fresh"], files.labels) | {"shipped": judge(by["shipped"], shipped)}
    right = (by["shipped"] > 0.5) == shipped
    report["shipped"] |= {"right": training.runs.bits(right), "ranks": training.runs.ranks(by["shipped"])}
    report["boosted"] = {
        name: round(float(((by[name] > 0.5) == shipped).mean()), 5) for name in by if name.startswith("gamma")
    }
    if part == "runs" and model == "lorentz" and seed == 0:
        notes = {key: value for key, value in report.items() if key not in ("run", "rejection", "shipped")}
        notes |= {"task": "jets", "model": model, "seed": seed, "command": report["run"]}
        notes |= {"sizes": {"particles": point["particles"]}, "jets": number} | training.runs.stamp()
        training.save_weights(net, CHECKPOINTS / "jets-lorentz-20000.pt", **notes)
    return report


def judge(tops: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy and AUC, and 1 / background, with their intervals where they have one."""
    accuracy, *interval = balanced((tops > 0.5) == labels, labels)
    lost = {str(e): training.bootstrap_rejection(tops, labels, e) for e in (0.3, 0.5, 0.7)}
    return {
        "test_jets": len(labels),
        "accuracy": accuracy,
        "interval": interval,
        "auc": round(training.auc(tops, labels), 5),
        "rejection": {e: [round(x, 1) for x in values] for e, values in lost.items() if values is not None},
    }


def balanced(values: NDArray[Any], labels: NDArray[np.int64], resamples: int = 500) -> list[float]:
    """The mean over the classes of the mean in each, and its percentile bootstrap interval; each class is drawn by itself."""
    rng, means = np.random.default_rng(0), []
    for kind in (0, 1):
        own = np.asarray(values[labels == kind], dtype=np.float64)
        means.append([own.mean(), *(own[rng.integers(len(own), size=len(own))].mean() for _ in range(resamples))])
    middle, *drawn = np.mean(means, axis=0)
    return [round(float(x), 5) for x in (middle, *np.quantile(drawn, [0.025, 0.975]))]


def elsewhere(files: Files, part: str, beside: None, **point: Any) -> dict[str, Any]:
    """What a run comes to on jets of other set-ups; the log's `auc` is the lowest."""
    start, found = time.perf_counter(), {}
    asked = {path.stem: data.JetFiles([path]).read_all() for path in files.setups}
    if not asked:
        raise SystemExit("setups: got no files: --setups NPZ...")
    if point["model"] in TREES:
        known = data.jets("train", point["jets"], path=files.paths[0], checksum=None)
        tops = jets.tree_scores(point["model"], known, [*asked.values()], point["seed"])
        parts = np.split(tops, np.cumsum([len(one) for one in asked.values()])[:-1])
    else:
        net, _ = files.trained(**point)
        parts = [jets.scores(net, jets.inputs(point["model"], one, point["particles"])) for one in asked.values()]
    for (name, one), scores in zip(asked.items(), parts, strict=True):
        found[name] = judge(scores, one.labels)
    seconds = round(time.perf_counter() - start, 1)
    return {"setups": found, "auc": min(one["auc"] for one in found.values()), "seconds": seconds}


def pair(files: Files, beside: str, **point: Any) -> dict[str, Any]:
    """Two runs of equal seed and jets on the same test jets."""
    start = time.perf_counter()
    both = files.both(beside=beside, **point)
    tops, labels = [np.load(path)[: len(files.labels)] for path in both], files.labels
    one, two = ((t > 0.5) == labels for t in tops)
    return {
        "auc": round(training.auc(tops[0], labels), 5),
        "accuracy_difference": balanced(one.astype(float) - two, labels),
        "auc_difference": [round(x, 5) for x in training.paired_auc(*tops, labels, resamples=200)],
        "seconds": round(time.perf_counter() - start, 1),
    }


def markdown(log: Sequence[dict[str, Any]]) -> list[str]:
    """The tables of docs/tagging.md: learning rates, all runs at 20,000 jets, differences, set-ups, sizes, particles."""

    def of(part: str, **wanted: Any) -> list[dict[str, Any]]:
        found = [run for run in log if run["part"] == part and all(run.get(k) == v for k, v in wanted.items())]
        return sorted(found, key=lambda run: run["seed"])

    def line(words: Sequence[str]) -> str:
        return f"| {' | '.join(words)} |"

    def hundredths(values: Sequence[float]) -> str:
        middle, low, high = (100 * x for x in values)
        return f"{middle:+.2f} ({low:+.2f}, {high:+.2f})"

    def lost(run: dict[str, Any], efficiency: str) -> str:
        return (
            "{:.0f} ({:.0f}, {:.0f})".format(*found) if (found := run["rejection"].get(efficiency)) else "too few left"
        )

    def together(runs: Sequence[dict[str, Any]], words: str, *path: str, scale: float = 1) -> str:
        values = [functools.reduce(lambda d, key: d[key], path, run) for run in runs]
        return ", ".join(words.format(scale * value) for value in values)

    def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        return "\n".join(line(row) for row in (head, ["---"] * len(head), *rows)) + "\n"

    def areas(model: str) -> list[str]:
        return [f"{of('rates', model=model, lr=lr)[0]['valid_auc']:.4f}" for lr in TRIES]

    tried = list(dict.fromkeys(run["model"] for run in log if run["part"] == "rates"))
    found = [table(["AUC of the valid jets, at a learning rate of", *map(str, TRIES)], [[m, *areas(m)] for m in tried])]
    made = {run["model"]: of("runs", model=run["model"]) for run in log if run["part"] == "runs"}
    order, rows = sorted(made, key=lambda model: -made[model][0]["auc"]), []
    for model in order:
        runs = made[model]
        shown = [together(runs, "{}", "seed"), together(runs, "{:.2f}", "accuracy", scale=100)]
        shown += [together(runs, "{:.4f}", "auc"), lost(runs[0], "0.5"), lost(runs[0], "0.3")]
        shown += [
            together(runs, "{:.1f}", "shipped", "accuracy", scale=100),
            together(runs, "{:.3f}", "shipped", "auc"),
        ]
        shown += [together(runs, "{:.1f}", "boosted", "gamma 10", scale=100)]
        rows.append([model, *shown, f"{runs[0].get('cpu_seconds', runs[0]['seconds']) / 60:.1f}"])
    head = ("", "seeds", "accuracy", "AUC", "1 / background at 50 %", "at 30 %", "shipped: accuracy", "AUC")
    found.append(table((*head, "at gamma = 10", "minutes"), rows))
    rows = []
    for run in sorted(of("pairs"), key=lambda run: (run["jets"], run["model"], run["beside"], run["seed"])):
        both = (hundredths(run[f"{what}_difference"]) for what in ("accuracy", "auc"))
        name = f"{run['model']} - {run['beside']}" + (f", {run['jets']:,} jets" if run["jets"] != JETS else "")
        rows.append([name, str(run["seed"]), *both])
    found.append(table(("", "seed", "accuracy, in points", "AUC, in hundredths"), rows))
    places = sorted({place for run in of("setups") for place in run["setups"]})
    rows = []
    for run in sorted(of("setups"), key=lambda run: (order.index(run["model"]), run["seed"])):
        both = (run["setups"][place] for place in places)
        rows.append([run["model"], str(run["seed"]), *(f"{100 * x['accuracy']:.2f}, {x['auc']:.4f}" for x in both)])
    found.append(table(["", "seed", *(f"{place}: accuracy, AUC" for place in places)], rows))

    def short(runs: Sequence[dict[str, Any]]) -> str:
        return f"{together(runs, '{:.2f}', 'accuracy', scale=100)}; {together(runs, '{:.4f}', 'auc')}" if runs else ""

    by_size = {number: "curve" for number in FEW} | {JETS: "runs", LARGE[0]: "large"}
    names = [model for model in order if of("curve", model=model)]
    rows = [[m, *(short(of(part, model=m, jets=number)) for number, part in by_size.items())] for m in names]
    full = of("full")
    rows += [[full[0]["model"], "", "", "", short(full), ""]] if full else []
    found.append(table(["accuracy; AUC, after training on", *(f"{number:,}" for number in by_size)], rows))
    few = [*of("particles"), *of("curve", model="lorentz", jets=6000, seed=0)]
    rows = [
        [str(run["particles"]), short([run]), f"{run['cpu_seconds'] / 60:.1f}"]
        for run in sorted(few, key=lambda run: run["particles"])
    ]
    return [*found, table(["particles", "accuracy; AUC", "minutes"], rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("rates", "runs", "long", "curve", "particles", "large", "full", "setups", "pairs")
    names = (*NETWORKS, *OPTIONS, *TREES)
    parser.add_argument(
        "--markdown", action="store_true", help="the tables of docs/tagging.md, from the log; nothing is run"
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="NPZ", help="of make_jets.py; the first one to train on")
    parser.add_argument("--part", choices=parts, nargs="+", help="default: all that can be run")
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--setups", nargs="*", type=Path, default=(), metavar="NPZ", help="of make_jets.py --setup")
    parser.add_argument("--large", type=Path, metavar="FOLDER", help="shards of make_jets.py: train*, valid*, test*")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "eqlib-jets-fresh")
    parser.add_argument("--log", type=Path, default=RESULTS, help="several processes: one log each")
    args = parser.parse_args()
    if args.markdown:
        return print("\n".join(markdown(training.runs.read(args.log))))
    if not args.files:
        parser.error("files: got none, expected those of make_jets.py")
    args.kept.mkdir(exist_ok=True)
    files = Files(args.files, args.kept, args.setups, args.large)
    needs = {"setups": args.setups, "large": args.large}
    for part in args.part or [part for part in parts if needs.get(part, True)]:
        asked = points(part, args.models, args.seeds)
        if part == "pairs":  # of what is there
            asked = [point for point in asked if all(path.exists() for path in files.both(**point))]
        show = "valid_auc" if part == "rates" else "auc"
        training.runs.fill(args.log, asked, functools.partial(run, files), show)


if __name__ == "__main__":
    main()
