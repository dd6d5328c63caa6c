"""What points.py measures, each in the process that calls: (case, degree, size) -> entries of a line."""

from __future__ import annotations

import gc
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import edge_layers
import numpy as np
import torch
import torch._inductor.config
from edge_layers import E3nn, engines, problem, runner

from eqlib import convert, groups, harmonics, nn
from eqlib.training import runs

Clock = Callable[[], object]
GROWN = 4  # the degree at which edges and channels grow


class Size(NamedTuple):
    """How large the problems are, how long a library is timed (s), and the axes of growth."""

    edges: int = 2000
    nodes: int = 200
    points: int = 10_000
    seconds: float = 2.0
    growth: dict[str, tuple[int, ...]] = {  # noqa: RUF012 (a constant)
        "edges": (500, 1000, 2000, 5000, 10_000, 20_000),
        "channels": (4, 8, 16, 32, 64, 128),
        "degree": (1, 2, 3, 4, 5, 6, 7, 8),
    }

    def channels(self, degree: int) -> int:
        return 4 if self.edges < 2000 else 32 if degree <= 2 else 16


SIZES = {
    "full": Size(),
    "small": Size(60, 20, 200, 0.0, {"edges": (30, 60, 120), "channels": (2, 4, 8), "degree": (1, 2, 3)}),
}


def interleaved(clocks: dict[str, Clock], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of processor time of each, rounds of all in turn: at least five, 200 at most."""
    once = 0.0
    for clock in clocks.values():
        clock()
        start = time.process_time()
        clock()
        once += time.process_time() - start
    times: dict[str, list[float]] = {name: [] for name in clocks}
    names = list(clocks)
    for r in range(min(max(int(seconds * len(clocks) / max(once, 1e-6)), 5), 200)):
        turn = r % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.process_time()
            clocks[name]()
            times[name].append(1e3 * (time.process_time() - start))
    return times


def compared(times: dict[str, list[float]], base: str = "e3nn") -> dict[str, Any]:
    """Medians, their ratios, and the best engine's ratio."""
    ratio = {
        name: statistics.median(theirs / mine for theirs, mine in zip(times[base], found, strict=True))
        for name, found in times.items()
        if name != base
    }
    return {
        "ms": {name: round(statistics.median(found), 4) for name, found in times.items()},
        "ratio": {name: round(number, 3) for name, number in ratio.items()},
        "rounds": len(times[base]),
        "value": round(max(number for name, number in ratio.items() if name.startswith("eqlib")), 3),
    }


def within(context: Callable[[], AbstractContextManager[Any]], clock: Clock) -> Clock:
    """The same clock with an engine chosen; the choice is outside the passes that matter: a microsecond."""

    def chosen() -> object:
        with context():
            return clock()

    return chosen


def on_engines(clock: Clock) -> dict[str, Clock]:
    return {f"eqlib-{name}": within(engine, clock) for name, engine in engines().items()}


def libraries(case: str, p: edge_layers.Problem) -> dict[str, Clock]:
    """The passes of e3nn and of eqlib with each engine."""
    own = case in ("radial", "forces", "training")
    layer = edge_layers.ours(p.degree, p.channels, own).to(p.x)
    clocks: dict[str, Clock] = {"e3nn": runner(case, E3nn(p.degree, p.channels, own), p)}
    return clocks | on_engines(runner(case, layer, p))


def sized(size: Size, degree: int, channels: int | None = None, edges: int | None = None) -> edge_layers.Problem:
    n, edges = channels or size.channels(degree), edges or size.edges
    return problem(degree, n, edges, size.nodes).to("cpu", torch.float32)


def step(case: str, degree: int, size: Size, compiled: bool = False) -> dict[str, Any]:
    p = sized(size, degree)
    clocks, found = libraries(case, p), {}
    if compiled:
        torch._inductor.config.force_disable_caches = True  # compile_s is that of a first time
        layer = E3nn(degree, p.channels, case in ("radial", "forces"))
        clocks["e3nn-compiled"] = runner(case, torch.compile(layer, dynamic=False), p)
        start = time.perf_counter()
        clocks["e3nn-compiled"]()
        found["compile_s"] = round(time.perf_counter() - start, 1)
    return {"channels": p.channels} | compared(interleaved(clocks, size.seconds)) | found


def memory(case: str, degree: int, size: Size) -> dict[str, Any]:
    """Each library in a process of its own."""
    name = next(name for name, other in SIZES.items() if other == size)
    mb = {}
    for library in ["e3nn", *(f"eqlib-{engine}" for engine in engines())]:
        mb |= runs.elsewhere(
            sys.executable, Path(__file__).with_name("points.py"), ["peak", case, degree, library, name]
        )[0]
    ratio = {
        library: round(found / max(mb["e3nn"], 0.1), 3) for library, found in mb.items() if library.startswith("eqlib")
    }
    return {"mb": mb, "ratio": ratio, "value": min(ratio.values())}


def high_water(clock: Clock) -> float:
    """MB that are resident at most during a call, beyond what was before it. Linux."""

    def resident(field: str) -> float:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split(f"{field}:")[1].split()[0]) / 1024

    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the mark is what is resident now
    before = resident("VmRSS")
    clock()
    return round(resident("VmHWM") - before, 1)


