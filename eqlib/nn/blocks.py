"""What the layers share: checks at the door, blocks of a feature axis, invariant forms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import Constants
from eqlib.groups import Irrep, Rep
from eqlib.groups.rep import same_group

EPS = 1e-5


def shown(layer: torch.nn.Module) -> str:
    """A layer's reps, for its `repr`: what goes in -> what comes out, and the feature axis."""
    names = [("rep_a", "rep_b"), ("rep_in",), ("rep",)]
    reps = next(([getattr(layer, n) for n in which] for which in names if hasattr(layer, which[0])), [])
    if not reps:
        return ""
    text, out = f"{reps[0]!r}" + "".join(f", {rep}" for rep in reps[1:]), getattr(layer, "rep_out", None)
    if out is None and hasattr(layer, "rep_in"):
        out = layer.rep  # of a gate
    if isinstance(out, Rep):
        text += f" -> {out}" if out.group == reps[0].group else f" -> {out!r}"
    return text + (f", axis={layer.axis}" if hasattr(layer, "axis") else "")


def check_float(name: str, x: Tensor) -> None:
    """ValueError unless x holds floating point numbers."""
    if not x.is_floating_point():
        raise ValueError(f"{name}: got {x.dtype}, expected floating point numbers")


def check_axis(name: str, x: Tensor, rep: Rep, axis: int, choice: bool = True) -> None:
    """ValueError unless x has rep.dim entries along `axis`. With `choice` it says which `axis` to pass instead, if any fits."""
    if not x.is_floating_point():  # here, not in check_float: small layers are called often
        check_float(name, x)
    if not -x.ndim <= axis < x.ndim or x.shape[axis] != rep.dim:
        hint = axis_hint(x, rep.dim) if choice else ""
        raise ValueError(
            f"{name}: got {tuple(x.shape)}, expected {rep.dim} entries on axis {axis} for rep {rep!r}{hint}"
        )


def check_dtype(name: str, x: Tensor, weight: Tensor) -> None:
    """ValueError unless x has the weights' dtype; under autocast torch casts."""
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            f"{name}: got {x.dtype}, expected {weight.dtype}, which the layer has; .to(x.dtype) changes it"
        )


def axis_hint(x: Tensor, *sizes: int) -> str:
    """The end of a message: which axis of x, the batch left out, has one of these sizes; nothing where none has."""
    fits = [axis for axis in range(1, x.ndim) if x.shape[axis] in sizes]
    if not fits:
        return ""
    if fits[0] == 1 < x.ndim - 1:
        return "; pass axis=1: images carry features on axis 1"
    return f"; pass axis={-1 if fits[0] == x.ndim - 1 else fits[0]}"


def check_mask(mask: Tensor, x: Tensor) -> None:
    """ValueError unless the mask says of each row of x (batch, n, ...) whether it is there."""
    if mask.shape != x.shape[:2] or mask.dtype != torch.bool:
        raise ValueError(f"mask: got {mask.dtype} {tuple(mask.shape)}, expected torch.bool {tuple(x.shape[:2])}")


def present(x: Tensor, mask: Tensor) -> Tensor:
    """x (batch, n, ...), zero where the mask (batch, n) is False, whatever stood there: NaN times 0 is NaN."""
    return x.masked_fill(~mask[(..., *[None] * (x.ndim - 2))], 0.0)


def split(x: Tensor, rep: Rep, axis: int) -> list[Tensor]:
    """Blocks of x as views (..., mul, d, ...), mul at `axis` and d behind it; `axis` not negative."""
    # One split, not a slice for each block: the gradient is then put together once instead of padded for each.
    parts = x.split([mul * a.dim for mul, a in rep.blocks], axis) if rep.blocks else ()
    return [part.unflatten(axis, (mul, a.dim)) for part, (mul, a) in zip(parts, rep.blocks, strict=True)]


def joined(parts: list[Tensor], x: Tensor, axis: int) -> Tensor:
    """Parts of a feature axis one after the other; none are an empty axis of x, which torch.cat refuses."""
    return torch.cat(parts, dim=axis) if parts else x.narrow(axis, 0, 0)


@lru_cache(maxsize=1024)
def forms(a: Irrep) -> NDArray[np.float64]:
    """The symmetric part of Hom(a (x) a, 1) as matrices (n, d, d) with eigenvalues +-1; for a compact group the identity."""
    tensors = a.group.clebsch_gordan(a, a, a.group.trivial).dense()[..., 0] * np.sqrt(a.dim)
    return tensors[[bool(np.allclose(t, t.T, atol=1e-9)) for t in tensors]]


def squares(v: Tensor, form: Tensor | None, axis: int) -> Tensor:
    """v.v for every invariant form, for v with components on `axis`: that axis becomes the forms. None is the identity."""
    if form is None:
        return (v * v).sum(axis, keepdim=True)
    v = v.movedim(axis, -1)
    # Two steps, because an einsum of three operands fixes the batch size in an exported program.
    return (torch.einsum("...i,nij->...nj", v, form) * v.unsqueeze(-2)).sum(-1).movedim(-1, axis)


class Blockwise(Constants):
    """A layer on the blocks of one rep; holds their invariant forms."""

    extra_repr = shown

    def __init__(self, rep: Rep, axis: int) -> None:
        super().__init__()
        same_group(rep=rep)
        self.rep, self.axis = rep, axis
        self._trivial = [a.is_trivial for _, a in rep.blocks]
        self._euclidean = []
        for i, (_, a) in enumerate(rep.blocks):
            form = forms(a)
            self._euclidean.append(bool(len(form) == 1 and np.allclose(form[0], np.eye(a.dim))))
            self.constant(f"form_{i}", form)

    def _squares(self, i: int, v: Tensor, axis: int) -> Tensor:
        return squares(v, None if self._euclidean[i] else getattr(self, f"form_{i}"), axis)

    def _norm_square(self, i: int, v: Tensor, axis: int) -> Tensor:
        """|v|^2 = (sum (v.v)^2 + eps^2)^(1/2), keeping the axis with length 1."""
        # Squares of squares would leave float32 at |v| = 1e10.
        size = v.new_full((), EPS)
        for form in self._squares(i, v, axis).unbind(axis):
            size = torch.hypot(size, form)
        return size.unsqueeze(axis) if size.ndim else size.expand_as(v.narrow(axis, 0, 1))
