"""The inertia tensor of rigid bodies about each of their points; writes benchmarks/results/inertia.json.

    python benchmarks/inertia.py                          # every run that the log lacks: about two minutes on one core
    python benchmarks/inertia.py --models field --seeds 0 # these alone
    python benchmarks/inertia.py --again pairs            # one model anew, beside the logged numbers

Equal data: 300 bodies of five points, 200 others for the test. The number of parameters is about 225, but for the two
called "wide", which have many more, and for `field`, which needs 20: a number for each Gaussian and degree. Every model
has the optimizer that served it best of Adam and LBFGS, and where "turned" stands each body is turned anew in every epoch.
`error` is |prediction - tensor| / |tensor|, both summed in squares over all points of the test; `others` the same for
bodies of 2, 12 and 40 points, where the model can take them.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import runlog
import torch

from eqlib import data, groups, kernels, models, training
from eqlib.data.bodies import turned

RESULTS = Path(__file__).parent / "results" / "inertia.json"
SEEDS = (0, 1, 2)
BODIES, TEST, POINTS, OTHERS = 300, 200, 5, (2, 12, 40)

SMOOTH = {"epochs": 20, "batch_size": BODIES, "optimizer": training.lbfgs, "lr": 1.0}
NOISY = {"epochs": 300, "batch_size": 20, "lr": 1e-2, "schedule": training.cosine, "augment": turned}


def field(hidden: int | None = None) -> torch.nn.Module:
    """One tensor field layer 0 -> 0 + 2; radial functions are sums of Gaussians, or a network on top of them."""
    group = groups.O3()
    basis = kernels.Gaussians(10, 3.0)
    return models.TensorFieldNetwork(
        group.rep("0e"),
        group.rep("0e+2e"),
        [],
        degree=2,
        radial=lambda: basis if hidden is None else kernels.RadialMLP(basis, hidden, 2),
        self_interaction=False,
    )


# name: (how it is made, how it is trained)
MODELS = {
    "field": (field, SMOOTH),
    "field-network": (partial(field, 18), SMOOTH),
    "pairs": (partial(models.PairMLP, 6, [22]), SMOOTH),
    "pairs-turned": (partial(models.PairMLP, 6, [22]), SMOOTH | {"augment": turned}),
    "pairs-wide": (partial(models.PairMLP, 6, [64, 64]), SMOOTH | {"augment": turned}),
    "pairs-wide-long": (partial(models.PairMLP, 6, [64, 64]), SMOOTH | {"epochs": 80}),
    "field-long": (field, SMOOTH | {"epochs": 80}),
    "differences-turned": (partial(models.CoordinateMLP, POINTS, 6, [8], differences=True), NOISY),
    "coordinates-turned": (partial(models.CoordinateMLP, POINTS, 6, [8]), NOISY),
    "coordinates-wide": (partial(models.CoordinateMLP, POINTS, 6, [128, 128]), NOISY | {"lr": 3e-3}),
}


def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean square, g^2 m^4: in kg^2 m^4 it gets so small that LBFGS stops (see `training.lbfgs`)."""
    return 1e6 * (output - target).square().mean()


def error(net: torch.nn.Module, bodies: data.Bodies) -> float:
    """Root of the summed squares of the errors, over that of the tensors."""
    *inputs, target = (torch.as_tensor(a) for a in bodies.batch(np.arange(len(bodies))))
    with torch.no_grad():
        return float((net(*inputs) - target).norm() / target.norm())


def run(model: str, seed: int) -> dict[str, object]:
    """One line of the log."""
    make, options = MODELS[model]
    torch.manual_seed(seed)
    net = make()
    start = time.perf_counter()
    training.fit(net, loss, data.rigid_bodies(BODIES, POINTS, seed=seed), seed=seed, progress=False, **options)
    seconds = time.perf_counter() - start
    fixed = isinstance(net, models.CoordinateMLP)
    others = {} if fixed else {str(n): error(net, data.rigid_bodies(TEST, n, seed=1000 + n)) for n in OTHERS}
    return {
        "command": f"python benchmarks/inertia.py --models {model} --seeds {seed}",
        "model": model,
        "seed": seed,
        "parameters": training.count_parameters(net),
        "error": error(net, data.rigid_bodies(TEST, POINTS, seed=1000 + POINTS)),
        "others": others,
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--again", choices=MODELS, help="run one model again and print it beside the log")
    args = parser.parse_args()
    torch.set_num_threads(1)
    commit = runlog.commit()
    known = {(r["model"], r["seed"]): r for r in runlog.lines(RESULTS)}
    for seed in args.seeds:
        for model in args.models if args.again is None else (args.again,):
            old = known.get((model, seed))
            if old is not None and args.again is None:
                continue
            new = run(model, seed)
            before = f" (log: {old['error']:.2e})" if old else ""
            print(f"{model:19s} seed {seed}: {new['error']:.2e}{before} in {new['seconds']} s", flush=True)
            if args.again is None:
                runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
