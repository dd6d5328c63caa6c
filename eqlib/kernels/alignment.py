"""Frames: a group element for each vector that takes the axis to its direction, in every irrep that is asked for.

At the axis a steerable kernel is a constant and nearly empty, for it commutes with what leaves the axis alone. So features
are turned back by the frame, mixed, and turned forth: Passaro and Zitnick, Reducing SO(3) convolutions to SO(2) (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import block_diag
from torch import Tensor

from eqlib.constants import fixed
from eqlib.doors import typed
from eqlib.groups import Group, Irrep
from eqlib.products import engines, opened
from eqlib.products.forms import batched

Array = NDArray[np.float64]


def plane(generator: Array) -> tuple[int, int]:
    """(a, b) for the generator of turns from axis a to axis b. ValueError for any other.

    >>> from eqlib import groups
    >>> from eqlib.kernels import alignment
    >>> alignment.plane(groups.O3().irrep("1o").generators[0])  # about x: from y to z
    (1, 2)
    """
    found = np.argwhere(np.abs(generator) > 1e-12)
    b, a = (int(i) for i in found[0]) if len(found) else (0, 0)
    if generator[b, a] < 0:
        a, b = b, a
    expected = np.zeros_like(generator)
    expected[b, a], expected[a, b] = 1.0, -1.0
    if a == b or np.abs(generator - expected).max() > 1e-12:
        raise ValueError(f"generator: got {generator.tolist()}, expected one that turns a single plane of the vector")
    return a, b


def harmonic_terms(generator: Array) -> Array:
    """exp(t A) as a trigonometric polynomial: (d, d, 2 m + 1), coefficients of 1, cos t, sin t, cos 2t, ... for antisymmetric A.

    ValueError for frequencies that are no integers.

    >>> from eqlib import groups
    >>> from eqlib.kernels import alignment
    >>> terms = alignment.harmonic_terms(groups.O3().irrep("1o").generators[1])  # about the polar axis y
    >>> np.round(terms[2, [0, 2]], 9) + 0.0  # z becomes -x sin t + z cos t
    array([[ 0.,  0., -1.],
           [ 0.,  1.,  0.]])
    """
    squares, vectors = np.linalg.eigh(-generator @ generator)
    frequencies = np.sqrt(np.maximum(squares, 0))
    whole = np.rint(frequencies).astype(int)
    if np.abs(frequencies - whole).max(initial=0) > 1e-6:
        raise ValueError(f"generator: got frequencies {frequencies.tolist()}, expected integers")
    out = np.zeros((*generator.shape, 2 * whole.max(initial=0) + 1))
    for m in np.unique(whole):
        basis = vectors[:, whole == m]
        projector = basis @ basis.T
        if m == 0:
            out[..., 0] = projector
        else:
            out[..., 2 * m - 1], out[..., 2 * m] = projector, generator @ projector / m
    return np.where(np.abs(out) < 1e-13, 0.0, out)


@typed
class Alignment:
    """Frames of a group that has an `alignment`, for the given irreps.

    Attributes:
        rows: entries of all matrices.
        key: a text that names group and irreps, for what layers share.
        first: for each irrep the row of its matrix's first entry, matrices row by row; -1 where it is the identity.

    >>> import torch
    >>> from eqlib import groups, kernels
    >>> O3 = groups.O3()
    >>> frames = kernels.Alignment(O3, [O3.irrep("0e"), O3.irrep("1o")])
    >>> D = frames(torch.tensor([[3.0, 0.0, 4.0]])).view(3, 3)
    >>> D @ torch.tensor(O3.axis).float()  # the axis is taken to the direction
    tensor([0.6000, 0.0000, 0.8000])
    """

    def __init__(self, group: Group, irreps: Sequence[Irrep]) -> None:
        if not group.alignment:
            raise ValueError(f"group: got {group}, expected one with an alignment")
        self.group = group
        self.first: dict[Irrep, int] = {}
        chosen: dict[bytes, tuple[int, Array]] = {}
        self.rows = 0
        for a in irreps:
            if not a.generators.any():
                self.first[a] = -1
                continue
            key = a.generators.tobytes()
            if key not in chosen:  # irreps that differ by parity alone share a frame
                chosen[key] = self.rows, a.generators
                self.rows += a.dim**2
            self.first[a] = chosen[key][0]
        self.key = f"frames of {group} {group.fingerprint} {sha256(b''.join(chosen)).hexdigest()}"
        copies = [v.generators for mul, v in group.vector.blocks for _ in range(mul)]
        vector = np.array([block_diag(*(v[x] for v in copies)) for x in range(group.dim)])
        self._build(list(chosen.values()), vector)

    def _build(self, chosen: list[tuple[int, Array]], vector: Array) -> None:
        steps = self.group.alignment
        planes = [plane(vector[x]) for x in steps]
        self._check_axis(planes)
        expansions = [[harmonic_terms(generators[x]) for x in steps] for _, generators in chosen]
        top = max((one.shape[-1] for found in expansions for one in found), default=1)
        last, terms, values, lines = np.zeros((self.rows, top)), [], [], []
        for (first, generators), (*before, innermost) in zip(chosen, expansions, strict=True):
            d = generators.shape[1]
            last[first : first + d * d, : innermost.shape[-1]] = innermost.reshape(d * d, -1)
            for number, expanded in enumerate(before):
                for k, j, f in np.argwhere(expanded):
                    lines.append([number, first + k * d, first + j * d, d, f])
                    values.append(expanded[k, j, f])
            for x, generator in enumerate(generators):
                for k, j in np.argwhere(np.abs(generator) > 1e-13):
                    terms += [[first + k * d + i, first + j * d + i, x, generator[k, j]] for i in range(d)]
        self._tables = [
            fixed(planes, dtype=np.int64),
            fixed(last),
            fixed(np.reshape(lines, (-1, 5)).astype(np.int64)),
            fixed(values, dtype=np.float64),
        ]
        self._terms = fixed(np.reshape([term[:3] for term in terms], (-1, 3)).astype(np.int64))
        self._values = fixed([term[3] for term in terms], dtype=np.float64)
        self._vector = fixed(vector)

    def _check_axis(self, planes: list[tuple[int, int]]) -> None:
        """Each step has to take one component away, and the axis has to be what is left."""
        group = self.group
        left = set(range(group.vector.dim))
        for a, b in planes:
            left = left - {b} if {a, b} <= left else set()
        assert group.ambient.axis is not None
        axis = group.coordinates @ group.ambient.coordinates.T @ group.ambient.axis
        if len(left) != 1 or axis[left.pop()] < 1 - 1e-12:
            raise ValueError(
                f"group: got {group} with alignment {group.alignment}, expected generators that turn its axis {axis.tolist()} "
                "to every direction, outermost first"
            )

    def __call__(self, r: Tensor) -> Tensor:
        """r (E, v), components of `group.vector` -> (rows, E): D with D axis = r / |r|, the identity for r = 0.

        Which of the elements that take the axis there is not said, and a function of D must not depend on it. Its gradient
        is then what it changes by where r turns, found from the generators: it is finite and right everywhere, the poles
        included, where no choice of frames is continuous, and 0 at r = 0.
        """
        if engines.differentiated(r):
            return _Frames.apply(r, self)
        return torch.ops.eqlib.frames(r, self._tables)


torch.library.define("eqlib::frames", "(Tensor r, Tensor[] tables) -> Tensor")


@torch.library.register_fake("eqlib::frames")
def _shape(r: Tensor, tables: list[Tensor]) -> Tensor:
    return r.new_empty(tables[1].shape[0], r.shape[0])


@torch.library.impl("eqlib::frames", "CompositeExplicitAutograd")
@torch.no_grad()  # an exported program calls it with parameters that require one
def _run(r: Tensor, tables: list[Tensor]) -> Tensor:
    return engines.chosen(r).frames(r, tables)


@torch.library.register_vmap("eqlib::frames")
def _over_batch(info: Any, in_dims: Any, r: Tensor, tables: list[Tensor]) -> tuple[Tensor, int]:
    """Edges of all examples are edges."""
    D = torch.ops.eqlib.frames(batched(r, in_dims[0], info.batch_size, 0), tables)
    return D.unflatten(1, (info.batch_size, -1)), 1


class _Frames(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(r: Tensor, alignment: Alignment) -> Tensor:
        return torch.ops.eqlib.frames(r, alignment._tables)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        r, ctx.alignment = inputs
        ctx.save_for_backward(r, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None]:
        r, D = ctx.saved_tensors
        own = ctx.alignment
        n = len(own._vector)
        # The torque: what the result changes by where the frame is turned by a generator.
        torque = opened(g.contiguous(), D, own._terms, own._values, (own.rows, own.rows, n), 2, rows=True)
        moved = torch.einsum("aij,ej->eai", own._vector.to(r), r)
        square = (r * r).sum(1)
        some = square > torch.finfo(r.dtype).tiny
        return torch.einsum(
            "ae,eai->ei", torque * torch.where(some, 1 / torch.where(some, square, 1.0), 0.0), moved
        ), None
