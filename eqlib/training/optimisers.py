"""Learning rates over a run, and LBFGS for small models without noise."""

from __future__ import annotations

import math
from typing import Any

import torch


def cosine(t: float) -> float:
    """From 1 at t = 0 to 0 at t = 1 along half a cosine, for `schedule`.

    >>> [round(cosine(t), 3) for t in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    """
    return 0.5 * (1 + math.cos(math.pi * t))


def warm_cosine(t: float) -> float:
    """`cosine` after a straight rise over the first twentieth.

    >>> [round(warm_cosine(t), 3) for t in (0, 0.025, 0.05, 1)]
    [0.01, 0.509, 0.994, 0.0]
    """
    return min(1.0, t * 20 + 0.01) * cosine(t)


def lbfgs(parameters: Any, lr: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """LBFGS with a line search, 20 iterations a step, for `optimizer`: small models without noise, all data in one batch.

    It ignores lr's usual scale: pass lr=1.0. And it stops learning where the loss becomes tiny, because torch leaves out every
    update with y.s <= 1e-10: choose units in which the loss that is hoped for is not far below 1.
    Nocedal and Wright, Numerical optimization (2006), Ch. 7.

    >>> type(lbfgs([torch.nn.Parameter(torch.zeros(2))], lr=1.0)).__name__
    'LBFGS'
    """
    if weight_decay:
        raise ValueError(f"weight_decay: got {weight_decay!r}, expected 0: LBFGS has none")
    options: dict[str, Any] = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
    return torch.optim.LBFGS(parameters, lr=lr, max_iter=20, history_size=50, **options)
