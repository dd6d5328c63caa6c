"""Pointwise functions in Fourier space: features as functions on the group, sampled, changed, and taken back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants
from eqlib.doors import typed
from eqlib.groups import Element, Rep, spanning_vectors
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import check_axis, check_dtype, shown, split

MOST = 10_000  # samples of functions on a group


class Sampled(Constants):
    """Channels of band-limited functions on a compact group, and their values at elements spread over it.

    A channel holds n_a copies of each irrep a, n_a at most dim / endo. Its value at g is the sum over copies i of
    sqrt(dim a / size) <x_i, D_a(g) u_i> with unit vectors u_i; g f, which is f(g^-1 .), has the components D(g) x.
    """

    synthesis: Tensor
    any_rep = ""  # the layer that does the same for features that are no functions

    extra_repr = shown

    def __init__(self, rep: Rep, samples: int | None, axis: int) -> None:
        super().__init__()
        same_group(rep=rep)
        irreps = [a for _, a in rep.blocks]
        if not irreps or len(set(irreps)) < len(irreps) or 0 in (mul for mul, _ in rep.blocks):
            raise ValueError(
                f"rep: got {rep!r}, expected one block for each irrep (groups.fields makes such a rep){self.any_rep}"
            )
        most = [a.dim // a.endo for a in irreps]
        # As many channels as possible: each then has as few copies as possible.
        channels = int(np.gcd.reduce([mul for mul, _ in rep.blocks]))
        copies = [mul // channels for mul, _ in rep.blocks]
        if any(n > m for n, m in zip(copies, most, strict=True)):
            raise ValueError(
                f"rep: got {rep!r}, expected channels of functions on {rep.group}: {channels} of them would have "
                f"{dict(zip([a.label for a in irreps], copies, strict=True))} copies, at most "
                f"{dict(zip([a.label for a in irreps], most, strict=True))} are different functions{self.any_rep}"
            )
        self.rep, self.axis, self.channels = rep, axis, channels
        size = sum(n * a.dim for n, a in zip(copies, irreps, strict=True))
        wanted = 2 * size if samples is None else doors.count("samples", samples, 1, MOST)
        matrix = self._matrix(copies, size, rep.group.spread(wanted))
        if len(matrix) < wanted and rep.group.dim:
            # Functions that are constant along a subgroup take each value several times.
            matrix = self._matrix(copies, size, rep.group.spread(wanted * -(-wanted // len(matrix))))
        if np.linalg.matrix_rank(matrix, tol=1e-6) < size:
            raise ValueError(
                f"samples: got {len(matrix)} different ones, which do not tell functions of {size} components apart, "
                f"expected {size} or more"
            )
        self.samples = len(matrix)
        self.constant("synthesis", matrix)

    def _matrix(self, copies: list[int], size: int, points: Element) -> NDArray[np.float64]:
        """(samples, components) values of each component's function at the points, equal rows once."""
        columns = [
            np.sqrt(a.dim / size) * a(points) @ unit
            for n, (_, a) in zip(copies, self.rep.blocks, strict=True)
            for unit in spanning_vectors(a)[:n]
        ]
        matrix = np.concatenate(columns, axis=1)
        _, first = np.unique(matrix.round(9), axis=0, return_index=True)
        return matrix[np.sort(first)]

    def values(self, x: Tensor) -> Tensor:
        """(..., rep.dim at `axis`, ...) -> values (..., channels, samples, pixels) with everything behind the axis flat."""
        check_axis("x", x, self.rep, self.axis)
        check_dtype("x", x, self.synthesis)
        axis = self.axis % x.ndim
        parts = [p.flatten(axis, axis + 1).unflatten(axis, (self.channels, -1)) for p in split(x, self.rep, axis)]
        joined = torch.cat(parts, dim=axis + 1)
        return self.synthesis @ (joined.flatten(axis + 2) if joined.ndim > axis + 2 else joined[..., None])


@typed
class FourierActivation(Sampled):
    """A pointwise function of features that are functions on the group: sample, apply, take the components again.

    For a finite group and whole regular reps this is exactly x -> Q^T f(Q x) with Q of `groups.regular`: a pointwise function
    in the regular rep (Cohen and Welling 2016). Copies that fill a quotient's permutation rep work the same way. For a
    continuous group it is equivariant up to the frequencies that f makes and `samples` points fold back; turns that map the
    points to each other (quarter turns, for the groups of the plane) are exact.

    Args:
        rep: one block for each irrep, multiplicities c * n_a, as `groups.fields` gives.
        samples: about how many elements; None: twice the components of a channel. A finite group always gives all.

    Attributes: channels c; samples; synthesis (samples, components of a channel).

    >>> from eqlib import groups, nn, testing
    >>> regular, _ = groups.regular(groups.Cyclic(4))
    >>> rep = groups.fields(regular, 3)  # three functions on the group
    >>> relu = nn.FourierActivation(rep)
    >>> relu.channels, relu.samples
    (3, 4)
    >>> testing.equivariance_error(relu, rep, rep) < 1e-12
    True
    """

    analysis: Tensor
    any_rep = "; nn.Gate and nn.NormActivation take any rep"

    def __init__(
        self,
        rep: Rep,
        samples: int | None = None,
        axis: int = -1,
        activation: Callable[[Tensor], Tensor] = torch.nn.functional.relu,
    ) -> None:
        super().__init__(rep, samples, axis)
        self.activation = activation
        self.constant("analysis", np.linalg.pinv(self._exact["synthesis"].numpy()))
        self._sizes = [mul // self.channels * a.dim for mul, a in rep.blocks]

    def forward(self, x: Tensor) -> Tensor:
        axis = self.axis % x.ndim
        y = self.analysis @ self.activation(self.values(x))
        parts = [part.flatten(axis, axis + 1) for part in y.split(self._sizes, dim=axis + 1)]
        return torch.cat(parts, dim=axis).view(x.shape)
