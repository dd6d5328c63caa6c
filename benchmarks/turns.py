"""Equivariance of three layers by angle, beside a plain CNN and escnn; writes benchmarks/results/turns.json.

    python benchmarks/turns.py --rival rival/bin/python    # every run that the log lacks; benchmarks/grid_conv.py makes `rival`
    python benchmarks/turns.py --again --network "O2 gates 5x5"   # one of ours anew, beside the logged numbers
    python benchmarks/turns.py --plot turns.png            # a picture of the log

Images of 33 x 33 pixels are sums of Gaussians of 3 pixels' deviation, evaluated anew at the turned points, so that no image is
interpolated. A network of three convolutions with an activation behind the first two makes 8 scalars out of one, 40 channels
wide; its weights are as its library draws them. The error is |f(g x) - g f(x)| / |g f(x)| over the pixels within 12 of the
centre, the mean over 2 images (`eqlib.testing.grid_equivariance_error`, for every library). `mean` is over the angles between 0
and 90 degrees; those two, exact for all but the plain CNN, are left out.

escnn's networks have the same fields, its default kernels, its gate with ELU on the scalars, its FourierELU with N = 16 samples
and its ReLU on regular fields. They run in float32, the others in float64: escnn makes its bases and its gate's output in float32
whatever the default says ("Float did not match Double"). That is an error of 1e-6, far below what is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grid_conv
import numpy as np
import torch

from eqlib.training import runs

RESULTS = Path(__file__).parent / "results" / "turns.json"
SEEDS = (0, 1, 2)
ANGLES, IMAGES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0), 2
HIDDEN, OUT = "8x0e+4x0o+8x1+6x2", 8
Map = Callable[[torch.Tensor], torch.Tensor]


def eqlib_gates(kernel: int) -> Map:
    from eqlib import groups, nn

    group = groups.O2()
    gate = nn.Gate(group.rep(HIDDEN), axis=1)
    reps = [group.rep("0e"), gate.rep, gate.rep, group.rep(f"{OUT}x0e")]
    first, second, last = (nn.GridConv(a, b, kernel) for a, b in zip(reps, [gate.rep_in] * 2 + reps[-1:], strict=False))
    return torch.nn.Sequential(first, gate, second, gate, last).double()


def eqlib_fourier(kernel: int, group: str, activation: str, samples: int | None) -> Map:
    from eqlib import groups, nn

    if group == "C8":
        h = groups.Cyclic(8)
        rep = groups.fields(groups.regular(h)[0], 5)
    else:
        h = groups.SO2()
        rep = h.rep("8x0+8x1+8x2")
    act = nn.FourierActivation(rep, samples, axis=1, activation=getattr(torch.nn.functional, activation))
    one = h.rep([(1, h.trivial)])
    convs = [nn.GridConv(a, b, kernel) for a, b in ((one, rep), (rep, rep), (rep, h.rep([(OUT, h.trivial)])))]
    return torch.nn.Sequential(convs[0], act, convs[1], act, convs[2]).double()


def plain(kernel: int) -> Map:
    convs = [torch.nn.Conv2d(a, b, kernel, padding=kernel // 2) for a, b in ((1, 40), (40, 40), (40, OUT))]
    return torch.nn.Sequential(convs[0], torch.nn.ReLU(), convs[1], torch.nn.ReLU(), convs[2]).double()


def escnn(kernel: int, name: str) -> Map:
    """Three R2Conv with the activation that the name asks for."""
    from escnn import gspaces, nn

    if name == "gates":
        acts = [grid_conv.gate_escnn(grid_conv.field_type("O2", HIDDEN), nn.ELU) for _ in range(2)]
    elif name == "fourier":
        acts = [
            nn.FourierELU(gspaces.rot2dOnR2(-1, maximum_frequency=4), 8, [(m,) for m in range(3)], N=16) for _ in "12"
        ]
    else:
        acts = [nn.ReLU(grid_conv.field_type("C8", 5)) for _ in range(2)]
    space = acts[0].in_type.gspace
    ends = [nn.FieldType(space, [space.trivial_repr] * n) for n in (1, OUT)]
    ins, outs = [ends[0], *(a.out_type for a in acts)], [*(a.in_type for a in acts), ends[1]]
    convs = [nn.R2Conv(a, b, kernel, padding=kernel // 2) for a, b in zip(ins, outs, strict=True)]
    net = nn.SequentialModule(convs[0], acts[0], convs[1], acts[1], convs[2])
    return lambda x: net(nn.GeometricTensor(x.float(), ends[0])).tensor.double()


NETWORKS: dict[tuple[str, str], Callable[[], Map]] = {
    ("eqlib", "O2 gates 5x5"): partial(eqlib_gates, 5),
    ("eqlib", "O2 gates 7x7"): partial(eqlib_gates, 7),
    ("eqlib", "SO2 Fourier ELU 5x5"): partial(eqlib_fourier, 5, "SO2", "elu", 16),
    ("eqlib", "C8 regular ReLU 5x5"): partial(eqlib_fourier, 5, "C8", "relu", None),
    ("torch", "plain CNN 5x5"): partial(plain, 5),
    ("escnn", "O2 gates 5x5"): partial(escnn, 5, "gates"),
    ("escnn", "O2 gates 7x7"): partial(escnn, 7, "gates"),
    ("escnn", "SO2 Fourier ELU 5x5"): partial(escnn, 5, "fourier"),
    ("escnn", "C8 regular ReLU 5x5"): partial(escnn, 5, "regular"),
}


def run(library: str, network: str, seed: int) -> dict[str, Any]:
    """One line of the log, in this process."""
    from eqlib import groups, testing

    start = time.process_time()
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, escnn draws from it
    net = NETWORKS[library, network]()
    scalar, scalars = groups.SO2().rep("0"), groups.SO2().rep(f"{OUT}x0")
    # A function, no module: a module's parameters would be drawn anew.
    errors = [
        testing.grid_equivariance_error(
            lambda x: net(x), scalar, scalars, [np.deg2rad(angle)], seed=seed, samples=IMAGES
        )
        for angle in ANGLES
    ]
    return {
        "command": f'python benchmarks/turns.py --rival PYTHON --network "{network}"',
        "library": library,
        "network": network,
        "seed": seed,
        "angles": list(ANGLES),
        "errors": errors,
        "mean": float(np.mean(errors[1:-1])),
        "seconds": round(time.process_time() - start, 1),
        "torch": torch.__version__,
        "threads": 1,
    }


def plot(target: str) -> None:
    """Curves of the log for 5 x 5: mean over the seeds, bars from the lowest to the highest, in per cent, by angles between."""
    from eqlib.viz import plot_spread

    curves: dict[str, list[list[float]]] = {}
    for line in runs.read(RESULTS):
        if "7x7" not in line["network"]:
            curves.setdefault(f"{line['library']}: {line['network']}", []).append(
                [100 * error for error in line["errors"][1:-1]]
            )
    figure = plot_spread(ANGLES[1:-1], curves, "angle (degrees)", "relative error (%)", log_y=True, size=(9.0, 4.0))
    figure.savefig(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = sorted({network for _, network in NETWORKS})
    parser.add_argument("--rival", help="a Python that has escnn; needed for what the log keeps")
    parser.add_argument("--network", nargs="+", choices=names, default=names)
    parser.add_argument("--again", action="store_true", help="run ours again, seed 0, and print them beside the log")
    parser.add_argument("--plot", help="write a picture of the log to this file")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.here:
        for key in args.here:
            print(json.dumps(run(*key)), flush=True)
        return
    if args.plot:
        plot(args.plot)
        return
    points = [
        {"library": lib, "network": network, "seed": seed}
        for seed in ((0,) if args.again else SEEDS)
        for lib, network in NETWORKS
        if network in args.network and (lib == "eqlib" or not args.again)
    ]
    if args.rival is None and not args.again:
        parser.error("--rival is needed: the log holds all libraries side by side")
    python = args.rival or sys.executable
    runs.fill(
        RESULTS, points, lambda **point: runs.elsewhere(python, __file__, [list(point.values())])[0], "mean", args.again
    )


if __name__ == "__main__":
    main()
