"""PointConv on an NVIDIA GPU beside e3nn, eager and compiled, and cuEquivariance: correct first, then times; at most 8 minutes.

    python benchmarks/gpu.py                                  # print what was found
    python benchmarks/gpu.py --write benchmarks/results/gpu.json
    python benchmarks/gpu.py --device cpu --small             # whether it runs, without a GPU

One layer (`edge_layers.py`) with weights given for each edge, float32, forward and backward: 100,000 edges between 5,000 points,
64 channels, l <= 2, 4, 6. First every library's output and gradients on 500 edges against eqlib in float64 on the CPU; one that
is off by more than 1e-4 is not timed. Then medians over at least five rounds by the device's own events (on a CPU: processor
time), for three problems (`seed`). `ratio` is e3nn's time by that library's. `floor_ms` is how long the bytes of a pass take at
the speed of a copy of 1 GB that is measured here. `peak_mb` is what torch's allocator held at most, inputs included.
cuEquivariance is timed where cuequivariance_torch can be imported. Without its compiled operators (cuequivariance_ops_torch) it
runs as plain torch, and only at l <= 2, as "cuequivariance-naive". torch.compile comes last, each library and degree in a
process of its own that is ended when the minutes are over; what did not fit, in memory or in time, has a line that says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import edge_layers
import torch
from edge_layers import E3nn, default_dtype, difference, ours, paths, problem, runner
from torch import Tensor

from eqlib.training import runs

SEEDS = (0, 1, 2)
SIZES = {"full": (64, 100_000, 5000), "small": (4, 200, 20)}  # channels, edges, points
WRONG = 1e-4


class CuEquivariance(torch.nn.Module):
    """The same layer with its fused product: gather, product and sum over edges in one kernel ("uniform_1d").

    Features are turned to its layout, (component, channel), and back on points. Conventions are e3nn's; a path has e3nn's factor.
    """

    def __init__(self, degree: int, channels: int, converted: bool = False) -> None:
        super().__init__()
        import cuequivariance as cue
        import cuequivariance_torch as cuet

        product, all_paths = cue.SegmentedTensorProduct.from_subscripts("u,iu,j,ku+ijk"), paths(degree)
        for l in range(degree + 1):
            product.add_segment(1, (2 * l + 1, channels))
            product.add_segment(2, (2 * l + 1,))
            product.add_segment(3, (2 * l + 1, channels))
        for path in all_paths:
            (tensor,) = cue.clebsch_gordan(*(cue.O3(l, (-1) ** l) for l in path))
            into = sum(other[2] == path[2] for other in all_paths)
            product.add_path(None, *path, c=tensor / into**0.5, dims={"u": channels})
        polynomial = cue.SegmentedPolynomial.eval_last_operand(product.flatten_coefficient_modes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without its operators it says that it is naive; our line does
            self.product = cuet.SegmentedPolynomial(polynomial, method="uniform_1d")
            self.harmonics = cuet.SphericalHarmonics(list(range(degree + 1)), normalize=True)
        place, start = [], 0
        for l in range(degree + 1):
            d = 2 * l + 1
            place.append(start + torch.arange(channels * d).view(channels, d).T.flatten())
            start += channels * d
        theirs = E3nn(degree, channels, False)  # its paths have cuEquivariance's order and factors
        self.register_buffer("there", torch.cat(place))
        self.register_buffer("back", torch.cat(place).argsort())
        self.register_buffer("order", theirs.order)
        self.register_buffer("factors", theirs.factors.float())
        self.converted = converted

    def forward(self, x: Tensor, positions: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
        if self.converted:
            weights = weights[:, self.order] * self.factors
        y = self.harmonics(positions[edges[0]] - positions[edges[1]])
        inputs, size = [weights, x[:, self.there], y], {0: x[:, :1]}
        (out,) = self.product(inputs, input_indices={1: edges[0]}, output_shapes=size, output_indices={0: edges[1]})
        return out[:, self.back]


def libraries(degree: int) -> dict[str, Callable[..., torch.nn.Module]]:
    """Name -> layer of (degree, channels), and `converted`: it takes eqlib's weights."""
    found: dict[str, Callable[..., torch.nn.Module]] = {
        "e3nn": lambda degree, channels, converted=False: E3nn(degree, channels, False, converted),
        "eqlib": lambda degree, channels, converted=False: ours(degree, channels, own=False),
    }
    if importlib.util.find_spec("cuequivariance_torch"):
        if importlib.util.find_spec("cuequivariance_ops_torch"):
            found["cuequivariance"] = CuEquivariance
        elif degree <= 2:  # minutes at l = 6
            found["cuequivariance-naive"] = CuEquivariance
    return found


def check(degree: int, channels: int, device: str) -> dict[str, float]:
    """Each library's largest relative difference from eqlib in float64 on the CPU: output, gradients to x, weights, positions."""
    p = problem(degree, channels, 500, 50)
    with default_dtype(torch.float64):
        reference = runner("positions", ours(degree, channels, own=False).double(), p)()
    moved = p.to(device, torch.float32)
    return {
        name: difference(runner("positions", make(degree, channels, converted=True).to(device), moved)(), reference)
        for name, make in libraries(degree).items()
    }


def milliseconds(clock: Callable[[], object], device: str, seconds: float = 3.0) -> list[float]:
    """At least five rounds after two that warm up, 50 at most."""
    times: list[float] = []
    began = time.perf_counter()
    for r in range(52):
        if device == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            clock()
            end.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end))
        else:
            before = time.process_time()
            clock()
            times.append(1e3 * (time.process_time() - before))
        if r >= 6 and time.perf_counter() - began > seconds:
            break
    return times[2:]


