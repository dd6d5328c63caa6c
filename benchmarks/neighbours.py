"""Time and memory of neighbour searches in open space and in crystals; writes benchmarks/results/neighbours.json.

    python benchmarks/neighbours.py                      # every run that the log lacks, then the table
    python benchmarks/neighbours.py --points 1000 10000  # some of them
    python benchmarks/neighbours.py --again              # logged runs too, beside the log
    python benchmarks/neighbours.py --table              # the table of the log, nothing run

Points are uniform in a cube, float32, with 50 others within the cut-off of each on average; in a crystal the cube is the cell.
`eqlib` is `graphs.neighbours`: edges in order, with their vectors and all checks. `tree` is scipy's k-d tree alone, built and
asked for every pair once, in open space, with no order and no vectors. `ase` is ASE's `primitive_neighbor_list("ijSD")`. Each
run is a process of its own, on one thread; `seconds` is the least processor time of three, `megabytes` what the searches
added to the largest size of the process.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from eqlib.training import runs

RESULTS = Path(__file__).parent / "results" / "neighbours.json"
POINTS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
NEIGHBOURS, DENSITY = 50, 0.1  # of each point, and points in a cubic angstrom
CUTOFF = float((3 * NEIGHBOURS / (4 * np.pi * DENSITY)) ** (1 / 3))  # angstrom
# ASE's memory grows by 60 MB a thousand points.
SEARCHES = {
    "eqlib open": POINTS,
    "eqlib periodic": POINTS,
    "tree open": POINTS,
    "ase open": POINTS[:3],
    "ase periodic": POINTS[:3],
}


def search(name: str, points: int) -> Callable[[], int]:
    """The search, ready to run: it returns how many edges it found."""
    library, kind = name.split()
    side = (points / DENSITY) ** (1 / 3)
    x = np.random.default_rng(0).uniform(0, side, (points, 3)).astype(np.float32)
    if library == "eqlib":
        import torch

        from eqlib import graphs

        torch.set_num_threads(1)
        cell = torch.eye(3) * side if kind == "periodic" else None
        return lambda: len(graphs.neighbours(torch.from_numpy(x), CUTOFF, cell))
    if library == "tree":
        from scipy.spatial import cKDTree

        return lambda: 2 * len(cKDTree(x.astype(np.float64)).query_pairs(CUTOFF, output_type="ndarray"))
    from ase.neighborlist import primitive_neighbor_list

    periodic = [kind == "periodic"] * 3
    return lambda: len(primitive_neighbor_list("ijSD", periodic, np.eye(3) * side, x.astype(np.float64), CUTOFF)[0])


def here(name: str, points: int) -> dict[str, Any]:
    """Run one search in this process."""
    search(name, 100)()  # imports
    made, process = search(name, points), psutil.Process()
    before, seconds = process.memory_info().rss, []
    peak = before
    for _ in range(3):
        start = time.process_time()
        edges = made()
        seconds.append(time.process_time() - start)
        peak = max(peak, _largest(process))
    return {"edges": edges, "seconds": round(min(seconds), 5), "megabytes": round((peak - before) / 2**20, 1)}


def _largest(process: psutil.Process) -> int:
    """The largest size so far, bytes; where the system does not say, the size now."""
    if sys.platform == "win32":
        return int(process.memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(search: str, points: int, seed: int) -> dict[str, Any]:
    """One line of the log, from a fresh process. `seed` only numbers the repetitions."""
    (found,) = runs.elsewhere(sys.executable, __file__, [search, points])
    command = f'python benchmarks/neighbours.py --search "{search}" --points {points}'
    return {"command": command, "search": search, "points": points, "seed": seed} | found | {"threads": 1}


def exponent(search: str, of: str = "points") -> float:
    """Of the number of points, or of "edges", in the time of a search: the slope of log time by least squares.

    In open space a small cube is nearly all surface: 37 neighbours a point of 1,000, 48 of 300,000. Then edges say more.
    """
    logged = [line for line in runs.read(RESULTS) if line["search"] == search]
    sizes = sorted({line[of] for line in logged})
    times = [min(line["seconds"] for line in logged if line[of] == size) for size in sizes]
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def table() -> str:
    """Of the log: seconds, and megabytes, of each search and number of points, and the exponent."""
    found = [runs.values(RESULTS, value, by=("search", "points")) for value in ("seconds", "megabytes")]
    lines = ["search           " + "".join(f"{points:>17,}" for points in POINTS) + "   exponent of points, of edges"]
    for name in SEARCHES:
        cells = [[min(f[name, n]) if (name, n) in f else None for f in found] for n in POINTS]
        texts = [f"{s:9.3f} s {m:4.0f} MB" if s is not None else "-" for s, m in cells]
        slopes = f"{exponent(name):11.2f}{exponent(name, 'edges'):11.2f}"
        lines.append(f"{name:17}" + "".join(f"{text:>17}" for text in texts) + slopes)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--points", nargs="+", type=int, choices=POINTS, default=list(POINTS))
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    parser.add_argument("--table", action="store_true", help="print the log's table and run nothing")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(*args.here)))
        return
    if not args.table:
        # Searches side by side, so that a busy moment of the machine is nobody's.
        points = [
            {"search": name, "points": n, "seed": seed}
            for n in args.points
            for seed in (0, 1, 2)
            for name in args.search
            if n in SEARCHES[name]
        ]
        runs.fill(RESULTS, points, run, "seconds", args.again)
    print(table())


if __name__ == "__main__":
    main()
