"""Which predicted labels change when a digit is turned further; writes benchmarks/results/digits_turned.json.

    python benchmarks/digits_turned.py      # every run that the log lacks: about 4 minutes on one core

The networks are those of benchmarks/digits.py with 1,000 training images: same seeds, same steps, so the same accuracy.
Each of the 500 test digits is turned once from upright to its pose and once to its pose plus an angle (one interpolation
each), and the two labels are compared. A quarter turn maps pixels to pixels; the other angles also see the pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import digits as benchmark

from eqlib import training
from eqlib.tasks import digits

RESULTS = Path(__file__).parent / "results" / "digits_turned.json"
IMAGES = 1000
NETWORKS = [name for name, steps in benchmark.STEPS.items() if steps]
ANGLES = (15, 30, 45, 60, 75, 90)


def run(model: str, seed: int) -> dict[str, Any]:
    """One line of the log."""
    net, report = digits.run(model, IMAGES, seed, steps=benchmark.STEPS[model], progress=False)
    assert net is not None
    report.pop("wrong")
    changed = {str(angle): digits.changed_labels(net, angle, seed) for angle in ANGLES}
    command = f"python benchmarks/digits_turned.py --models {model} --seeds {seed}"
    return {"command": command, **report, "changed": changed, **training.runs.stamp()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=benchmark.SEEDS)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    args = parser.parse_args()
    points = [{"model": model, "seed": seed} for seed in args.seeds for model in args.models]
    training.runs.fill(RESULTS, points, run, "test_accuracy", args.again)


if __name__ == "__main__":
    main()