def timed(name: str, degree: int, size: str, device: str, compiled: bool = False) -> list[dict[str, Any]]:
    """A line for each seed; one that says so where memory does not suffice."""
    channels, edges, nodes = SIZES[size]
    lines: list[dict[str, Any]] = []
    began = time.perf_counter()
    layer = libraries(degree)[name](degree, channels).to(device)
    if compiled:
        layer = torch.compile(layer, dynamic=False)
    try:
        for seed in SEEDS:
            p = problem(degree, channels, edges, nodes, seed, device, torch.float32)
            clock = runner("weights", layer, p)
            clock()
            first = round(time.perf_counter() - began, 1)
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            found = milliseconds(clock, device, 0.1 if size == "small" else 3.0)
            line = {"seed": seed, "ms": round(statistics.median(found), 4), "rounds": len(found)}
            line |= {"compile_s": first} if compiled and seed == 0 else {}
            line |= {"peak_mb": round(torch.cuda.max_memory_allocated() / 2**20)} if device == "cuda" else {}
            lines.append(line | {"seconds": round(time.perf_counter() - began, 1)})
            began = time.perf_counter()
            del p, clock
    except torch.OutOfMemoryError:
        lines = [{"seed": seed, "ms": None, "error": "out of memory", "seconds": 0.0} for seed in SEEDS]
    return [{"library": name + "-compiled" * compiled, "degree": degree} | line for line in lines]


def floor(degree: int, size: str, device: str) -> dict[str, float]:
    """GB/s of a copy, reads and writes counted, and the time of a pass's bytes at that speed."""
    channels, edges, nodes = SIZES[size]
    large = torch.zeros(1 << (28 if device == "cuda" else 20), device=device)
    other = torch.empty_like(large)
    ms = statistics.median(milliseconds(lambda: other.copy_(large), device, 0.5))
    rate = 2 * large.numel() * large.element_size() / ms / 1e6
    meta = problem(degree, channels, 2, nodes)  # its bytes scale with the edges
    per_edge = edge_layers.bytes_once(meta) - 20 * meta.x.numel()
    return {
        "gb_per_s": round(rate, 1),
        "floor_ms": round((per_edge * edges / 2 + 20 * meta.x.numel()) / rate / 1e6, 4),
    }


def compiled_elsewhere(name: str, degree: int, size: str, device: str, deadline: float) -> list[dict[str, Any]]:
    """`timed` under torch.compile in another process, which is ended when the time is over."""
    job = json.dumps([name, degree, size, device])
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    left, error = deadline - time.perf_counter(), ""
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--here", job],
            env=environment,
            capture_output=True,
            text=True,
            timeout=max(left, 0.1),
        )
        if not done.returncode:
            return [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
        error = done.stderr.strip()[-300:]
    except subprocess.TimeoutExpired:
        error = f"no result within {max(left, 0):.0f} s"
    some = {"library": f"{name}-compiled", "degree": degree, "ms": None, "error": error, "seconds": 0.0}
    return [some | {"seed": seed} for seed in SEEDS]


def measure(
    degrees: list[int], size: str, device: str, compiled: bool, deadline: float, log: Path | None
) -> Iterator[dict[str, Any]]:
    """The lines, one by one: eager ones of every degree first, then compiled ones until the deadline."""
    root = Path(__file__).resolve().parents[1]
    notes = {
        "command": f"python benchmarks/gpu.py --degrees {' '.join(map(str, degrees))} --write {log and log.name}",
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        "commit": runs.commit(root) if log else None,
    }
    base: dict[tuple[int, int], float] = {}
    for name, compile_it, degree in [
        *((name, False, l) for l in degrees for name in libraries(l)),
        *((name, True, l) for l in degrees for name in ("e3nn", "eqlib") if compiled),
    ]:
        if not compile_it and name == "e3nn":
            differences, least = check(degree, SIZES[size][0], device), floor(degree, size, device)
        error = differences.get(name, 0.0)
        if compile_it:
            lines = compiled_elsewhere(name, degree, size, device, deadline)
        elif error > WRONG:
            lines = [
                {"library": name, "degree": degree, "seed": seed, "ms": None, "error": "wrong", "seconds": 0.0}
                for seed in SEEDS
            ]
        else:
            lines = timed(name, degree, size, device)
        for line in lines:
            if name == "e3nn" and not compile_it and line["ms"]:
                base[degree, line["seed"]] = line["ms"]
            known = base.get((degree, line["seed"]))
            line["ratio"] = round(known / line["ms"], 3) if known and line["ms"] else None
            line |= {} if compile_it else {"difference": error} | least
            yield notes | line
        if device == "cuda":
            torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="4 channels, 200 edges, nothing compiled")
    parser.add_argument("--degrees", nargs="+", type=int, default=[2, 4, 6])
    parser.add_argument("--minutes", type=float, default=7.5, help="after which nothing is compiled any more")
    parser.add_argument("--write", type=Path, help="a log to which the lines are added")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        for line in timed(*args.here, compiled=True):
            print(json.dumps(line), flush=True)
        return
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device: got cuda, expected cpu where torch sees no GPU")
    deadline, size = time.perf_counter() + 60 * args.minutes, "small" if args.small else "full"
    for line in measure(args.degrees, size, args.device, not args.small, deadline, args.write):
        hidden = ("command", "device", "torch", "commit", "seconds")
        print(json.dumps({key: entry for key, entry in line.items() if key not in hidden}), flush=True)
        if args.write:
            runs.add(args.write, line)


if __name__ == "__main__":
    main()
