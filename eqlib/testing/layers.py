"""Why is it not equivariant? Errors of each layer, by cause."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eqlib.doors import Natural, Positive, typed
from eqlib.groups import Rep
from eqlib.testing.equivariance import randomised, settled
from eqlib.testing.grids import blobs, fibre, grid_equivariance_error, sample_field, turn_by


@dataclass(frozen=True)
class Causes:
    """Why one layer is not equivariant: relative errors by cause, see `causes`.

    >>> from eqlib import testing
    >>> cause = testing.Causes("ReLU", activation=0.3, grid=0.0, boundary=0.0, stride=0.0)
    >>> cause.layer, cause.activation
    ('ReLU', 0.3)
    """

    layer: str
    activation: float
    grid: float
    boundary: float
    stride: float


@typed
def causes(
    layers: Iterable[torch.nn.Module],
    rep: Rep,
    angle: float,
    size: Positive = 33,
    seed: Natural = 0,
    width: float = 3.0,
) -> list[Causes]:
    """Where a network of layers on images or volumes loses its equivariance under a turn by `angle` radians, layer by layer.

    Each layer gets random parameters and, by itself, exactly equivariant input of the rep that it takes, on `size` pixels (a
    mask on its own size); a layer without `rep_in` or `rep` keeps the rep of the one before. The causes:

    activation: the error on one pixel alone, where only features are mixed.
    grid: the rest on smooth fields well inside the image; of a strided layer, at stride 1.
    boundary: what fields add that reach over the border.
    stride: what fewer pixels add.

    This finds the layer that breaks the symmetry; it does not foretell the error of the whole. The parts do not add up: each
    layer gets smooth input, but in a network what the layers before have made, which is less smooth and lies on fewer pixels.
    Layers are in eval mode, with running statistics of the test fields.

    Raises ValueError where the turn is no element of a group whose features are not trivial.

    >>> import torch
    >>> from eqlib import groups, nn, testing
    >>> SO2 = groups.SO2()
    >>> pair = SO2.rep("1")
    >>> layers = [nn.GridConv(SO2.rep("0"), pair, 5), torch.nn.ReLU()]
    >>> conv, relu = testing.causes(layers, SO2.rep("0"), angle=0.5)
    >>> conv.activation < 1e-12, conv.grid < 0.05, relu.activation > 0.1  # the sign of a component depends on the axes
    (True, True, True)
    """
    found, matrix = [], turn_by(angle, rep.group.vector.dim)
    for layer in layers:
        rep_in = getattr(layer, "rep_in", getattr(layer, "rep", rep))
        rep = getattr(layer, "rep_out", getattr(layer, "rep", rep_in))
        pixels = getattr(layer, "size", size)
        usual = sample_field(blobs(rep_in, pixels / 2, width, seed=seed), pixels, len(matrix))
        module: Any = settled(randomised(layer, seed, torch.float64, 0.0), usual)
        dense: Any = copy.deepcopy(module)
        if hasattr(layer, "stride"):
            dense.stride = 1

        def error(f: Any, inside: float, reach: float, reps: tuple[Rep, Rep] = (rep_in, rep), n: int = pixels) -> float:
            return grid_equivariance_error(  # of its call, because a module's weights would be drawn anew
                f.__call__, *reps, [angle], size=n, seed=seed, inside=inside, reach=reach, width=width
            )

        one = torch.tensor(np.random.default_rng(seed).normal(size=(4, rep_in.dim, *[1] * len(matrix))))
        one = one.expand(-1, -1, *[getattr(layer, "size", 1)] * len(matrix))
        with torch.no_grad():
            before = torch.einsum("ij,bj...->bi...", torch.tensor(fibre(rep, matrix)), module(one))
            after = module(torch.einsum("ij,bj...->bi...", torch.tensor(fibre(rep_in, matrix)), one))
            shape = module(torch.zeros(1, rep_in.dim, *[pixels] * len(matrix), dtype=torch.float64)).shape
        own_error = float((after - before).norm() / before.norm().clamp_min(1e-300))
        near = pixels / 2 - 10
        calm, wild = error(dense, near, near / 2), error(dense, near + 6, pixels / 2)
        shrinks = round(pixels / shape[-1]) > 1
        whole = error(module, near, near / 2) if shrinks else calm
        own = calm if hasattr(layer, "stride") or not shrinks else own_error
        rest = (max(own - own_error, 0.0), max(wild - calm, 0.0), max(whole - own, 0.0))
        found.append(Causes(type(layer).__name__, own_error, *rest))
    return found
