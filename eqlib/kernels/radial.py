"""Radial functions: modules of q = r.r, (...,) -> (..., number), for kernels on points.

They take q and not a length, because q is what a group's metric gives: for Minkowski's it has either sign. Derivatives to
the third are finite at q = 0, and there those from above; a basis with a cut-off is exactly 0 beyond it, and at the cut-off
value, slope and curvature are continuous: energies, forces and the gradients of forces.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import pi

import numpy as np
import torch
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants
from eqlib.doors import Few, Length, Positive, typed

MOST = 100_000  # functions


def magnitude(q: Tensor) -> Tensor:
    """|q|, whose slope at 0 is 1 and not torch's 0: for r.r, which is never negative, that is the right one.

    The Hessian of f(r.r) at r = 0 is 2 f'(0).

    >>> import torch
    >>> from eqlib.kernels.radial import magnitude
    >>> q = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    >>> torch.autograd.grad(magnitude(q).sum(), q)[0].tolist()
    [-1.0, 1.0, 1.0]
    """
    return torch.where(q < 0, -q, q)


def envelope(q: Tensor, cutoff: float, power: int = 6) -> Tensor:
    """A polynomial in the length d = |q|^(1/2) that falls from 1 at 0 to exactly 0 at the cut-off and beyond, q's shape.

    u = 1 - (p+1)(p+2)/2 t^p + p(p+2) t^(p+1) - p(p+1)/2 t^(p+2) with t = d / cutoff; value, slope and curvature vanish at
    t = 1. Gasteiger, Gross and Guennemann, Directional message passing for molecular graphs (2020).

    >>> import torch
    >>> from eqlib import kernels
    >>> [round(u, 2) for u in kernels.envelope(torch.tensor([0.0, 2.0, 4.0, 9.0]), cutoff=2.0).tolist()]
    [1.0, 0.43, 0.0, 0.0]
    """
    t = (magnitude(q) / cutoff**2).clamp(max=1)  # squared
    p, half = power, power / 2
    first, second, third = (_power(t, half + k / 2) for k in range(3))
    return 1 - (p + 1) * (p + 2) / 2 * first + p * (p + 2) * second - p * (p + 1) / 2 * third


def _power(t: Tensor, exponent: float) -> Tensor:
    """t^exponent for t >= 0. Where t = 0 a half power has derivatives of 0, and not of 0 times infinity.

    They are those of |r|^n, which has n - 1 of them at r = 0, all 0.
    """
    if exponent % 1 == 0:
        return t**exponent
    some = t > 0
    return torch.where(some, torch.where(some, t, 1.0) ** exponent, 0.0)


def sinc(z: Tensor) -> Tensor:
    """sin(z^(1/2)) / z^(1/2) for z >= 0, with every derivative finite at 0.

    >>> import torch
    >>> from eqlib.kernels.radial import sinc
    >>> sinc(torch.tensor([0.0, torch.pi**2])).abs().round(decimals=4).tolist()
    [1.0, 0.0]
    """
    small = z < 0.01
    root = torch.where(small, 1.0, z).sqrt()
    # Taylor's series: its first term left out is below 1e-17 where it is used.
    series = 1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72)))
    return torch.where(small, series, root.sin() / root)


@typed
class Bessel(Constants):
    """sin(n pi d / cutoff) / d for n = 1 ... number, times `envelope`; d = |q|^(1/2), in the data's unit of length.

    Scaled to a mean square of 1 over the points of a ball whose radius is the cut-off, before the envelope.
    Gasteiger, Gross and Guennemann (2020).

    Attributes:
        number: how many functions.

    >>> import torch
    >>> from eqlib import kernels
    >>> radial = kernels.Bessel(8, cutoff=5.0)
    >>> d = torch.tensor([1.0, 2.0, 5.0, 6.0])
    >>> values = radial(d**2)  # the argument is the square
    >>> values.shape, values[2:].abs().max().item()  # 0 from the cut-off on
    (torch.Size([4, 8]), 0.0)
    """

    squares: Tensor
    factors: Tensor

    def __init__(self, number: Positive, cutoff: Length) -> None:
        super().__init__()
        self.number, self.cutoff = _positive("number", number), _length("cutoff", cutoff)
        n = np.arange(1, number + 1, dtype=np.float64)
        self.constant("squares", (n * pi / cutoff) ** 2)
        self.constant("factors", np.sqrt(2 / 3) * n * pi)

    def forward(self, q: Tensor) -> Tensor:
        inside = magnitude(q).clamp(max=self.cutoff**2)[..., None]
        return sinc(inside * self.squares) * self.factors * envelope(q, self.cutoff)[..., None]


@typed
class Gaussians(Constants):
    """Gaussians of d = |q|^(1/2), as wide as they are apart, from 0 to the cut-off, times `envelope`.

    Scaled to a mean square of 1 on average, before the envelope. d is (|q| + (width / 100)^2)^(1/2), which is rounded off at
    0: the length itself has no gradient there.

    Attributes:
        number: how many functions.

    >>> import torch
    >>> from eqlib import kernels
    >>> radial = kernels.Gaussians(5, cutoff=4.0)
    >>> radial.centres.tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    >>> int(radial(torch.tensor(1.0**2)).argmax())
    1
    """

    centres: Tensor

    def __init__(self, number: Positive, cutoff: Length) -> None:
        super().__init__()
        self.number, self.cutoff = _positive("number", number), _length("cutoff", cutoff)
        self.width = cutoff / max(1, number - 1)
        self.constant("centres", np.arange(number, dtype=np.float64) * self.width)
        self._factor = (number / pi**0.5) ** 0.5  # the squares of Gaussians one width apart add up to pi^(1/2)

    def forward(self, q: Tensor) -> Tensor:
        d = (magnitude(q).clamp(max=self.cutoff**2) + (0.01 * self.width) ** 2).sqrt()[..., None]
        bumps = torch.exp(-0.5 * ((d - self.centres) / self.width) ** 2)
        return bumps * (envelope(q, self.cutoff)[..., None] * self._factor)


@typed
class Logarithmic(Constants):
    """Bumps in asinh(q / mu^2) for q of any sign and size, such as Minkowski squares; there is no cut-off.

    asinh(q / mu^2) is linear near 0 and sign(q) log(2 |q| / mu^2) far from it. The bumps are evenly spaced there between
    -largest and largest and each is divided by their sum, so that beyond the ends the outermost alone is left. Scaled so
    that their squares add up to about `number`.

    Args:
        number: how many functions, at least 2.
        mu: scale of q^(1/2) below which q is treated linearly, in the data's unit (GeV for momenta).
        largest: the |q|^(1/2) that the outermost bumps stand at, same unit.

    >>> import torch
    >>> from eqlib import kernels
    >>> radial = kernels.Logarithmic(9, mu=1.0, largest=1000.0)  # GeV
    >>> radial(torch.tensor([-1e6, 0.0, 1e6])).argmax(-1).tolist()  # space-like, null, time-like
    [0, 4, 8]
    """

    centres: Tensor

    def __init__(self, number: Positive, mu: float, largest: Length) -> None:
        super().__init__()
        if _positive("number", number) < 2:
            raise ValueError(f"number: got {number}, expected at least 2, one bump for each sign of q")
        self.number, self.mu, self.largest = number, _length("mu", mu), _length("largest", largest)
        end = float(np.arcsinh((largest / mu) ** 2))
        self.width = 2 * end / (number - 1)
        self.constant("centres", np.linspace(-end, end, number))

    def forward(self, q: Tensor) -> Tensor:
        t = torch.asinh(q / self.mu**2)[..., None]
        # The squares of bumps one width apart add up to 1 / (2 pi^(1/2)).
        factor = (2 * pi**0.5 * self.number) ** 0.5
        return torch.softmax(-0.5 * ((t - self.centres) / self.width) ** 2, dim=-1) * factor


@typed
class Masses(Constants):
    """Gaussians of log m with m = |q|^(1/2), as wide as they are apart, from one mass to another; there is no cut-off.

    A single number such as log m, squashed to order one, hides a narrow peak from a small network; these resolve it. Scaled
    to a mean square of 1 on average between the ends. m is (|q| + (least / 100)^2)^(1/2), which has a gradient at 0.

    Args:
        number: how many functions, at least 2.
        least, most: where the first and the last one stand, q^(1/2)'s unit (GeV for momenta).

    >>> import torch
    >>> from eqlib import kernels
    >>> basis = kernels.Masses(3, 50.0, 200.0)
    >>> basis.centres.exp().round().tolist()
    [50.0, 100.0, 200.0]
    >>> int(basis(torch.tensor(105.0**2)).argmax())
    1
    """

    centres: Tensor

    def __init__(self, number: Positive, least: Length, most: Length) -> None:
        super().__init__()
        if _positive("number", number) < 2:
            raise ValueError(f"number: got {number}, expected at least 2, one for each end")
        if not _length("least", least) < _length("most", most):
            raise ValueError(f"least, most: got {least} and {most}, expected rising masses")
        self.number, self.least, self.most = number, least, most
        self.width = float(np.log(most / least)) / (number - 1)
        self.constant("centres", np.log(least) + self.width * np.arange(number))
        self._factor = (number / pi**0.5) ** 0.5  # as of `Gaussians`

    def forward(self, q: Tensor) -> Tensor:
        t = 0.5 * torch.log(magnitude(q) + (0.01 * self.least) ** 2)[..., None]
        return torch.exp(-0.5 * ((t - self.centres) / self.width) ** 2) * self._factor


@typed
class RestFrame(torch.nn.Module):
    """`Gaussians` of d times powers of s, for invariants (..., 2) = (r.r, r.u) of r and a 4-velocity u, u.u = 1.

    d = ((r.u)^2 - r.r)^(1/2) is the distance in u's rest frame, and s = r.u / (d^2 + (r.u)^2)^(1/2), in -1 ... 1, says how
    much of r is time there. The cut-off is one in d: a tube about the line along u, the same whichever of its points r starts
    from. Of that tube the space-like r alone, |r.u| < d, are bounded; {|r.r| < cutoff^2} is bounded in no way at all.

    Args:
        gaussians: how many, see `Gaussians`. cutoff: of d, the data's unit of length.
        powers: how many powers of s, 1, s, s^2, ...; 1 takes functions of d alone.

    Attributes:
        number: gaussians * powers.

    >>> import torch
    >>> from eqlib import kernels
    >>> radial = kernels.RestFrame(5, cutoff=4.0)
    >>> r_r, r_u = torch.tensor([-1.0, 0.0, 80.0]), torch.tensor([0.0, 1.0, 9.0])  # u's own distance is 1
    >>> radial(torch.stack([r_r, r_u], 1)).argmax(1).tolist()
    [1, 1, 1]
    """

    def __init__(self, gaussians: Positive, cutoff: Length, powers: Few = 1) -> None:
        super().__init__()
        self.gaussians, self.powers = Gaussians(_positive("gaussians", gaussians), cutoff), _positive("powers", powers)
        self.cutoff, self.number = self.gaussians.cutoff, gaussians * powers

    def forward(self, invariants: Tensor) -> Tensor:
        if invariants.shape[-1:] != (2,):
            raise ValueError(f"invariants: got {tuple(invariants.shape)}, expected last axis 2, r.r and r.u")
        r_r, r_u = invariants.unbind(-1)
        square = (r_u**2 - r_r).clamp(min=0)  # below 0 by rounding alone
        s = r_u / (square + r_u**2 + torch.finfo(r_u.dtype).tiny).sqrt()
        powers = torch.stack([s**n for n in range(self.powers)], -1)
        return (self.gaussians(square)[..., None] * powers[..., None, :]).flatten(-2)


@typed
class RadialMLP(torch.nn.Module):
    """A learnt radial network on top of a basis, or of q itself: linear, SiLU, ..., linear.

    On top of a basis it has no biases, so that it is 0 wherever the basis is, beyond a cut-off above all. Initial weights
    keep a mean square of about 1. Thomas et al., Tensor field networks (2018), learn such a network for each filter.

    Args:
        basis: a module of q with `.number`; None: the network sees q / scale and has biases.
        hidden: width, or widths, of the hidden layers.
        number: how many functions.
        scale: unit of q where there is no basis.

    >>> import torch
    >>> from eqlib import kernels
    >>> radial = kernels.RadialMLP(kernels.Bessel(8, cutoff=5.0), hidden=16, number=4)
    >>> radial(torch.tensor([1.0, 30.0])).shape, radial(torch.tensor(30.0)).abs().max().item()
    (torch.Size([2, 4]), 0.0)
    """

    def __init__(
        self,
        basis: torch.nn.Module | None,
        hidden: Positive | Sequence[Positive],
        number: Positive,
        scale: Length = 1.0,
    ) -> None:
        super().__init__()
        if basis is not None and not isinstance(getattr(basis, "number", None), int):
            raise ValueError(f"basis: got {type(basis).__name__}, expected None or a module with an integer .number")
        self.basis, self.number, self.scale = basis, _positive("number", number), _length("scale", scale)
        widths = list(hidden) if isinstance(hidden, Sequence) else [hidden]
        sizes = [1 if basis is None else int(basis.number), *(_positive("hidden", w) for w in widths), number]  # type: ignore[arg-type]
        layers: list[torch.nn.Module] = []
        for i, (before, after) in enumerate(pairwise(sizes)):
            doors.affordable("weights of a layer", before * after)
            layer = torch.nn.Linear(before, after, bias=basis is None)
            with torch.no_grad():
                # SiLU of a normal variable has a mean square of 0.356.
                layer.weight.normal_(std=(before * (0.356 if i else 1.0)) ** -0.5)
            layers += [torch.nn.SiLU(), layer] if i else [layer]
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, q: Tensor) -> Tensor:
        return self.layers(q[..., None] / self.scale if self.basis is None else self.basis(q))


def _positive(name: str, value: int) -> int:
    return doors.count(name, value, 1, MOST)


def _length(name: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}: got {value!r}, expected a positive and finite number")
    return float(value)
