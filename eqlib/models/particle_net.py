"""Baseline: ParticleNet, edge convolutions on each particle's nearest neighbours, beside the Lorentz group network.

After Qu and Gouskos 2020 (Phys. Rev. D 101, 056019), the network and its Lite version, Sec. III.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from eqlib.doors import Positive, Share, typed
from eqlib.nn.blocks import check_mask, present
from eqlib.processes import batch_mean


def detector_features(momenta: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What a detector's coordinates say of each particle, from (E, px, py, pz) in GeV, (batch, n, 4).

    Returns seven features (batch, n, 7), those of Qu and Gouskos 2020, Table 1: differences of pseudorapidity and azimuth
    to the jet's axis, log pT, log E, log of the shares of the jet's pT and E, and the distance to the axis; and the first
    two of them (batch, n, 2). Particles that the mask (batch, n) leaves out are zero.

    >>> import torch
    >>> from eqlib.models.particle_net import detector_features
    >>> momenta = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 4.0, 3.0, 0.0]]])  # two massless particles
    >>> features, place = detector_features(momenta, torch.ones(1, 2, dtype=torch.bool))
    >>> features.shape, torch.allclose(place[:, 0], -place[:, 1], atol=1e-6)  # left and right of the axis
    (torch.Size([1, 2, 7]), True)
    """
    keep = mask.to(momenta.dtype)[..., None]
    p = present(momenta, mask)
    jet = p.sum(1, keepdim=True)

    def polar(v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pt = torch.linalg.vector_norm(v[..., 1:3], dim=-1, keepdim=True).clamp_min(1e-8)
        return pt, torch.asinh(v[..., 3:] / pt), torch.atan2(v[..., 2:3], v[..., 1:2])

    (pt, eta, phi), (jet_pt, jet_eta, jet_phi) = polar(p), polar(jet)
    turn = torch.remainder(phi - jet_phi + torch.pi, 2 * torch.pi) - torch.pi
    place = torch.cat([eta - jet_eta, turn], dim=-1).clamp(-10, 10)
    energy, total = p[..., :1].clamp_min(1e-8), jet[..., :1].clamp_min(1e-8)
    logs = torch.cat([pt.log(), energy.log(), (pt / jet_pt).log(), (energy / total).log()], dim=-1)
    distance = torch.linalg.vector_norm(place, dim=-1, keepdim=True)
    # Centred and of order one for a jet of the course; any jet is accepted.
    logs = (logs - logs.new_tensor([1.5, 1.5, -5.0, -5.0])) / 1.5
    return torch.cat([place / 0.3, logs, distance / 0.3], dim=-1) * keep, place * keep


@typed
class ParticleNet(torch.nn.Module):
    """Momenta (batch, n, 4) as (E, px, py, pz) in GeV and a mask (batch, n) -> class scores (batch, classes).

    Args:
        neighbours: k of the nearest neighbours; in the plane of the detector for the first block, then among features.
        channels: three widths for each edge convolution. The default is ParticleNet-Lite.
        hidden: width of the last layer.

    >>> import torch
    >>> from eqlib import models
    >>> net = models.ParticleNet(channels=((8, 8, 8),)).eval()
    >>> momenta, mask = torch.rand(2, 12, 4), torch.ones(2, 12, dtype=torch.bool)
    >>> net(momenta, mask).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        neighbours: Positive = 7,
        channels: Sequence[tuple[Positive, Positive, Positive]] = ((32, 32, 32), (64, 64, 64)),
        hidden: Positive = 128,
        classes: Positive = 2,
        dropout: Share = 0.1,
    ) -> None:
        super().__init__()
        before, blocks = 7, []
        for widths in channels:
            blocks.append(EdgeConv(before, widths, neighbours))
            before = widths[-1]
        self.blocks = torch.nn.ModuleList(blocks)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(before, hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(hidden, classes),
        )

    def forward(self, momenta: Tensor, mask: Tensor) -> Tensor:
        if momenta.ndim != 3 or momenta.shape[-1] != 4:
            raise ValueError(f"momenta: got {tuple(momenta.shape)}, expected (batch, n, 4)")
        check_mask(mask, momenta)
        x, place = detector_features(momenta, mask)
        for block in self.blocks:
            x = block(x, place, mask)
            place = x
        count = mask.sum(1, keepdim=True).clamp_min(1)
        return self.head(x.sum(1) / count)


class EdgeConv(torch.nn.Module):
    """Mean over the k nearest neighbours of a network on (x_i, x_j - x_i), with a shortcut (Wang et al. 2019)."""

    def __init__(self, before: int, widths: Sequence[int], neighbours: int) -> None:
        super().__init__()
        if neighbours < 1:
            raise ValueError(f"neighbours: got {neighbours}, expected at least 1")
        self.neighbours = neighbours
        # The first layer is linear in x_i and x_j: applied to particles, not to pairs, it costs k times less.
        self.own, self.other = (torch.nn.Linear(before, widths[0], bias=False) for _ in range(2))
        self.first = MaskedNorm(widths[0])
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(a, b, bias=False) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.norms = torch.nn.ModuleList(MaskedNorm(b) for b in widths[1:])
        self.shortcut, self.shortcut_norm = torch.nn.Linear(before, widths[-1], bias=False), MaskedNorm(widths[-1])

    def forward(self, x: Tensor, place: Tensor, mask: Tensor) -> Tensor:
        """x (batch, n, features), place (batch, n, d), where neighbours are looked for; (batch, n, widths[-1])."""
        n = x.shape[1]
        k = min(self.neighbours, max(n - 1, 0))
        with torch.no_grad():
            # Without the matrix product, whose rounding would mix up particles that lie close together.
            far = torch.cdist(place, place, compute_mode="donot_use_mm_for_euclid_dist").masked_fill(
                ~mask[:, None], torch.inf
            )
            far = far.masked_fill(torch.eye(n, dtype=torch.bool, device=x.device), torch.inf)
            distance, index = far.topk(k, largest=False)
            real = distance.isfinite() & mask[..., None]
        # Linear in both: W1 x_i + W2 (x_j - x_i).
        other = self.other(x)
        picked = other.gather(1, index.flatten(1)[..., None].expand(-1, -1, other.shape[-1])).unflatten(1, (n, k))
        edge = self.first((self.own(x) - other)[:, :, None] + picked, real)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            edge = norm(layer(torch.relu(edge)), real)
        edge = torch.relu(edge) * real[..., None]
        mean = edge.sum(2) / real.sum(2)[..., None].clamp_min(1)
        return torch.relu(mean + self.shortcut_norm(self.shortcut(x), mask)) * mask[..., None]


class MaskedNorm(torch.nn.BatchNorm1d):
    """Batch normalisation over the entries that are there: x (..., features), mask (...)."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        if not self.training:
            mean, var = self.running_mean, self.running_var
        else:
            weight = mask.to(x.dtype)[..., None]
            axes = tuple(range(x.ndim - 1))
            mean = batch_mean(x, axes, weight)
            var = batch_mean((x - mean).square(), axes, weight)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)  # type: ignore[union-attr, arg-type]
                self.running_var.lerp_(var, self.momentum)  # type: ignore[union-attr, arg-type]
        return (x - mean) * (self.weight / (var + self.eps).sqrt()) + self.bias  # type: ignore[operator, union-attr]
