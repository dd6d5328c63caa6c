"""What benchmarks/points.py and gpu.py time: one convolution over edges, as eqlib and as e3nn write it, and its passes.

Depthwise (e3nn's uvu) over the irreps l^((-1)^l), l <= degree, of O(3), as many channels of each, harmonics up to the same
degree: every path that parity leaves. Weights are given for each edge, or come from a radial network: 8 Bessel functions, one
hidden layer of 32, a linear map. Edges join random points; none is a loop, because e3nn has no gradient there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from e3nn import o3
from torch import Tensor

from eqlib import convert, groups, kernels, nn, products

CUTOFF, HIDDEN, BESSEL = 12.0, 32, 8  # the cut-off lies beyond every edge: points have standard deviation 1
CASES = ("weights", "radial", "positions", "forces", "training")


def engines() -> dict[str, Callable[[], AbstractContextManager[Any]]]:
    """The engines that eqlib's products can run on here: a name, and the context in which it is the chosen one."""
    return {name: partial(products.using, name) for name in products.available()}


class Problem(NamedTuple):
    """Inputs, and what a pass is asked for.

    x (nodes, dim), positions (nodes, 3), edges (2, E), weights (E, paths * channels), the output's gradient (nodes, dim),
    forces to train on (nodes, 3).
    """

    degree: int
    channels: int
    x: Tensor
    positions: Tensor
    edges: Tensor
    weights: Tensor
    gradient: Tensor
    forces: Tensor

    def to(self, device: str | torch.device, dtype: torch.dtype) -> Problem:
        moved = [t.to(device, dtype if t.is_floating_point() else None) for t in self[2:]]
        return Problem(self.degree, self.channels, *moved)


def paths(degree: int) -> list[tuple[int, int, int]]:
    """(l of the features, of the harmonic, of the output), in e3nn's order."""
    r = range(degree + 1)
    return [(i, j, k) for i in r for j in r for k in r if abs(i - j) <= k <= i + j and (i + j + k) % 2 == 0]


def problem(
    degree: int,
    channels: int,
    edges: int,
    nodes: int,
    seed: int = 0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Problem:
    """Normal random numbers; they depend on dtype and device too."""
    draw = torch.Generator(device).manual_seed(seed)
    normal = partial(torch.randn, generator=draw, dtype=dtype, device=device)
    source = torch.randint(nodes, (edges,), generator=draw, device=device)
    target = (source + torch.randint(1, nodes, (edges,), generator=draw, device=device)) % nodes
    dim = channels * (degree + 1) ** 2
    x, positions, weights = normal(nodes, dim), normal(nodes, 3), normal(edges, len(paths(degree)) * channels)
    return Problem(
        degree, channels, x, positions, torch.stack([source, target]), weights, normal(nodes, dim), normal(nodes, 3)
    )


class Hidden(torch.nn.Module):
    """The radial network up to its hidden layer, q (E,) -> (E, 32); the layer that owns it has the last linear map."""

    number = HIDDEN

    def __init__(self) -> None:
        super().__init__()
        self.first = kernels.RadialMLP(kernels.Bessel(BESSEL, CUTOFF), (), HIDDEN)

    def forward(self, q: Tensor) -> Tensor:
        return torch.nn.functional.silu(self.first(q))


def ours(degree: int, channels: int, own: bool) -> nn.PointConv:
    """eqlib's layer; `own`: with its own radial network."""
    rep = groups.O3().rep("+".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(degree + 1)))
    return nn.PointConv(rep, rep, degree, Hidden() if own else None, depthwise=True)


