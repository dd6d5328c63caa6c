"""Is it equivariant? One number, for any map between reps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor

from eqlib.groups import Element, Group, Rep


def equivariance_error(
    f: Callable[..., Tensor],
    rep_in: Rep | Sequence[Rep],
    rep_out: Rep,
    samples: int = 8,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> float:
    """The largest |f(g x) - g f(x)| / |g f(x)| over random g and x.

    f maps tensors (samples, 4, rep.dim), one for each rep of `rep_in`, to (samples, 4, rep_out.dim), each row on its own. A
    module is copied, cast to `dtype`, and all its parameters, biases too, are drawn anew. `scale` bounds boosts' rapidity.

    Raises ValueError for an f that is zero or does not vary: it would pass everything.
    """
    reps = [rep_in] if isinstance(rep_in, Rep) else list(rep_in)
    f = randomised(f, seed, dtype)
    g = rep_out.group.sample(samples, seed=seed, scale=scale)
    rng = np.random.default_rng(seed + 1)
    x = [torch.tensor(rng.normal(size=(samples, 4, rep.dim))) for rep in reps]
    moved = [torch.einsum("nij,nbj->nbi", torch.tensor(rep(g)), v) for rep, v in zip(reps, x, strict=True)]
    with torch.no_grad():
        plain, after = f(*(v.to(dtype) for v in x)), f(*(v.to(dtype) for v in moved))
    if plain.shape != (samples, 4, rep_out.dim):
        raise ValueError(f"f gives {tuple(plain.shape)}, rep_out {rep_out!r} expects {(samples, 4, rep_out.dim)}")
    before = torch.einsum("nij,nbj->nbi", torch.tensor(rep_out(g)), plain.double())
    return _relative(plain.double(), before, after.double())


def assert_equivariant(
    f: Callable[..., Tensor], rep_in: Rep | Sequence[Rep], rep_out: Rep, tolerance: float = 1e-10, **options: object
) -> None:
    """AssertionError with the number where `equivariance_error` is above `tolerance`."""
    error = equivariance_error(f, rep_in, rep_out, **options)  # type: ignore[arg-type]
    if not error <= tolerance:
        raise AssertionError(f"not equivariant: error {error:.2e} is above {tolerance:.0e}")


def grid_symmetries(group: Group) -> Element:
    """The elements of the group that map the grid of pixels to itself: quarter turns and flips."""
    size = group.vector.dim
    found = []
    for order in permutations(range(size)):
        for signs in product([1.0, -1.0], repeat=size):
            matrix = np.eye(size)[list(order)] * np.array(signs)
            try:
                found.append(group.from_matrix(matrix))
            except ValueError:  # not in this group: the reflections of SO(2), say
                continue
    factors = [np.concatenate([g.factors[0][k] for g in found]) for k in (0, 1)]
    return Element(group, ((factors[0], factors[1]),))


def act_on_grid(rep: Rep, g: Element, x: Tensor) -> Tensor:
    """(g f)(p) = rep(g) f(g^-1 p) for one grid symmetry g and features (batch, rep.dim, pixels)."""
    matrix = rep.group.matrix(g)[0].round()
    dimensions = len(matrix)
    if dimensions == 2:  # rows run against y
        flip = np.array([[0.0, -1.0], [1.0, 0.0]])
        matrix = flip @ matrix @ flip.T
    axes = [int(np.abs(matrix[:, i]).argmax()) for i in range(dimensions)]
    y = x.permute(0, 1, *(2 + axes.index(i) for i in range(dimensions)))
    y = y.flip([2 + axes[i] for i in range(dimensions) if matrix[axes[i], i] < 0])
    return torch.einsum("ij,bj...->bi...", torch.tensor(rep(g)[0]).to(x), y)


def grid_equivariance_error(
    f: Callable[[Tensor], Tensor],
    rep_in: Rep,
    rep_out: Rep,
    size: int = 11,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> float:
    """As `equivariance_error` for a map of images or volumes, over every quarter turn and flip of the group."""
    f = randomised(f, seed, dtype)
    shape = (2, rep_in.dim, *[size] * rep_in.group.vector.dim)
    x = torch.tensor(np.random.default_rng(seed + 1).normal(size=shape)).to(dtype)
    symmetries, worst = grid_symmetries(rep_in.group), 0.0
    with torch.no_grad():
        plain = f(x)
        for i in range(len(symmetries)):
            before = act_on_grid(rep_out, symmetries[i], plain)
            worst = max(worst, _relative(plain, before, f(act_on_grid(rep_in, symmetries[i], x))))
    return worst


def randomised(f: Callable[..., Tensor], seed: int, dtype: torch.dtype) -> Callable[..., Tensor]:
    """A copy of a module in `dtype` with every parameter drawn anew; anything else as it is."""
    if not isinstance(f, torch.nn.Module):
        return f
    f = copy.deepcopy(f).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in f.parameters():
            spread = max(float(p.square().mean().sqrt()), 0.3) if p.numel() else 1.0
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) * spread)
    return f


def _relative(plain: Tensor, before: Tensor, after: Tensor) -> float:
    if not plain.isfinite().all() or not after.isfinite().all():
        raise ValueError("f gives NaN or infinite values")
    if float(plain.abs().max()) == 0.0:
        raise ValueError("f is zero on random input: it passes every test and shows nothing")
    if len(plain) > 1 and float((plain - plain[:1]).abs().max()) == 0.0:
        raise ValueError("f does not vary with its input: it passes every test and shows nothing")
    error = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1).clamp_min(1e-300)
    return float(error.max())
