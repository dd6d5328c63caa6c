"""GridConv beside a plain conv2d and escnn's R2Conv: time of a step; writes benchmarks/results/grid_conv.json.

    python3.11 -m venv rival
    rival/bin/pip install torch==2.13.0 "numpy<2" scipy joblib autograd pymanopt matplotlib pillow filelock tqdm
    rival/bin/pip install --no-deps lie_learn==0.0.2 escnn==1.0.11
    python benchmarks/grid_conv.py --rival rival/bin/python                    # every run that the log lacks
    python benchmarks/grid_conv.py --rival rival/bin/python --again "20 3x3"   # one anew, beside the logged numbers
    python benchmarks/grid_conv.py --again "20 3x3"                            # the same without the rival

A plain `pip install escnn` fails where no Fortran compiler is: py3nj, which it asks for, is built from source. Without py3nj
escnn warns and finds tensor products of SO(3) numerically; in the plane it does not use it. The wheels of lie_learn are made for
numpy 1, so the rival cannot share an environment with eqlib's numpy 2; eqlib runs under numpy 1.26 as well, and that is where the
three are timed: in one process, with one torch, on one thread.

`step` is forward and backward, to the weights and to the input; `eval` is forward in eval mode without gradients, after a first
call that may keep its kernel. A round times each library once, in an order that turns; times are processor time, in
milliseconds, medians over the rounds. `step_ratio` is the median over the rounds of the time by conv2d's in the same round, and
`step_quartiles` its quartiles: on a machine that others use too the times drift, the ratios do so less. escnn's
GeometricTensor is made outside the clock. The case "build" makes ten layers of convolution and gate of O(2) in a fresh process;
"escnn" without its cache on disk, "escnn-disk" with it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from eqlib.training import runs

RESULTS = Path(__file__).parent / "results" / "grid_conv.json"
SEEDS = (0, 1, 2)


class Case(NamedTuple):
    """One layer, the same fields in and out: a rep string, or a number of regular fields."""

    group: str
    fields: str | int
    kernel: int
    pixels: int
    batch: int


CASES = {
    "64 7x7": Case("O2", "16x0e+4x0o+11x1+11x2", 7, 32, 8),
    "40 5x5": Case("O2", "8x0e+4x0o+8x1+6x2", 5, 32, 8),
    "20 3x3": Case("SO2", "8x0+4x1+2x2", 3, 16, 4),
    "16 5x5": Case("C8", 2, 5, 28, 1),
    "96 5x5": Case("C8", 12, 5, 14, 64),
}
LAYERS, HIDDEN, KERNEL = 10, "16x0e+4x0o+11x1+11x2", 5  # of the case "build"
LIBRARIES = {"eqlib": False, "conv2d": False, "escnn": True}  # whether the rival's environment is needed
BUILDS = {"eqlib": False, "escnn": True, "escnn-disk": True}


class Layer(NamedTuple):
    """A module, how a tensor becomes its input, and how its output becomes a tensor."""

    module: torch.nn.Module
    wrap: Callable[[torch.Tensor], Any]
    unwrap: Callable[[Any], torch.Tensor]


def layer_eqlib(case: Case) -> Layer:
    from eqlib import groups, nn

    group = groups.Cyclic(8) if case.group == "C8" else getattr(groups, case.group)()
    regular = isinstance(case.fields, int)
    rep = groups.fields(groups.regular(group)[0], case.fields) if regular else group.rep(case.fields)
    return Layer(nn.GridConv(rep, rep, case.kernel), lambda x: x, lambda y: y)


def layer_conv2d(case: Case) -> Layer:
    width = int(next(name for name, other in CASES.items() if other == case).split()[0])
    conv = torch.nn.Conv2d(width, width, case.kernel, padding=case.kernel // 2)
    return Layer(conv, lambda x: x, lambda y: y)


def field_type(group: str, fields: str | int) -> Any:
    """escnn's field type for the same fields in the same order."""
    from escnn import gspaces, nn

    if group == "C8":
        space = gspaces.rot2dOnR2(8)
        return nn.FieldType(space, [space.regular_repr] * int(fields))
    space = (gspaces.flipRot2dOnR2 if group == "O2" else gspaces.rot2dOnR2)(-1, maximum_frequency=8)
    found = []
    for block in str(fields).split("+"):
        mul, label = block.split("x")
        key = (int(label),) if group == "SO2" else {"0e": (0, 0), "0o": (1, 0)}.get(label) or (1, int(label))
        found += [space.irrep(*key)] * int(mul)
    return nn.FieldType(space, found)