class E3nn(torch.nn.Module):
    """The same layer as e3nn's users write it. `converted`: it takes eqlib's weights, and so is the same function of them."""

    def __init__(self, degree: int, channels: int, own: bool, converted: bool = False) -> None:
        super().__init__()
        irreps, sh = (o3.Irreps([(n, (l, (-1) ** l)) for l in range(degree + 1)]) for n in (channels, 1))
        instructions = [(*path, "uvu", True) for path in paths(degree)]
        self.product = o3.TensorProduct(irreps, sh, irreps, instructions, shared_weights=False, internal_weights=False)
        self.harmonics = o3.SphericalHarmonics(sh, normalize=True, normalization="component")
        self.radial, self.weight, self.converted = None, None, converted
        if own:
            self.radial = Hidden()
            self.weight = torch.nn.Parameter(torch.randn(self.product.weight_numel, HIDDEN) / HIDDEN**0.5)
        order, factors = convert.from_e3nn_weights(self.product)  # from theirs to ours; here it is the other way round
        back = np.argsort(order)
        self.register_buffer("order", torch.tensor(back))
        self.register_buffer("factors", torch.tensor(1 / factors[back], dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor, positions: Tensor, edges: Tensor, weights: Tensor | None = None) -> Tensor:
        source, target = edges[0], edges[1]
        r = positions[source] - positions[target]
        if self.radial is not None:
            weights = self.radial(r.square().sum(1)) @ self.weight.T
        if self.converted:
            weights = weights[:, self.order] * self.factors
        messages = self.product(x[source], self.harmonics(r), weights)
        return torch.zeros_like(x).index_add(0, target, messages)


def step(case: str, layer: Callable[..., Tensor], p: Problem, parameters: list[Tensor]) -> list[Tensor]:
    """One pass forward and backward, and the tensors that it gives: output or forces, then gradients.

    weights: gradients to x and the weights of each edge. radial: to x and the radial network. positions: as weights, and to
    the positions. forces: minus the gradient of an energy, half the sum of squares of the output, in which every path takes
    part; weights from the radial network. training: gradients of the mean square error of forces to x and the radial network.
    """
    x = p.x.detach().requires_grad_(case != "forces")
    positions = p.positions.detach().requires_grad_(case not in ("weights", "radial"))
    if case in ("weights", "positions"):
        weights = p.weights.detach().requires_grad_()
        y = layer(x, positions, p.edges, weights)
        return [y, *torch.autograd.grad(y, [x, weights] + [positions] * (case == "positions"), p.gradient)]
    y = layer(x, positions, p.edges)
    if case == "radial":
        return [y, *torch.autograd.grad(y, [x, *parameters], p.gradient)]
    forces = -torch.autograd.grad(y.square().sum() / 2, positions, create_graph=case == "training")[0]
    if case == "forces":
        return [forces]
    return [forces, *torch.autograd.grad((forces - p.forces).square().mean(), [x, *parameters])]


def runner(case: str, layer: torch.nn.Module, p: Problem) -> Callable[[], list[Tensor]]:
    """`step` without arguments."""
    return partial(step, case, layer, p, [tensor for _, tensor in sorted(layer.named_parameters())])


@contextmanager
def default_dtype(dtype: torch.dtype) -> Any:
    """e3nn makes its constants in torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def pair(case: str, p: Problem, engine: Callable[[], AbstractContextManager[Any]]) -> tuple[list[Tensor], list[Tensor]]:
    """What `step` gives with eqlib and with e3nn on the same weights, in the problem's dtype, on its device."""
    own = case in ("radial", "forces", "training")
    with default_dtype(p.x.dtype):
        mine, theirs = ours(p.degree, p.channels, own).to(p.x), E3nn(p.degree, p.channels, own, True).to(p.x.device)
        with torch.no_grad():
            for name, tensor in theirs.named_parameters():
                tensor.copy_(mine.get_parameter(name))
        with engine():
            found = runner(case, mine, p)()
        return found, runner(case, theirs, p)()


def difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest over tensors of |a - b| / |b|, Euclidean."""
    wide = [(a.detach().double().cpu(), b.detach().double().cpu()) for a, b in zip(found, expected, strict=True)]
    return max(float((a - b).norm() / b.norm()) for a, b in wide)


def bytes_once(p: Problem, size: int = 4) -> int:
    """Bytes that a pass "weights" must move if each array is moved once wherever it is needed, `size` bytes a number.

    Forward reads weights, frames (the irreps' matrices of each edge) and x, and writes y; backward reads all four again, y's
    gradient for y, and writes the gradients of weights and x.
    """
    edges, dim, dims = p.edges.shape[1], p.x.numel(), [2 * l + 1 for l in range(p.degree + 1)]
    frames = edges * sum(d * d for d in dims)
    return size * (3 * p.weights.numel() + 2 * frames + 5 * dim)
