"""The length that x is divided by, in a metric of any signature."""

from __future__ import annotations

import torch
from torch import Tensor


def length(x: Tensor, metric: Tensor, mu: float) -> tuple[Tensor, Tensor, Tensor]:
    """s = ((x.x)^2 + mu^4)^(1/4) (E, 1), 1 where that is 0; ds/dx = slope * dual with slope (E, 1) and dual = M x (E, v).

    An empty metric stands for the identity.
    """
    dual = x @ metric.to(x) if metric.numel() else x
    square = dot(dual, x)
    if mu > 0:
        s = torch.hypot(square, square.new_tensor(mu**2)).sqrt()
        return s, square / s / s / s, dual
    # The gradient of a direction overflows where the square does not fit the dtype.
    fits = square > torch.finfo(x.dtype).tiny
    s = torch.where(fits, square, 1.0).sqrt()
    return s, torch.where(fits, 1 / s, 0.0), dual


def dot(a: Tensor, b: Tensor) -> Tensor:
    """(E, 1), by columns: a sum over an axis of three is slow in torch."""
    first, *others = zip(a.unbind(1), b.unbind(1), strict=True)
    total = first[0] * first[1]
    for x, y in others:
        total = total + x * y
    return total[:, None]
