"""The authors' own EMLP on the same examples, printed as a line of benchmarks/results/emlp.json, which holds none yet.

    python -m venv old && old/bin/pip install jax==0.4.13 jaxlib==0.4.13 "numpy<1.27" "scipy<1.12" "plum-dispatch<2" \\
        h5py "optax<0.1.8" tqdm wheel pillow parameterized six "scikit-learn<1.5" matplotlib tensorboard
    old/bin/pip install --no-deps --no-build-isolation objax==1.6.0 emlp==1.0.3
    python benchmarks/equivariant_mlp.py --rival old/bin/python --tasks scattering --sizes 100 --seeds 0

The package wants a jax of 2023, so it has an environment of its own and is no part of the `bench` extra. On one core a step
takes 0.7 s at n = 100 and 3 to 5 s at batches of 500, a run so a quarter of an hour to two hours: what stands beside ours in
`equivariant_mlp.PUBLISHED` is their own log.
"""

from __future__ import annotations

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import objax
from emlp.groups import Lorentz, O
from emlp.nn import EMLP, Standardize
from emlp.reps import Scalar, T, Vector
from emlp_tasks import EPOCHS, sets

EVERY = 50  # epochs between two looks at the validation set: each costs as much as four steps
REPS = {"inertia": (5 * Scalar + 5 * Vector, T(2), O(3)), "scattering": (4 * Vector, Scalar, Lorentz())}


def standards(task: str, x: np.ndarray, y: np.ndarray) -> tuple[object, ...]:
    """Scales of inputs and outputs as in the package's data sets: none for the inertia tensor."""
    if task == "inertia":
        return 0, 1, 0, 1
    scale = np.sqrt((x.reshape(len(x), 4, 4) ** 2).mean((0, 2)))
    return 0, np.repeat(scale, 4), y.mean(0), y.std(0)


def run(task: str, size: int, seed: int) -> dict[str, object]:
    """One line of the log."""
    data = {name: [jnp.asarray(a, jnp.float32) for a in arrays] for name, arrays in sets(task, size).items()}
    np.random.seed(seed)  # noqa: NPY002, the package draws from it
    objax.random.DEFAULT_GENERATOR.seed(seed)
    rep_in, rep_out, group = REPS[task]
    start = time.process_time()
    model = Standardize(EMLP(rep_in, rep_out, group=group, ch=384, num_layers=3), standards(task, *data["train"]))
    built = time.process_time() - start
    adam = objax.optimizer.Adam(model.vars())
    gradients = objax.GradValues(lambda x, y: jnp.mean((model(x, training=True) - y) ** 2), model.vars())

    def step(x: jax.Array, y: jax.Array) -> jax.Array:
        found, value = gradients(x, y)
        adam(3e-3, found)
        return value[0]

    step = objax.Jit(step, model.vars() + adam.vars())
    predict = objax.Jit(lambda x: model(x, training=False), model.vars())

    def error(name: str) -> float:
        x, y = data[name]
        parts = [((predict(x[i : i + 500]) - y[i : i + 500]) ** 2).mean() for i in range(0, len(x), 500)]
        return float(np.mean(parts))

    best, tested, batch, random = np.inf, np.nan, min(size, 500), np.random.RandomState(seed)
    for epoch in range(EPOCHS[size]):
        order = random.permutation(size)
        for chosen in range(0, size, batch):
            step(*(a[order[chosen : chosen + batch]] for a in data["train"]))
        if (epoch + 1) % EVERY == 0 and (now := error("valid")) < best:
            best, tested = now, error("test")
    return {
        "command": f"python benchmarks/equivariant_mlp.py --rival PYTHON --tasks {task} --sizes {size} --seeds {seed}",
        "model": "emlp-package",
        "task": task,
        "size": size,
        "seed": seed,
        "parameters": int(sum(v.value.size for v in model.vars().values() if isinstance(v, objax.TrainVar))),
        "error": tested,
        "valid": best,
        "seconds": round(time.process_time() - start, 1),
        "built": round(built, 1),
        "jax": jax.__version__,
        "threads": 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", type=json.loads, required=True, help='{"task": ..., "size": ..., "seed": ...}')
    print(json.dumps(run(**parser.parse_args().here)))


if __name__ == "__main__":
    main()
