"""PointConv and Harmonics beside e3nn and sphericart: time, memory, growth; writes benchmarks/results/points.json.

    pip install -e ".[bench]" -c constraints.txt
    python benchmarks/points.py                              # every run that the log lacks, without e3nn under torch.compile
    python benchmarks/points.py --only a f --degrees 2 4     # some of them: the letters stand below
    python benchmarks/points.py --only a --compiled          # with it: needs a C++ compiler, and minutes
    python benchmarks/points.py --only a --degrees 2 --again # anew, beside the log, which is left as it is
    python benchmarks/points.py --small                      # all of it at a small size, in a minute; nothing is written
    python benchmarks/points.py --table                      # the log as a table
    python benchmarks/points.py --plot docs/points.png       # as a picture over l, with the table of docs/speed.md

a  weights: a layer with weights given for each edge, forward and backward (`edge_layers.py` says which)
b  radial: with a radial network of its own
c  positions, forces, training: gradients to positions, forces, and a step of training on forces (second derivatives)
d  memory of a, b and c
e  same function: eqlib's and e3nn's outputs and gradients on the same weights, in float64
f  harmonics, l = 1 ... 11, of 10,000 points, forward, and forward and backward
g  building a layer, each kind in a process of its own
h  growth with edges, channels and l, e3nn's beside it
i  floor: time to move the bytes of a once, at the speed of a copy of 256 MB that is measured in the same minute
j  products: TensorProduct alone on 2,000 rows, depthwise with weights for each row or of all channels; irrep matrices, forward

a, b, c: float32, 2,000 edges between 200 points, 32 channels at l <= 2, 16 above; harmonics and frames are made in each pass.
Each run is a fresh process on one thread. Times are processor time, in milliseconds, medians of at least five rounds after a
warm-up; a round times each library once, in an order that turns. `ratio` is the median over rounds of e3nn's time by that
library's in the same round: a machine that others use drifts, and ratios do so less. eqlib stands there once for each engine.
e3nn runs as it does by default, eager under this torch; under torch.compile it is its whole layer that is compiled, and
`compile_s` is wall time until the first pass is done. A second derivative it cannot compile, so training is left out there.
Memory is the high-water mark of the resident set during one pass, less what was resident before it, in MB: the inputs, the
same for all, stand beside it, and a pass over 64 edges went before. It needs Linux, whose mark can be set back.
`value` of a line is what it is kept for: the best engine's ratio (a, b, c, f, j), memory by e3nn's (d), largest relative
difference (e), seconds (g), exponent of the best engine (h), the best engine's time by the floor (i).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from edge_layers import CASES
from points_measures import MEASURES, SIZES, peak
from points_table import markdown, plot, table

from eqlib.training import runs

RESULTS = Path(__file__).parent / "results" / "points.json"
SEEDS, DEGREES, HARMONICS = (0, 1, 2), (2, 4, 6), tuple(range(1, 12))
Point = dict[str, Any]
LETTERS = {
    "a": [("step", "weights")],
    "b": [("step", "radial")],
    "c": [("step", case) for case in CASES[2:]],
    "d": [("memory", case) for case in CASES],
    "e": [("same", case) for case in CASES],
    "f": [("harmonics", "forward"), ("harmonics", "backward")],
    "g": [("build", kind) for kind in ("weights", "radial", "mixing", "all paths", "harmonics")],
    "h": [("growth", axis) for axis in ("edges", "channels", "degree")],
    "i": [("floor", "weights")],
    "j": [("products", kind) for kind in ("depthwise", "all channels", "matrices")],
}


def points(letters: list[str], degrees: list[int], seeds: list[int], compiled: bool) -> Iterator[Point]:
    """What a line is of; harmonics have degrees of their own, growth one."""
    kinds = [kind for letter in letters for kind in LETTERS[letter]]
    kinds += [("compiled", case) for measure, case in kinds if compiled and measure == "step" and case != "training"]
    for seed in seeds:
        for measure, of in kinds:
            if measure == "compiled" and seed:
                continue  # minutes of compiling: once
            own = {"harmonics": HARMONICS, "growth": (4,)}.get(measure, tuple(degrees))
            yield from ({"measure": measure, "of": of, "degree": degree, "seed": seed} for degree in own)


def here(measure: str, of: str, degree: int, size: str = "full") -> dict[str, Any]:
    """Measure in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    start = time.perf_counter()
    found = MEASURES[measure](of, degree, SIZES[size])
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def run(measure: str, of: str, degree: int, seed: int, size: str = "full") -> dict[str, Any]:
    """One line of the log, from a fresh process. Problems are drawn from one seed: `seed` only numbers the repetitions."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    (found,) = runs.elsewhere(sys.executable, __file__, [measure, of, degree, size])
    letter = next(letter for letter, kinds in LETTERS.items() if (measure.replace("compiled", "step"), of) in kinds)
    command = f"python benchmarks/points.py --only {letter} --degrees {degree}" + " --compiled" * (
        measure == "compiled"
    )
    line = {"command": command, "measure": measure, "of": of, "degree": degree, "seed": seed}
    return line | found | {"torch": torch.__version__, "threads": 1, "load": load}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=LETTERS, default=list(LETTERS))
    parser.add_argument("--degrees", nargs="+", type=int, default=list(DEGREES))
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=list(SEEDS), help="repetitions")
    parser.add_argument("--compiled", action="store_true", help="e3nn under torch.compile as well, for a, b and c")
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    parser.add_argument("--small", action="store_true", help="small problems, seed 0, printed and not logged")
    parser.add_argument("--table", action="store_true", help="print the log and run nothing")
    parser.add_argument("--plot", metavar="FILE", help="draw the log and run nothing")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    wanted = points(args.only, args.degrees, [0] if args.small else args.seeds, args.compiled)
    if args.here:
        kind, *rest = args.here
        print(json.dumps(peak(*rest[:-1], SIZES[rest[-1]]) if kind == "peak" else here(kind, *rest)))
    elif args.small:
        print(table([point | here(*list(point.values())[:3], "small") for point in wanted]))
    else:
        if not (args.table or args.plot):
            runs.fill(RESULTS, wanted, run, "value", args.again)
        if args.plot:
            plot(runs.read(RESULTS), args.plot)
        print((markdown if args.plot else table)(runs.read(RESULTS)))


if __name__ == "__main__":
    main()
