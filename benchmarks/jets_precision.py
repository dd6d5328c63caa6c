"""How exact the four-vectors are that a Lorentz group network gives, at any boost; results/jets_precision.json, docs/boosts.png.

    python benchmarks/jets_precision.py      # a minute

A network of three layers with its first weights, three seeds, on twenty jets, each boosted in float64 into a direction of its
own. It runs in float32 and in float64, on light-cone components about the jet's axis (formed in float64, `network_input`) and on
(E, px, py, pz) as they are. The output turns with the jet; wanted is that of the jet at rest in the laboratory, in float64,
turned by the matrix. Error: the largest of a component over its largest value, the worst of the four components and the seeds.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eqlib import data, groups, models, training, viz
from eqlib.data.light_cone import frames

RESULTS = Path(__file__).parent / "results" / "jets_precision.json"
PICTURE = RESULTS.parents[2] / "docs" / "boosts.png"
WAYS = {
    "light cone, float32": (False, torch.float32),
    "light cone, float64": (False, torch.float64),
    "(E, p), float32": (True, torch.float32),
    "(E, p), float64": (True, torch.float64),
}
GAMMAS = (1, 10, 100, 1000, 10000)
Array = NDArray[np.float64]


def vectors(net: models.LorentzGroupNetwork, momenta: Array, mask: NDArray[np.bool_], dtype: torch.dtype) -> Array:
    """The network's copies of (1,1), summed over particles: (jets, copies, 4)."""
    with torch.no_grad():
        tensors = net.features(torch.tensor(momenta).to(dtype), torch.tensor(mask))[1]
    copies = net.rep.blocks[0][0]
    return tensors[..., : 4 * copies].unflatten(-1, (copies, 4)).sum(1).double().numpy()


def inputs(jets: data.Jets, cartesian: bool) -> tuple[Array, NDArray[np.bool_], Array]:
    """Components, mask, and the matrices that took (E, px, py, pz) to them."""
    coordinates, (momenta, mask) = groups.Lorentz().coordinates, jets.momenta(data.jet_sets.PARTICLES)
    turns = np.tile(np.eye(4), (len(jets), 1, 1))
    if cartesian:
        return momenta @ coordinates.T, mask, coordinates @ turns
    turns[:, 1:, 1:] = frames(momenta.sum(1)[:, 1:])
    return data.network_input(momenta, mask)[0], mask, coordinates @ turns


def run(seed: int, number: int = 20) -> dict[str, Any]:
    """A line of the log: way -> its error at each of GAMMAS."""
    start = time.perf_counter()
    group, jets = groups.Lorentz(), data.jets("test", number=number).ordered("invariant")
    axes = np.random.default_rng(1).normal(size=(number, 3))
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    torch.manual_seed(seed)
    net = models.LorentzGroupNetwork(group).eval()
    exact = copy.deepcopy(net).double()
    momenta, mask, frame = inputs(jets, cartesian=False)
    first = vectors(exact, momenta, mask, torch.float64)
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for gamma in GAMMAS:
        boost = group.element(np.concatenate([np.zeros_like(axes), np.arccosh(gamma) * axes], axis=1))
        moved = jets.moved(boost)
        for name, (cartesian, dtype) in WAYS.items():
            after, mask, other = inputs(moved, cartesian)
            turn = other @ group.matrix(boost) @ np.linalg.inv(frame)
            wanted = np.einsum("nij,nkj->nki", turn, first)
            got = vectors(net if dtype == torch.float32 else exact, after, mask, dtype)
            if cartesian:  # a component there is one of (E, px, py, pz)
                got, wanted = got @ group.coordinates, wanted @ group.coordinates
            error = float((np.abs(got - wanted).max((0, 1)) / np.abs(wanted).max((0, 1))).max())
            found[name].append(float(f"{error:.2g}") if np.isfinite(error) else 1e30)
    command = "python benchmarks/jets_precision.py"
    seconds = round(time.perf_counter() - start, 1)
    worst = max(found["light cone, float32"])
    return {"command": command, "seed": seed, "gamma": list(GAMMAS), "worst": worst, **found, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.set_num_threads(1)
    training.runs.fill(RESULTS, [{"seed": seed} for seed in range(3)], run, "worst")
    lines = training.runs.read(RESULTS)
    found = {name: np.array([line[name] for line in lines]) for name in WAYS}
    shown = {name: np.minimum(x, 1e3) for name, x in found.items()}
    figure = viz.plot_spread(GAMMAS, shown, "gamma of the boost", "error of a component", log=True, log_y=True)
    figure.savefig(PICTURE, dpi=100)
    for name, x in found.items():
        print(f"{name:22s}", "  ".join(f"{e:.1e}" for e in x.max(0)))


if __name__ == "__main__":
    main()