def peak(case: str, degree: int, library: str, size: Size) -> dict[str, float]:
    """MB that a pass takes beyond its inputs, and the inputs' own."""
    libraries(case, sized(size, degree, edges=64))[library]()
    p = sized(size, degree)
    own = case in ("radial", "forces", "training")
    inputs = [tensor for tensor in p[2:] if not (own and tensor is p.weights)]
    given = sum(tensor.numel() * tensor.element_size() for tensor in inputs) / 2**20
    return {library: high_water(libraries(case, p)[library]), "inputs": round(given, 1)}


def same(case: str, degree: int, size: Size) -> dict[str, Any]:
    p = problem(degree, size.channels(degree), size.edges, size.nodes)
    found = {
        f"eqlib-{name}": edge_layers.difference(*edge_layers.pair(case, p, engine))
        for name, engine in engines().items()
    }
    return {"difference": found, "value": max(found.values())}


def spherical(way: str, degree: int, size: Size) -> dict[str, Any]:
    """Harmonics of one process: ours, e3nn's and sphericart's compiled ones, which are ordered otherwise."""
    from e3nn import o3

    points = torch.randn(size.points, 3, generator=torch.Generator().manual_seed(0))
    gradient = torch.randn(size.points, (degree + 1) ** 2, generator=torch.Generator().manual_seed(1))

    def clock(module: Callable[[torch.Tensor], torch.Tensor]) -> object:
        if way == "forward":
            with torch.no_grad():
                return module(points)
        x = points.detach().requires_grad_()
        return torch.autograd.grad(module(x), x, gradient)

    mine = harmonics.Harmonics(groups.O3(), degree)
    irreps = o3.Irreps.spherical_harmonics(degree)
    theirs = {"e3nn": o3.SphericalHarmonics(irreps, normalize=True, normalization="component")}
    if importlib.util.find_spec("sphericart"):
        import sphericart.torch

        theirs["sphericart"] = sphericart.torch.SphericalHarmonics(degree)
    clocks: dict[str, Clock] = {name: partial(clock, module) for name, module in theirs.items()}
    clocks |= on_engines(partial(clock, mine))
    times = interleaved(clocks, size.seconds / 2)
    if "sphericart" not in times:
        return compared(times)
    beside = compared(times, "sphericart")["ratio"]
    over = {name: round(1 / beside[name], 3) for name in beside if name.startswith("eqlib")}
    return compared(times) | {"over_sphericart": over}


def products(kind: str, degree: int, size: Size) -> dict[str, Any]:
    """Products, forward and backward: depthwise with weights for each row, or of all channels; or irrep matrices, forward."""
    p = sized(size, degree)
    rep = edge_layers.ours(degree, p.channels, own=False).rep_in
    one = groups.O3().rep([(1, a) for _, a in rep.blocks])
    if kind == "matrices":
        turns = torch.tensor(groups.SO3().vector(groups.SO3().sample(size.edges, seed=0)), dtype=torch.float32)
        clocks: dict[str, Clock] = {"e3nn": partial(convert.to_e3nn(one).D_from_matrix, turns)}
        return compared(interleaved(clocks | on_engines(partial(harmonics.matrices, one, turns)), size.seconds))
    if kind == "depthwise":
        theirs = E3nn(degree, p.channels, own=False).product
        ours, weights = nn.TensorProduct(rep, one, rep, weights="external", depthwise=True), [p.weights]
    else:
        theirs = edge_layers.o3.FullyConnectedTensorProduct(*map(convert.to_e3nn, (rep, one, rep)))
        ours, weights = nn.TensorProduct(rep, one, rep), []
    draw = torch.Generator().manual_seed(0)
    x, y, gradient = (torch.randn(size.edges, n, generator=draw) for n in (rep.dim, one.dim, rep.dim))

    def clock(product: torch.nn.Module) -> object:
        inputs = [t.detach().requires_grad_() for t in (x, y, *weights)]
        return torch.autograd.grad(product(*inputs), [*inputs, *product.parameters()], gradient)

    clocks = {"e3nn": partial(clock, theirs)}
    return compared(interleaved(clocks | on_engines(partial(clock, ours)), size.seconds))


