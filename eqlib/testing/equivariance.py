"""Is it equivariant? One number, for any map between reps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from eqlib.doors import Natural, Sampled, typed
from eqlib.groups import Element, Group, Rep

AT_ONCE = 4000  # numbers of a feature


@typed
def equivariance_error(
    f: Callable[..., Tensor],
    rep_in: Rep | Sequence[Rep],
    rep_out: Rep,
    samples: Sampled = 8,
    seed: Natural = 0,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> float:
    """The largest |f(g x) - g f(x)| / |g f(x)| over elements g that generate the group, `samples` random ones, and random x.

    f maps tensors (n, 4, rep.dim), one for each rep of `rep_in`, to (n, 4, rep_out.dim), four rows for each of n elements; it is
    called several times where features are long. A module is copied, cast to `dtype`, and all its parameters, biases too, are
    drawn anew; it stays in the mode that it is in, so that either mode of a layer can be tested (dropout is equivariant in eval
    mode alone). For the weights that it has, pass `lambda x: net(x)`, with the net in eval mode and in float64. `scale` bounds
    boosts' rapidity.

    Elements that generate the group suffice, see `generating`. Random ones alone do not: those of a finite group may all lie in
    a subgroup, two samples of Cyclic(8) in every fourth draw. x is random, so an f that errs on few x only may pass.

    Raises ValueError for an f that is zero or does not vary: it would pass everything.

    >>> import torch
    >>> from eqlib import groups, nn, testing
    >>> rep = groups.O3().rep("4x0e+2x1o")
    >>> testing.equivariance_error(nn.Linear(rep, rep), rep, rep) < 1e-12
    True
    >>> testing.equivariance_error(torch.relu, rep, rep) > 0.1  # of a vector's components: not allowed
    True
    """
    reps = [rep_in] if isinstance(rep_in, Rep) else list(rep_in)
    f = randomised(f, seed, dtype)
    group = rep_out.group
    elements = generating(group, scale), group.sample(samples, seed=seed, scale=scale)
    matrices = {rep: torch.tensor(np.concatenate([rep(g) for g in elements])) for rep in {*reps, rep_out}}
    if not (n := sum(map(len, elements))):
        raise ValueError(f"samples: got {samples}, expected at least 1 for {group}, which nothing has to generate")
    rng = np.random.default_rng(seed + 1)
    x = [torch.tensor(rng.normal(size=(n, 4, rep.dim))) for rep in reps]
    moved = [torch.einsum("nij,nbj->nbi", matrices[rep], v) for rep, v in zip(reps, x, strict=True)]
    at_once = max(1, AT_ONCE // (4 * max(rep.dim for rep in matrices)))  # so that a network of E8 fits into memory

    def values(inputs: list[Tensor]) -> Tensor:
        found = []
        for piece in zip(*(v.to(dtype).split(at_once) for v in inputs), strict=True):
            found.append(f(*piece))
            if found[-1].shape != (shape := (len(piece[0]), 4, rep_out.dim)):
                raise ValueError(f"f: got values {tuple(found[-1].shape)}, expected {shape} for rep_out {rep_out!r}")
        return torch.cat(found)

    with torch.no_grad():
        plain, after = values(x), values(moved)
    before = torch.einsum("nij,nbj->nbi", matrices[rep_out], plain.double())
    return relative_error(plain.double(), before, after.double())


def generating(group: Group, scale: float = 1.0) -> Element:
    """Elements that generate the group: a continuous f that commutes with these commutes with every element.

    If f commutes with g and with h, it commutes with g h and with the inverse of g; so what it commutes with is a subgroup H.
    H holds the representatives of `group.generating_components` and thus one element of each connected component; in a finite
    group that is every element, and nothing is asked of f.

    In a Lie group H holds exp(X) and exp(X / sqrt 2) for each X of `group.generating` (for a boost `scale` times X). The ratio is
    irrational, so sums of multiples of the two come arbitrarily near every number. H is closed, because f is continuous; so it
    holds exp(t X) for every t. A closed subgroup has a Lie algebra, which with these X holds their brackets, and those are all.
    So H holds the identity component, and with a representative each of the others. One t for each X would not do: exp(X) may
    be a third of a turn, and of a boost it has no powers but whole steps. (For a linear f one could ask of the X themselves.)

    >>> from eqlib import groups
    >>> generating(groups.O3()), generating(groups.E8())  # turns about two axes, the inversion; 16 of 248 generators
    (5 element(s) of O3, 1 factor(s), 32 element(s) of E8, 1 factor(s))
    """
    components = list(group.generating_components)
    directions = np.eye(group.dim)[list(group.generating)] * np.where(group.noncompact_directions, scale, 1.0)
    theta = np.concatenate([directions, directions / np.sqrt(2), np.zeros((len(components), group.dim))])
    return group.element(theta, [0] * (2 * len(directions)) + components)


def assert_equivariant(
    f: Callable[..., Tensor], rep_in: Rep | Sequence[Rep], rep_out: Rep, tolerance: float = 1e-10, **options: object
) -> None:
    """AssertionError with the number where `equivariance_error` is above `tolerance`.

    >>> from eqlib import groups, nn, testing
    >>> rep = groups.Lorentz().rep("2x(1,1)")
    >>> squares = nn.Invariants(rep)
    >>> testing.assert_equivariant(squares, rep, squares.rep_out)
    """
    error = equivariance_error(f, rep_in, rep_out, **options)  # type: ignore[arg-type]
    if not error <= tolerance:
        raise AssertionError(f"not equivariant: error {error:.2e} is above {tolerance:.0e}")


@typed
def randomised(
    f: Callable[..., Tensor], seed: Natural, dtype: torch.dtype, least: float = 0.3
) -> Callable[..., Tensor]:
    """A copy of a module in `dtype` with every parameter drawn anew; anything else as it is.

    A parameter keeps its scale, but gets `least` where that is larger, and 0.3 where it was zero.

    >>> import torch
    >>> from eqlib import groups, nn, testing
    >>> rep = groups.O3().rep("2x0e")
    >>> layer = nn.Linear(rep, rep)
    >>> layer.bias.tolist()  # a bias of 0 would hide an error in how it is used
    [0.0, 0.0]
    >>> bool((testing.randomised(layer, 0, torch.float64).bias != 0).all())
    True
    """
    if not isinstance(f, torch.nn.Module):
        return f
    f = copy.deepcopy(f).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in f.parameters():
            spread = (max(float(p.square().mean().sqrt()), least) or 0.3) if p.numel() else 1.0
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) * spread)
    return f


def settled(f: Callable[..., Tensor], x: Tensor) -> Callable[..., Tensor]:
    """A module in eval mode, with running statistics that are those of x; anything else as it is.

    The statistics that a `randomised` copy has belong to other weights, and those of a batch differ from batch to batch.
    """
    if isinstance(f, torch.nn.Module):
        f.eval()
        for norm in (m for m in f.modules() if hasattr(m, "running_mean")):
            norm.train()
            norm.momentum = 1.0  # type: ignore[assignment]
        with torch.no_grad():
            f(x)
        f.eval()
    return f


def relative_error(plain: Tensor, before: Tensor, after: Tensor, mean: bool = False) -> float:
    if not plain.isfinite().all() or not after.isfinite().all():
        raise ValueError("f: got NaN or infinite values, expected finite ones")
    if float(plain.abs().max()) == 0.0:
        raise ValueError("f: got zero on random input, expected other values: zero passes every test and shows nothing")
    if len(plain) > 1 and float((plain - plain[:1]).abs().max()) == 0.0:
        raise ValueError(
            "f: got a map that does not vary with its input, which passes every test and shows nothing, expected one that does"
        )
    error = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1).clamp_min(1e-300)
    return float(error.mean() if mean else error.max())
