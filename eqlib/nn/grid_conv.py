"""Steerable convolutions on images and volumes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants
from eqlib.doors import Degree, Positive, typed
from eqlib.groups import Irrep, Rep
from eqlib.groups.rep import same_group
from eqlib.kernels import angular_basis
from eqlib.kernels.grid_basis import keeps_grid, radial_profiles, sampled_basis
from eqlib.nn.blocks import check_axis, check_dtype, shown

# Pairs of blocks share one matrix product, zeros and all, while it has at most that many multiplications: 50 microseconds.
MOST_PIXELS = 10_000  # of a kernel: its bases are found by dense linear algebra
JOINT = 2**20


class _Pair(NamedTuple):
    """Two blocks and the kernels between their irreps."""

    a: Irrep
    b: Irrep
    at_in: slice
    at_out: slice
    basis: NDArray[np.float64]  # (N, b.dim * a.dim * pixels)
    weights: slice  # of GridConv.weight, (mul_out, mul_in, N)


def _entries(pairs: list[_Pair]) -> int:
    """Size of the block-diagonal matrix of the pairs' bases."""
    return sum(len(p.basis) for p in pairs) * sum(p.basis.shape[1] for p in pairs)


@typed
class GridConv(Constants):
    """Steerable convolution of images (batch, rep_in.dim, height, width) or volumes (batch, rep_in.dim, x, y, z).

    The kernel is a product weights x basis, then torch's convolution; in eval mode it is kept until the weights change.
    Exact under the grid's own symmetries (quarter turns, flips, translations that the stride divides); between them as exact
    as `radial_profiles` says. With a stride s, size + 2 padding - kernel_size must be a multiple of s: then quarter turns and
    flips map the pixels that are kept to each other; else it warns. So odd images take odd kernels, even images even ones
    where s = 2.

    Args:
        kernel_size: pixels; padding "same" needs an odd one.
        padding: "same" (zeros), or a number of pixels.
        degree: highest harmonic degree; None: all that the kernel's pixels carry, see `sampled_basis`.
        bias: one number for each trivial copy of the output.

    Initial weights are normal with variance b.dim / (number of elements that feed an output copy of irrep b), so that white
    input of variance 1 gives output of variance 1: each element's squares sum to 1, spread over b.dim outputs. That is one layer;
    smooth kernels make noise smooth, so without normalisation many of them in a row let it grow.

    Raises ValueError for mixed groups, a wrong channel axis, pixels that are not finite. Warns, once, where the kernel is too
    small for the frequencies of some pair of irreps, which then get no path.

    >>> import torch
    >>> from eqlib import groups, nn, testing
    >>> C8 = groups.Cyclic(8)
    >>> conv = nn.GridConv(C8.rep("0"), C8.rep("4x0+4x1"), 5)
    >>> conv(torch.zeros(1, 1, 9, 9)).shape
    torch.Size([1, 12, 9, 9])
    >>> testing.grid_equivariance_error(conv, conv.rep_in, conv.rep_out) < 1e-12  # quarter turns
    True
    >>> conv.export()
    Conv2d(1, 12, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """

    place: Tensor
    order: Tensor | None
    rows: Tensor

    extra_repr = shown

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        kernel_size: Positive,
        stride: Positive = 1,
        padding: str | int = "same",
        degree: Degree | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        group = rep_in.group
        if group.vector.dim not in (2, 3) or not group.compact:
            raise ValueError(
                f"rep_in: got a rep of {group}, which acts on {group.vector.dim} coordinates, expected a compact group of "
                f"the plane or space: GridConv works on images and volumes"
            )
        largest = int(MOST_PIXELS ** (1 / group.vector.dim))
        kernel_size, stride = doors.count("kernel_size", kernel_size, 1, largest), doors.count("stride", stride, 1)
        if padding == "same":
            if kernel_size % 2 == 0:
                raise ValueError(f'kernel_size: got {kernel_size}, expected an odd number where padding="same"')
            padding = kernel_size // 2
        if isinstance(padding, str):
            raise ValueError(f'padding: got {padding!r}, expected "same" or a number of pixels')
        padding = doors.count("padding", padding)
        self.rep_in, self.rep_out, self.kernel_size, self.stride, self.padding = (
            rep_in,
            rep_out,
            kernel_size,
            stride,
            padding,
        )
        self._dimensions = group.vector.dim
        self._conv = torch.nn.functional.conv2d if self._dimensions == 2 else torch.nn.functional.conv3d
        weights, start = [], 0
        products: list[list[_Pair]] = []
        latest: dict[tuple[int, int], list[_Pair]] = {}
        for (mul_out, b), at_out in zip(rep_out.blocks, rep_out.slices, strict=True):
            bases = [sampled_basis(a, b, kernel_size, degree) for _, a in rep_in.blocks]
            fan = sum(mul * len(basis) for (mul, _), basis in zip(rep_in.blocks, bases, strict=True))
            for (mul_in, a), at_in, basis in zip(rep_in.blocks, rep_in.slices, bases, strict=True):
                count = mul_out * mul_in * len(basis)
                if count == 0:
                    continue
                doors.affordable(f"weights from {mul_in}x{a.label} to {mul_out}x{b.label}", count)
                doors.affordable("kernel", rep_in.dim * rep_out.dim * kernel_size**group.vector.dim)
                weights.append(torch.randn(count) * (b.dim / fan) ** 0.5)
                pair = _Pair(a, b, at_in, at_out, basis.reshape(len(basis), -1), slice(start, start + count))
                start += count
                joint = latest.get((mul_out, mul_in))
                if joint is None or mul_out * mul_in * _entries([*joint, pair]) > JOINT:
                    joint = latest[mul_out, mul_in] = []
                    products.append(joint)
                joint.append(pair)
        self._arrange(products)
        self._told = False
        if kernel_size > 1 and degree is None and not keeps_grid(group):
            _warn_of_aliasing(rep_in, rep_out, kernel_size)
        self.weight = torch.nn.Parameter(torch.cat(weights) if weights else torch.zeros(0))
        where = [
            s.start + n
            for (mul, b), s in zip(rep_out.blocks, rep_out.slices, strict=True)
            if b.is_trivial
            for n in range(mul)
        ]
        self.constant("place", np.eye(rep_out.dim)[where])
        self.bias = torch.nn.Parameter(torch.zeros(len(where))) if bias and where else None
        self._cache: tuple[bool, Tensor, Tensor | None, tuple[Tensor, Tensor | None]] | None = None

    def _arrange(self, products: list[list[_Pair]]) -> None:
        """Bases and indices of `kernel`: what is multiplied with what, and where each row of pixels goes."""
        self._products: list[tuple[str, int]] = []
        names: dict[tuple[tuple[Irrep, Irrep], ...], str] = {}
        order, used = [np.zeros(0, dtype=np.int64)], 0
        rows = np.full((self.rep_out.dim, self.rep_in.dim), -1)
        for joint in products:
            key = tuple((p.a, p.b) for p in joint)
            if key not in names:
                names[key] = f"basis_{len(names)}"
                self.constant(names[key], scipy.linalg.block_diag(*(p.basis for p in joint)))
            first = joint[0]
            m = (first.at_out.stop - first.at_out.start) // first.b.dim
            n = (first.at_in.stop - first.at_in.start) // first.a.dim
            weights = [np.arange(p.weights.start, p.weights.stop).reshape(m * n, -1) for p in joint]
            order.append(np.concatenate(weights, axis=1).ravel())
            self._products.append((names[key], order[-1].size))
            dims = [p.b.dim * p.a.dim for p in joint]
            made = used + np.arange(m * n * sum(dims)).reshape(m, n, -1)
            for p, block in zip(joint, np.split(made, np.cumsum(dims)[:-1], axis=2), strict=True):
                block = block.reshape(m, n, p.b.dim, p.a.dim).transpose(0, 2, 1, 3)
                rows[p.at_out, p.at_in] = block.reshape(m * p.b.dim, n * p.a.dim)
            used += made.size
        self._gaps = bool((rows < 0).any())
        rows[rows < 0] = used  # one row of zeros behind the others
        joined = np.concatenate(order)
        sorted_already = bool((np.diff(joined) == 1).all())
        if sorted_already:
            self.order = None
        else:
            self.constant("order", joined)
        self.constant("rows", rows.ravel())

    def kernel(self) -> Tensor:
        """(rep_out.dim, rep_in.dim, k, k) or (..., k, k, k), the kernel that torch's convolution is given."""
        pixels = self.kernel_size**self._dimensions
        # Few calls: on small images their overhead is what counts. One split, so that one cat makes the gradient.
        ordered = self.weight if self.order is None else self.weight.index_select(0, self.order)
        weights = ordered.split([size for _, size in self._products])
        bases = [getattr(self, name) for name, _ in self._products]
        parts = [(w.view(-1, len(basis)) @ basis).view(-1, pixels) for w, basis in zip(weights, bases, strict=True)]
        if self._gaps:
            parts.append(self.weight.new_zeros(1, pixels))
        flat = torch.cat(parts) if parts else self.weight.new_zeros(0, pixels)
        size = [self.kernel_size] * self._dimensions
        return flat.index_select(0, self.rows).view(self.rep_out.dim, self.rep_in.dim, *size)

    def set_kernel(self, kernel: Tensor) -> None:
        """Choose the weights so that `kernel()` is this one, (rep_out.dim, rep_in.dim, k, k) or (..., k, k, k).

        Raises ValueError for a kernel that no weights give: one that is not steerable, say.
        """
        expected = (self.rep_out.dim, self.rep_in.dim, *[self.kernel_size] * self._dimensions)
        if tuple(kernel.shape) != expected:
            raise ValueError(f"kernel: got shape {tuple(kernel.shape)}, expected {expected}")
        wanted, found = (
            kernel.detach().double().cpu().contiguous(),
            torch.zeros(self.weight.numel(), dtype=torch.float64),
        )
        pixels, used, start = self.kernel_size**self._dimensions, 0, 0
        order = torch.arange(len(found)) if self.order is None else self.order.cpu()
        flat = wanted.new_zeros(int(self.rows.max()) + 1 if self.rows.numel() else 0, pixels)
        flat[self.rows.cpu()] = wanted.view(-1, pixels)
        for name, size in self._products:
            basis = self._exact[name]
            many = size // len(basis) * basis.shape[1] // pixels
            target = flat[used : used + many].view(-1, basis.shape[1])
            solved = torch.linalg.lstsq(basis.T, target.T).solution.T.flatten()
            found[order[start : start + size]] = solved
            used, start = used + many, start + size
        before = self.weight.detach().clone()
        with torch.no_grad():
            self.weight.copy_(found)
            gap = float((self.kernel().double().cpu() - wanted).abs().max()) if wanted.numel() else 0.0
            if gap > 1e3 * torch.finfo(self.weight.dtype).eps * max(1.0, float(wanted.abs().max())):
                self.weight.copy_(before)
                raise ValueError(
                    f"kernel: got one that the nearest weights miss by {gap:.2g}, expected a steerable one"
                )

    def export(self) -> torch.nn.Module:
        """A plain torch.nn.Conv2d (Conv3d for volumes) that does the same, for code that knows nothing of groups."""
        make = torch.nn.Conv2d if self._dimensions == 2 else torch.nn.Conv3d
        size, biased = (self.rep_in.dim, self.rep_out.dim, self.kernel_size), self.bias is not None
        conv = make(*size, stride=self.stride, padding=self.padding, bias=biased).to(self.weight)
        with torch.no_grad():
            conv.weight.copy_(self.kernel())
            if conv.bias is not None and self.bias is not None:
                conv.bias.copy_(self.bias @ self.place)
        return conv

    def _check_stride(self, x: Tensor) -> None:
        """Warn, once, where turns do not take the pixels that the stride keeps to each other."""
        moved = self.rep_in.group.dim or self.rep_in.group.components > 1
        rest = {(n + 2 * self.padding - self.kernel_size) % self.stride for n in x.shape[2:]}
        if moved and rest != {0} and not self._told:
            self._told = True
            warnings.warn(
                f"x: got {tuple(x.shape)}, of which stride {self.stride} keeps pixels that no turn takes to each other: the "
                f"layer is not equivariant. Expected size + 2 padding - kernel_size, here size "
                f"{2 * self.padding - self.kernel_size:+d}, to be a multiple of {self.stride}",
                stacklevel=3,
            )

    def _kernel(self) -> tuple[Tensor, Tensor | None]:
        """Kernel and bias; in eval mode they are kept until the parameters change."""
        # Not self.weight: on small images Module.__getattr__ is seen in the time. A parametrised one is no parameter.
        weight, bias = self._parameters.get("weight"), self._parameters.get("bias")
        weight, bias = self.weight if weight is None else weight, self.bias if bias is None else bias
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            self._cache = None
            return self.kernel(), None if bias is None else bias @ self.place
        # Under autocast the product of basis and weights is of half precision.
        half = torch.is_autocast_enabled(weight.device.type)
        known = self._cache
        # By value: a version counter does not see what is written through `.data`, and inference tensors have none.
        if known is None or known[0] != half or not torch.equal(known[1], weight) or not _same(known[2], bias):
            made = self.kernel(), None if bias is None else bias @ self.place
            known = half, weight.detach().clone(), None if bias is None else bias.detach().clone(), made
            self._cache = known
        return known[3]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._cache = None  # of the dtype and the device before
        return super()._apply(fn, recurse)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self._dimensions + 2:
            kind = (
                "images (batch, channels, height, width)"
                if self._dimensions == 2
                else "volumes (batch, channels, x, y, z)"
            )
            raise ValueError(
                f"x: got {tuple(x.shape)}, expected {kind}: {self.rep_in.group} acts on {self._dimensions} coordinates"
            )
        check_axis("x", x, self.rep_in, 1, choice=False)
        check_dtype("x", x, self.weight)
        if self.stride > 1 and not torch.compiler.is_compiling():
            self._check_stride(x)
        kernel, bias = self._kernel()
        y = self._conv(x, kernel, bias, stride=self.stride, padding=self.padding)
        # One sum finds NaN and inf; only a sum that overflows needs the second look. Behind the convolution it costs least.
        if not torch.compiler.is_compiling() and not math.isfinite(x.detach().sum().item()) and not x.isfinite().all():
            raise ValueError(f"x: got {tuple(x.shape)} with NaN or infinite pixels, expected finite ones")
        return y


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b if a is None or b is None else torch.equal(a, b)


def _warn_of_aliasing(rep_in: Rep, rep_out: Rep, size: int) -> None:
    """One warning that names the pairs of irreps between which a kernel exists in the plane, but not on so few pixels."""
    lost = []
    for a, b in dict.fromkeys((a, b) for _, b in rep_out.blocks for _, a in rep_in.blocks):
        if len(sampled_basis(a, b, size)) == 0:
            needed = next((j for j in range(size, size + 32) if len(angular_basis(a, b, j))), None)
            if needed is not None:
                error = radial_profiles(a.group.ambient, size, needed)[1].min(initial=1.0)
                lost.append(f"{a.label} -> {b.label} needs degree {needed}, off by {100 * error:.0f} %")
    if lost:
        more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
        warnings.warn(
            f"kernel_size {size} carries degrees up to {size - 1} and is too small for some frequencies (aliasing), which "
            f"get no path: {', '.join(lost[:4])}{more}",
            stacklevel=4,
        )