def build(kind: str, degree: int, size: Size) -> dict[str, Any]:
    """Seconds to make a layer, and its first pass beyond a second one's; imports are not counted, nothing was computed before."""
    O3, SO3, n = groups.O3(), groups.SO3(), size.channels(degree)
    rep = "+".join(f"{n}x{l}{'eo'[l % 2]}" for l in range(degree + 1))
    plain = SO3.rep("+".join(f"{n}x{l}" for l in range(degree + 1)))
    make: dict[str, Callable[[], torch.nn.Module]] = {
        "weights": lambda: edge_layers.ours(degree, n, own=False),
        "radial": lambda: edge_layers.ours(degree, n, own=True),
        "mixing": lambda: nn.PointConv(O3.rep(rep), O3.rep(rep), degree, edge_layers.Hidden()),
        "all paths": lambda: nn.PointConv(plain, plain, degree, edge_layers.Hidden(), depthwise=True),
        "harmonics": lambda: harmonics.Harmonics(O3, degree),
    }
    start = time.process_time()
    layer = make[kind]()
    seconds = time.process_time() - start
    p, first = sized(size, degree, edges=64), {}
    given = (p.positions,) if kind == "harmonics" else (p.x, p.positions, p.edges)
    if kind == "weights":
        given += (p.weights,)
    for name, engine in engines().items():
        times = []
        for _ in range(2):
            start = time.process_time()
            with engine():
                layer(*(t.requires_grad_(t.is_floating_point()) for t in given)).sum().backward()
            times.append(time.process_time() - start)
        first[f"eqlib-{name}"] = round(max(times[0] - times[1], 0.0), 4)
    return {"build_s": round(seconds, 4), "first_s": first, "value": round(seconds, 4)}


def growth(axis: str, degree: int, size: Size) -> dict[str, Any]:
    """Medians over the axis, and the exponent of its last four sizes; l + 1 is what counts for degrees. Sixteen channels."""
    ms: dict[str, list[float]] = {}
    n = min(size.channels(GROWN), 16)
    for number in size.growth[axis]:
        edges, channels = (number if axis == name else other for name, other in (("edges", None), ("channels", n)))
        p = sized(size, number if axis == "degree" else degree, channels, edges)
        for name, found in interleaved(libraries("weights", p), size.seconds / 4).items():
            ms.setdefault(name, []).append(round(statistics.median(found), 4))
    sizes = np.array(size.growth[axis][-4:]) + (axis == "degree")
    exponents = {
        name: round(float(np.polyfit(np.log(sizes), np.log(found[-4:]), 1)[0]), 3) for name, found in ms.items()
    }
    best = min((name for name in ms if name.startswith("eqlib")), key=lambda name: ms[name][-1])
    return {"sizes": list(size.growth[axis]), "ms": ms, "exponent": exponents, "value": exponents[best]}


def floor(case: str, degree: int, size: Size) -> dict[str, Any]:
    p = sized(size, degree)
    large = torch.zeros(64 << 20 if size.edges >= 2000 else 1 << 16)
    other = torch.empty_like(large)
    clocks = libraries(case, p) | {"copy": lambda: other.copy_(large)}
    del clocks["e3nn"]
    ms = {name: statistics.median(found) for name, found in interleaved(clocks, size.seconds / 4).items()}
    rate = 2 * large.numel() * large.element_size() / ms.pop("copy") / 1e6
    least = edge_layers.bytes_once(p) / rate / 1e6
    return {
        "gb_per_s": float(f"{rate:.4g}"),
        "floor_ms": float(f"{least:.4g}"),
        "ms": {name: round(found, 4) for name, found in ms.items()},
        "value": round(min(ms.values()) / least, 3),
    }


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "step": step, "compiled": partial(step, compiled=True), "memory": memory, "same": same, "harmonics": spherical,
    "products": products, "build": build, "growth": growth, "floor": floor,
}  # fmt: skip