def layer_escnn(case: Case) -> Layer:
    from escnn import nn

    kind = field_type(case.group, case.fields)
    conv = nn.R2Conv(kind, kind, case.kernel, padding=case.kernel // 2)
    return Layer(conv, lambda x: nn.GeometricTensor(x, kind), lambda y: y.tensor)


MAKE = {"eqlib": layer_eqlib, "conv2d": layer_conv2d, "escnn": layer_escnn}


def step(layer: Layer, x: torch.Tensor, gradient: torch.Tensor) -> float:
    """Seconds of one forward and backward pass."""
    for p in layer.module.parameters():
        p.grad = None
    given = layer.wrap(x.detach().requires_grad_())
    start = time.process_time()
    layer.unwrap(layer.module(given)).backward(gradient)
    return time.process_time() - start


def evaluate(layer: Layer, x: torch.Tensor) -> float:
    """Seconds of one forward pass in eval mode."""
    with torch.no_grad():
        given = layer.wrap(x)
        start = time.process_time()
        layer.module(given)
        return time.process_time() - start


def timed(case: Case, libraries: list[str], seconds: float) -> dict[str, dict[str, Any]]:
    """Each library's figures, from rounds that take about that long."""
    torch.manual_seed(0)
    layers = {library: MAKE[library](case) for library in libraries}
    width = layers["conv2d"].module.weight.shape[0]
    x = torch.randn(case.batch, width, case.pixels, case.pixels)
    found: dict[str, dict[str, Any]] = {
        library: {"parameters": sum(p.numel() for p in layer.module.parameters())} for library, layer in layers.items()
    }
    for name, clock in (("step", partial(step, x=x, gradient=torch.randn_like(x))), ("eval", partial(evaluate, x=x))):
        for layer in layers.values():
            layer.module.train(name == "step")
            clock(layer)
        once = sum(clock(layer) for layer in layers.values())
        rounds = min(max(int(seconds / 2 / once), 10), 3000)
        times: dict[str, list[float]] = {library: [] for library in libraries}
        for r in range(rounds):
            turn = r % len(libraries)
            for library in libraries[turn:] + libraries[:turn]:
                times[library].append(clock(layers[library]))
        for library in libraries:
            ratios = [mine / plain for mine, plain in zip(times[library], times["conv2d"], strict=True)]
            low, middle, high = statistics.quantiles(ratios)
            found[library] |= {
                f"{name}_ms": round(1e3 * statistics.median(times[library]), 4),
                f"{name}_ratio": round(middle, 4),
                f"{name}_quartiles": [round(low, 4), round(high, 4)],
                f"{name}_rounds": rounds,
            }
    return found


def build_eqlib() -> torch.nn.Module:
    from eqlib import groups, nn

    rep = groups.O2().rep(HIDDEN)
    gate = nn.Gate(rep, axis=1)
    layers = [m for _ in range(LAYERS) for m in (nn.GridConv(rep, gate.rep_in, KERNEL), nn.Gate(rep, axis=1))]
    return torch.nn.Sequential(*layers)


def gate_escnn(kind: Any, activation: Callable[[Any], torch.nn.Module]) -> torch.nn.Module:
    """Scalars through the activation, every other field times the sigmoid of a scalar of its own; `in_type` has those."""
    from escnn import nn

    space = kind.gspace
    scalars = nn.FieldType(space, [r for r in kind.representations if r.is_trivial()])
    others = [r for r in kind.representations if not r.is_trivial()]
    gates = nn.FieldType(space, [space.trivial_repr] * len(others) + others)
    labels = ["scalar"] * len(scalars) + ["gated"] * len(gates)
    act = [(activation(scalars), "scalar"), (nn.GatedNonLinearity1(gates), "gated")]
    return nn.MultipleModule(scalars + gates, labels, act)


def build_escnn() -> torch.nn.Module:
    from escnn import nn

    kind, layers = field_type("O2", HIDDEN), []
    for _ in range(LAYERS):
        gate = gate_escnn(kind, nn.ReLU)
        layers += [nn.R2Conv(kind, gate.in_type, KERNEL, padding=KERNEL // 2), gate]
    return nn.SequentialModule(*layers)


def built(library: str) -> dict[str, Any]:
    """Seconds to make the model, the import not counted."""
    if library == "escnn":
        import joblib

        memory = joblib.Memory
        joblib.Memory = lambda location, **options: memory(None, **options)  # before the import: no cache on disk
    make = build_eqlib if library == "eqlib" else build_escnn
    if library == "eqlib":
        import eqlib.nn  # noqa: F401
    else:
        import escnn.nn  # noqa: F401
    start = time.process_time()
    model = make()
    seconds = round(time.process_time() - start, 4)
    return {"build_s": seconds, "parameters": sum(p.numel() for p in model.parameters())}


def run(names: list[str], seed: int, rival: str | None, seconds: float = 2.0) -> list[dict[str, Any]]:
    """A line of the log for each case and library, from fresh processes. `seed` only numbers the repetitions."""
    timings = [name for name in names if name != "build"]
    libraries = [lib for lib, theirs in LIBRARIES.items() if rival or not theirs]
    jobs = [(timings, libraries)] if timings else []
    jobs += [(["build"], [lib]) for lib, theirs in BUILDS.items() if "build" in names and (rival or not theirs)]
    lines = []
    for cases, job in jobs:
        load = round(os.getloadavg()[0], 1)
        for _ in range(2 if job == ["escnn-disk"] else 1):  # the first fills the cache
            made = runs.elsewhere(rival or sys.executable, __file__, [cases, seconds, job])
        for found in made:
            command = f'python benchmarks/grid_conv.py --rival PYTHON --case "{found["case"]}"'
            lines.append({"command": command, "seed": seed} | found | {"threads": 1, "load": load})
    return lines


def here(cases: list[str], seconds: float, libraries: list[str]) -> None:
    """Run cases in this process and print a JSON line for each library."""
    import numpy

    torch.set_num_threads(1)
    versions = {"torch": torch.__version__, "numpy": numpy.__version__}
    for case in cases:
        start = time.process_time()
        figures = {libraries[0]: built(libraries[0])} if case == "build" else timed(CASES[case], libraries, seconds)
        spent = round(time.process_time() - start, 1)
        for library, found in figures.items():
            print(json.dumps({"case": case, "library": library} | found | {"seconds": spent} | versions), flush=True)


def show(line: dict[str, Any], old: dict[str, Any] | None) -> str:
    """What was found, beside the log."""
    keys = ("build_s",) if line["case"] == "build" else ("step_ms", "step_ratio", "eval_ms", "eval_ratio")
    parts = [f"{key} {line[key]:g}" + (f" (log: {old[key]:g})" if old else "") for key in keys]
    return f"{line['case']:7s} {line['library']:10s} " + ", ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", help="a Python that has escnn; needed for what the log keeps")
    parser.add_argument("--case", nargs="+", choices=[*CASES, "build"], default=[*CASES, "build"])
    parser.add_argument("--again", choices=[*CASES, "build"], help="run one case again and print it beside the log")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        here(*args.here)
        return
    if args.rival is None and args.again is None:
        parser.error("--rival is needed: the log holds all libraries side by side")
    commit = runs.commit(RESULTS.parent)
    known = {(r["case"], r["library"], r["seed"]): r for r in runs.read(RESULTS)}
    if args.again is not None:
        for line in run([args.again], 0, args.rival):
            print(show(line, known.get((args.again, line["library"], 0))))
        return
    for seed in SEEDS:
        missing = [name for name in args.case if (name, "eqlib", seed) not in known]
        for line in run(missing, seed, args.rival):
            print(show(line, None), flush=True)
            runs.add(RESULTS, line | {"commit": commit})


if __name__ == "__main__":
    main()
