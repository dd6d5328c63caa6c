"""Which predicted labels change when a digit is turned further; writes benchmarks/results/digits_turned.json.

    python benchmarks/digits_turned.py      # every run that the log lacks: about 4 minutes on one core

The networks are those of benchmarks/digits.py with 1,000 training images: same seeds, same steps, so the same accuracy.
Each of the 500 test digits is turned once from upright to its pose and once to its pose plus an angle (one interpolation
each), and the two labels are compared. A quarter turn maps pixels to pixels; the other angles also see the pixels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import digits
import runlog
import torch

from eqlib import train

RESULTS = Path(__file__).parent / "results" / "digits_turned.json"
IMAGES, SIZE = 1000, 21
NETWORKS = [name for name, steps in digits.STEPS.items() if steps]
ANGLES = (15, 30, 45, 60, 75, 90)


def run(model: str, seed: int) -> dict[str, object]:
    """One line of the log."""
    net, report = train.digits(model, IMAGES, seed, steps=digits.STEPS[model], size=SIZE, progress=False)
    assert net is not None
    changed = {str(angle): train.changed_labels(net, angle, seed, SIZE) for angle in ANGLES}
    command = f"python benchmarks/digits_turned.py --model {model} --seed {seed}"
    about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    report.pop("wrong", None)
    return {"command": command, **report, "changed": changed, **about}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=NETWORKS, help="this one alone, printed and not logged; with --seed")
    parser.add_argument("--seed", type=int, choices=digits.SEEDS, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.model is not None:
        print(json.dumps(run(args.model, args.seed)))
        return
    commit = runlog.commit()
    known = {(r["model"], r["seed"]) for r in runlog.lines(RESULTS)}
    for seed in digits.SEEDS:
        for model in NETWORKS:
            if (model, seed) in known:
                continue
            new = run(model, seed)
            print(f"{model:18s} seed {seed}: {new['changed']}", flush=True)
            runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
