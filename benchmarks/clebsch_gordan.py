"""Clebsch-Gordan tables: time and residual beside e3nn and lie-nn; writes benchmarks/results/clebsch_gordan.json.

    pip install -e ".[bench]" -c constraints.txt
    python benchmarks/clebsch_gordan.py                  # every run that the log lacks
    python benchmarks/clebsch_gordan.py --case "SO3 12"  # one of them
    python benchmarks/clebsch_gordan.py --again "SO3 6"  # one of them anew, beside the logged numbers

A case is a group and a bound, and the table is every triple a (x) b -> c of irreps up to it. Each run is a process of its own, on
one thread, with nothing computed before; the import is not counted, for nobody. `seconds` is processor time for the table,
`residual` the largest entry of C (X_a (x) 1 + 1 (x) X_b) - X_c C over the table and the generators X that the library itself
gives for its irreps, relative to the largest of those X, taken afterwards. `numbers` counts entries.

The libraries do not make quite the same tables. e3nn and lie-nn have real bases for SO(3); for the Lorentz group lie-nn's irreps
(k,n) are complex and (n,k) is another one, where eqlib has one real irrep of twice the dimension: its table is shorter and
its tensors are larger. For SU(3) lie-nn's are complex as well, and its tensors into the 8 are wrong: even the one of
1 (x) 8 -> 8, which can only be a multiple of the identity, is none.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from eqlib.training import runs

RESULTS = Path(__file__).parent / "results" / "clebsch_gordan.json"
Table = Iterator[tuple[Any, Any, Any, Callable[[], Any]]]  # three irreps, and what makes their tensor


def eqlib_irreps(group: str, bound: int) -> tuple[Any, list[Any]]:
    """The group and its irreps up to the bound: l for SO(3) and O(3), k + n for Lorentz, dimension over C for SU(3)."""
    from eqlib import groups

    g = groups.SU(3) if group == "SU3" else getattr(groups, group)()
    if group in ("SO3", "O3"):
        parities = "eo" if group == "O3" else [""]
        return g, [g.irrep(f"{l}{p}") for l in range(bound + 1) for p in parities]
    if group in ("Lorentz", "SL2C"):
        pairs = [(k, n) for k in range(bound + 1) for n in range(k + 1) if k + n <= bound]
        return g, [g.irrep(f"({k},{n})") for k, n in pairs if group == "SL2C" or (k + n) % 2 == 0]
    found = []
    for a in g.irreps():
        if a.dim > 2 * bound:
            return g, found
        if a.dim // a.endo <= bound:
            found.append(a)
    return g, found


def table_eqlib(group: str, bound: int) -> Table:
    g, irreps = eqlib_irreps(group, bound)
    for a, b in itertools.product(irreps, irreps):
        for c in g.tensor_product(a, b):
            if c in irreps:
                yield a, b, c, lambda a=a, b=b, c=c: g.clebsch_gordan(a, b, c).dense()


def table_e3nn(group: str, bound: int) -> Table:
    """SO(3) and O(3), where parity only decides which triples there are."""
    import torch
    from e3nn import o3

    torch.set_default_dtype(torch.float64)
    irreps = [o3.Irrep(l, p) for l in range(bound + 1) for p in ((1, -1) if group == "O3" else (1,))]
    for a, b in itertools.product(irreps, irreps):
        for c in a * b:
            if c in irreps:
                yield a, b, c, lambda a=a, b=b, c=c: o3.wigner_3j(a.l, b.l, c.l).numpy()[None]


def table_lie_nn(group: str, bound: int) -> Table:
    import lie_nn

    kind = getattr(lie_nn.irreps, {"Lorentz": "SO13"}.get(group, group))
    if group == "SO3":
        irreps = [kind(l) for l in range(bound + 1)]
    elif group == "O3":
        irreps = [kind(l, p) for l in range(bound + 1) for p in (1, -1)]
    elif group == "SU3":
        irreps = list(itertools.takewhile(lambda a: a.S[0] <= bound, kind.iterator()))
        irreps = [a for a in irreps if a.dim <= bound]
    else:
        irreps = [kind(k, n) for k in range(bound + 1) for n in range(bound + 1 - k)
                  if group == "SL2C" or (k + n) % 2 == 0]  # fmt: skip
    for a, b in itertools.product(irreps, irreps):
        for c in a * b:
            if c in irreps:
                yield a, b, c, lambda a=a, b=b, c=c: lie_nn.clebsch_gordan(a, b, c)


def generators(library: str, irrep: Any) -> np.ndarray:
    if library == "eqlib":
        return irrep.generators
    if library == "lie_nn":
        return irrep.continuous_generators()
    from e3nn import o3

    return o3._wigner.so3_generators(irrep.l).numpy()


def residual(library: str, a: Any, b: Any, c: Any, tensor: np.ndarray) -> float:
    """Largest entry of C (X_a (x) 1 + 1 (x) X_b) - X_c C, relative to the generators."""
    worst = 0.0
    for x, y, z in zip(*(generators(library, irrep) for irrep in (a, b, c)), strict=True):
        moved = np.einsum("kijm,il->kljm", tensor, x) + np.einsum("kijm,jl->kilm", tensor, y)
        moved -= np.einsum("kijm,nm->kijn", tensor, z)
        worst = max(worst, float(np.abs(moved).max(initial=0.0) / max(1.0, *(np.abs(g).max() for g in (x, y, z)))))
    return worst


TABLES = {"eqlib": table_eqlib, "e3nn": table_e3nn, "lie_nn": table_lie_nn}
# A larger case leaves out the library that needs minutes for it: lie-nn above l = 6, k + n = 4 and dimension 8.
CASES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "SO3 6": ("SO3", 6, ("eqlib", "e3nn", "lie_nn")),
    "SO3 12": ("SO3", 12, ("eqlib", "e3nn")),
    "O3 4": ("O3", 4, ("eqlib", "e3nn", "lie_nn")),
    "SL2C 3": ("SL2C", 3, ("eqlib", "lie_nn")),
    "Lorentz 4": ("Lorentz", 4, ("eqlib", "lie_nn")),
    "Lorentz 8": ("Lorentz", 8, ("eqlib",)),
    "SU3 8": ("SU3", 8, ("eqlib", "lie_nn")),
    "SU3 27": ("SU3", 27, ("eqlib",)),
}


def here(case: str, library: str) -> dict[str, Any]:
    """Run one case in this process."""
    group, bound, _ = CASES[case]
    made: list[tuple[Any, Any, Any, np.ndarray]] = []
    next(TABLES[library](group, 1))[3]()  # imports and the trivial triple
    start = time.process_time()
    for a, b, c, make in TABLES[library](group, bound):
        made.append((a, b, c, np.asarray(make())))
    seconds = time.process_time() - start
    return {
        "triples": len(made),
        "numbers": sum(t.size for *_, t in made),
        "seconds": round(seconds, 4),
        "residual": max(residual(library, *row) for row in made),
    }


def run(case: str, library: str, seed: int) -> dict[str, Any]:
    """One line of the log, from a fresh process. Nothing is drawn: `seed` only numbers the repetitions."""
    (found,) = runs.elsewhere(sys.executable, __file__, [case, library])
    line = {"command": f'python benchmarks/clebsch_gordan.py --case "{case}"', "case": case, "library": library}
    return line | {"seed": seed} | found | {"threads": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        print(json.dumps(here(*args.here)))
        return
    # Libraries side by side, so that a busy moment of the machine is nobody's.
    points = [{"case": c, "library": lib, "seed": seed} for c in args.case for seed in (0, 1, 2) for lib in CASES[c][2]]
    runs.fill(RESULTS, points, run, "seconds", args.again)


if __name__ == "__main__":
    main()
