"""What a training step of the Lorentz group network costs, beside an older commit's; results/jets_speed.json, docs/jets_*.png.

    git worktree add /tmp/older a597038
    python benchmarks/jets_speed.py --against /tmp/older      # some three minutes, on an idle core
    python benchmarks/jets_speed.py                           # without the other

The network of the original's kind: three layers, channels 2-4-4-2, irreps up to (2,2), hidden networks of width 16, and no
basis of masses, which the older one lacks. One thread, process time, the shipped jets, a step of forward, backward and Adam.
Every size is measured in a process of its own, ours and the other's by turns; each is the median of its steps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eqlib import data, training, viz

ROOT = Path(__file__).resolve().parents[1]
RESULTS, DOCS = Path(__file__).parent / "results" / "jets_speed.json", ROOT / "docs"
BATCH, STEPS, ROUNDS = 8, 20, 3
PARTICLES = (12, 25, 50, 100, 200)
IRREPS = {1: ["(1,1)"], 2: ["(1,1)", "(2,0)", "(2,2)"], 3: ["(1,1)", "(2,0)", "(2,2)", "(3,1)", "(3,3)"]}
IRREPS[4] = [*IRREPS[3], "(4,0)", "(4,2)", "(4,4)"]

# Runs with either package: arguments are a file of jets and the network's; prints one line.
WORKER = """
import json, re, sys, time
import numpy as np, torch
torch.set_num_threads(1)
from eqlib import groups, models, training
torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)  # as `training.fit` does: memory of one step serves the next
import eqlib
path, given, steps, train, engine, folder = json.loads(sys.argv[1])
assert eqlib.__file__.startswith(folder), eqlib.__file__
if engine:
    from eqlib import products
    products.using(engine).__enter__()
with np.load(path) as file:
    momenta, mask, labels = (torch.as_tensor(file[name]) for name in ("momenta", "mask", "labels"))
torch.manual_seed(0)
net = models.LorentzGroupNetwork(groups.Lorentz(), **given)
optimizer = torch.optim.Adam(net.parameters(), fused=True)


def step():
    if not train:
        with torch.no_grad():
            return net(momenta, mask)
    optimizer.zero_grad()
    training.cross_entropy(net(momenta, mask), labels).backward()
    optimizer.step()


def peak():
    with open("/proc/self/status") as file:  # not getrusage, whose peak a process inherits from the one that starts it
        return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) / 1024


net.train(train)
if steps:
    for _ in range(3):
        step()
    times = []
    for _ in range(steps):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    print(json.dumps({"ms": 1e3 * float(np.median(times)) / len(mask), "parameters": sum(p.numel() for p in net.parameters())}))
else:  # memory above what is there before a batch, of many jets so that little else counts
    net(momenta[:2], mask[:2]).sum().backward()
    before = peak()
    step()
    print(json.dumps({"mb": (peak() - before) / len(mask)}))
"""


def measured(
    folder: Path,
    particles: int,
    jets: int = BATCH,
    steps: int = STEPS,
    train: bool = True,
    engine: str = "",
    **given: Any,
) -> dict[str, float]:
    """One process with the package of this folder: ms a jet and step, or with steps=0 MB a jet."""
    taken = data.JetInputs(data.jets("train", number=jets), "jet", particles)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "jets.npz"
        np.savez(path, momenta=taken.momenta, mask=taken.mask, labels=taken.labels)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [sys.executable, "-c", WORKER, json.dumps([str(path), given, steps, train, engine, str(folder)])]
        environment = os.environ | threads | {"PYTHONPATH": str(folder)}
        # Elsewhere, for python -c looks into the folder it stands in before all others.
        done = subprocess.run(command, env=environment, cwd=temporary, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{folder} with {given} failed: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def exponent(sizes: list[float], values: list[float]) -> float:
    """Of a power law through the last three."""
    return round(float(np.polyfit(np.log(sizes[-3:]), np.log(values[-3:]), 1)[0]), 2)


def run(seed: int, older: Path | None = None, steps: int = STEPS) -> dict[str, Any]:
    """A line of the log; seed: which round."""
    start = time.perf_counter()
    plain: dict[str, Any] = {"masses": None, "shares": None}
    kind: dict[str, Any] = {"channels": [2, 4, 4, 2]}
    ways = {
        "fast": (ROOT, kind | plain, "fast"),
        "torch": (ROOT, kind | plain, "torch"),
        "masses": (ROOT, kind, "fast"),
    }
    if older is not None:
        ways["older"] = (older, kind, "")
    ms = {
        name: measured(folder, 50, steps=steps, engine=engine, **given)["ms"]
        for name, (folder, given, engine) in ways.items()
    }
    by_particles = [measured(ROOT, n, steps=steps, **kind)["ms"] for n in PARTICLES]
    by_irreps = [measured(ROOT, 50, steps=steps, irreps=irreps, **kind)["ms"] for irreps in IRREPS.values()]
    memory = {"now": measured(ROOT, 100, jets=64, steps=0, **kind)["mb"]}
    if older is not None:
        memory["older"] = measured(older, 100, jets=64, steps=0, **kind)["mb"]
    small = {"channels": [2, 3, 3, 2], "scalars": 8, "hidden": 8}
    inference = measured(ROOT, 50, jets=100, steps=steps, train=False, **small)
    command = "python benchmarks/jets_speed.py" + (" --against a597038" if older is not None else "")
    return {
        "command": command,
        "seed": seed,
        "ms_a_jet": {name: round(x, 3) for name, x in ms.items()},
        "times_older": round(ms["older"] / ms["fast"], 2) if older is not None else None,
        "particles": {"n": list(PARTICLES), "ms": [round(x, 3) for x in by_particles]},
        "particles_exponent": exponent(list(PARTICLES), by_particles),
        "irreps": {"k": list(IRREPS), "ms": [round(x, 3) for x in by_irreps]},
        "irreps_exponent": exponent([k + 1 for k in IRREPS], by_irreps),
        "mb_a_jet_100": {name: round(x, 2) for name, x in memory.items()},
        "inference": {"parameters": inference["parameters"], "jets_a_second": round(1e3 / inference["ms"])},
        "seconds": round(time.perf_counter() - start, 1),
        **training.runs.stamp(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout of an older commit")
    args = parser.parse_args()
    points = [{"seed": seed} for seed in range(ROUNDS)]
    training.runs.fill(RESULTS, points, partial(run, older=args.against and args.against.resolve()), "times_older")
    lines = training.runs.read(RESULTS)
    for axis, sizes, label in (("particles", "n", "particles of a jet"), ("irreps", "k", "irreps up to (k,k)")):
        found = {"training step": np.array([line[axis]["ms"] for line in lines])}
        places = lines[0][axis][sizes]
        figure = viz.plot_spread(places, found, label, "ms a jet", log=True, log_y=True, size=(5.6, 2.8))
        figure.savefig(DOCS / f"jets_{axis}.png", dpi=100)


if __name__ == "__main__":
    main()
