"""Baselines for jets: Deep Sets and a plain transformer, on what a detector's coordinates say of each particle."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.doors import Few, Positive, Share, typed
from eqlib.models.heads import perceptron
from eqlib.models.particle_net import detector_features
from eqlib.nn.blocks import check_mask

FEATURES = 7  # of `detector_features`
PARTICLES = 30.0  # a sum over particles is divided by about their number


@typed
class DeepSets(torch.nn.Module):
    """Momenta (batch, n, 4) as (E, px, py, pz) in GeV and a mask (batch, n) -> class scores (batch, classes).

    A network on each particle by itself, a sum, a network on the sum. Zaheer et al., Deep Sets (2017); for jets Komiske,
    Metodiev and Thaler, Energy flow networks (2019), who call it a particle flow network.

    Args:
        width: of every layer of both networks.

    >>> import torch
    >>> from eqlib import models
    >>> net = models.DeepSets(width=8).eval()
    >>> momenta, mask = torch.rand(2, 12, 4), torch.ones(2, 12, dtype=torch.bool)
    >>> torch.allclose(net(momenta, mask), net(momenta.flip(1), mask), atol=1e-6)
    True
    """

    def __init__(self, width: Positive = 88, classes: Positive = 2) -> None:
        super().__init__()
        self.each = perceptron([FEATURES, width, width, width])
        self.all = perceptron([width, width, classes])

    def forward(self, momenta: Tensor, mask: Tensor) -> Tensor:
        x = _features(momenta, mask)
        return self.all((self.each(x) * mask[..., None]).sum(1) / PARTICLES)


@typed
class JetTransformer(torch.nn.Module):
    """Momenta (batch, n, 4) as (E, px, py, pz) in GeV and a mask (batch, n) -> class scores (batch, classes).

    An ordinary encoder without positions, so blind to the particles' order, whose scores are read off a token of its own.
    Vaswani et al., Attention is all you need (2017), with norms in front of each block.

    Args:
        width: of a token, a multiple of `heads`. layers, heads: how many. hidden: width of the networks between.

    >>> import torch
    >>> from eqlib import models
    >>> net = models.JetTransformer(width=8, layers=1).eval()
    >>> momenta, mask = torch.rand(2, 12, 4), torch.ones(2, 12, dtype=torch.bool)
    >>> torch.allclose(net(momenta, mask), net(momenta.flip(1), mask), atol=1e-6)
    True
    """

    def __init__(
        self,
        width: Positive = 32,
        layers: Few = 3,
        heads: Positive = 4,
        hidden: Positive = 64,
        dropout: Share = 0.0,
        classes: Positive = 2,
    ) -> None:
        super().__init__()
        if width < 1 or width % heads:
            raise ValueError(f"width: got {width}, expected a multiple of heads, {heads}")
        self.enter = torch.nn.Linear(FEATURES, width)
        self.token = torch.nn.Parameter(torch.zeros(width))
        layer = torch.nn.TransformerEncoderLayer(
            width, heads, hidden, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.leave = torch.nn.Sequential(torch.nn.LayerNorm(width), torch.nn.Linear(width, classes))

    def forward(self, momenta: Tensor, mask: Tensor) -> Tensor:
        x = self.enter(_features(momenta, mask))
        # The token is never masked: a jet without particles has something to attend to as well.
        x = torch.cat([self.token.expand(len(x), 1, -1), x], dim=1)
        return self.leave(self.layers(x, src_key_padding_mask=torch.nn.functional.pad(~mask, (1, 0)))[:, 0])


def _features(momenta: Tensor, mask: Tensor) -> Tensor:
    if momenta.ndim != 3 or momenta.shape[-1] != 4:
        raise ValueError(f"momenta: got {tuple(momenta.shape)}, expected (batch, n, 4)")
    check_mask(mask, momenta)
    return detector_features(momenta, mask)[0]
