"""Non-linear maps of each copy by itself. Norms are (sum (v.v)^2 + eps^2)^(1/4), so indefinite forms need no case."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups import Rep
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import Blockwise, axis_hint, check_axis, check_float, joined, shown, split


@typed
class Gate(torch.nn.Module):
    """Scalars pass through `activation`, every other copy is multiplied by the sigmoid of an invariant of its own.

    `rep_in` is rep and one trivial copy, the gate, for each non-trivial copy; the output is rep.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> O2 = groups.O2()
    >>> gate = nn.Gate(O2.rep("4x0e+2x1"), axis=1)  # axis 1 for images
    >>> gate.rep_in
    O2: 4x0e+2x1+2x0e
    >>> net = torch.nn.Sequential(nn.GridConv(O2.rep("0e"), gate.rep_in, 5), gate)
    >>> net(torch.zeros(1, 1, 9, 9)).shape
    torch.Size([1, 8, 9, 9])
    """

    extra_repr = shown

    def __init__(
        self, rep: Rep, axis: int = -1, activation: Callable[[Tensor], Tensor] = torch.nn.functional.silu
    ) -> None:
        super().__init__()
        same_group(rep=rep)
        self.rep, self.axis, self.activation = rep, axis, activation
        self._trivial = [a.is_trivial for _, a in rep.blocks]
        self._gates = sum(mul for (mul, _), trivial in zip(rep.blocks, self._trivial, strict=True) if not trivial)
        self.rep_in = rep + rep.group.rep([(self._gates, rep.group.trivial)]) if self._gates else rep

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        axis = self.axis % x.ndim
        gates = torch.sigmoid(x.narrow(axis, self.rep.dim, self._gates))
        out, used = [], 0
        for block, trivial in zip(split(x.narrow(axis, 0, self.rep.dim), self.rep, axis), self._trivial, strict=True):
            if trivial:
                out.append(self.activation(block).flatten(axis, axis + 1))
                continue
            mul = block.shape[axis]
            out.append((block * gates.narrow(axis, used, mul).unsqueeze(axis + 1)).flatten(axis, axis + 1))
            used += mul
        return joined(out, x, axis)

    def _check(self, x: Tensor) -> None:
        here = x.shape[self.axis] if -x.ndim <= self.axis < x.ndim else None
        check_float("x", x)
        if here == self.rep_in.dim:
            return
        # A newcomer gives rep itself: then it is the layer before that must change.
        before = self.rep.dim in x.shape[1:] and self.rep_in.dim not in x.shape[1:]
        raise ValueError(
            f"x: got {tuple(x.shape)}, expected {self.rep_in.dim} entries on axis {self.axis} for gate.rep_in {self.rep_in!r}, "
            f"{self.rep.dim} of rep and {self._gates} gates"
            + ("; let the layer before give gate.rep_in" if before else "")
            + ("" if here == self.rep.dim else axis_hint(x, self.rep_in.dim, self.rep.dim))
        )


@typed
class NormActivation(Blockwise):
    """v -> v activation(|v| + b) / |v| for every copy, a learnt b each; scalars pass through the activation itself.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> relu = nn.NormActivation(groups.O3().rep("2x0e+1o"))
    >>> relu(torch.tensor([-1.0, 2.0, 3.0, 0.0, 4.0])).tolist()  # b = 0: every vector passes
    [0.0, 2.0, 3.0, 0.0, 4.0]
    """

    def __init__(
        self, rep: Rep, axis: int = -1, activation: Callable[[Tensor], Tensor] = torch.nn.functional.relu
    ) -> None:
        super().__init__(rep, axis)
        self.activation = activation
        doors.affordable("copies of irreps", rep.copies)
        self.bias = torch.nn.Parameter(torch.zeros(rep.copies))

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        out, used = [], 0
        for i, block in enumerate(split(x, self.rep, axis)):
            mul = block.shape[axis]
            shape = [1] * block.ndim
            shape[axis] = mul
            bias = self.bias[used : used + mul].view(shape)
            used += mul
            if self._trivial[i]:
                out.append(self.activation(block + bias).flatten(axis, axis + 1))
                continue
            norm = self._norm_square(i, block, axis + 1).sqrt()
            out.append((block * (self.activation(norm + bias) / norm)).flatten(axis, axis + 1))
        return joined(out, x, axis)
