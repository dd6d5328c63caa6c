"""Steerable convolutional networks on images: one body for group convolutions, harmonic and general E(2) networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from eqlib import nn
from eqlib.doors import Positive, Share, typed
from eqlib.groups import Group, Rep, fields, regular
from eqlib.models.heads import InvariantScores


@typed
class SteerableCNN(InvariantScores):
    """Images (batch, channels, n, n) -> class scores (batch, classes), invariant under the turns that the grid resolves.

    Each block is a steerable convolution, batch normalisation, an activation and, where asked, pooling by two. Then come
    invariant features, whose mean over the pixels goes through a linear map. With all groups of the plane and all reps this is
    the family of Weiler and Cesa 2019.

    Args:
        group: a group of the plane.
        hidden: a rep, or a rep string, for each block.
        classes: scores.
        invariants: that many trivial features from one more convolution; None: the largest values over the group instead.
        kernel_size: odd; the first block's kernel is two pixels larger.
        activation: "fourier" (pointwise on the group, for reps that `groups.fields` makes), "gate" or "norm".
        samples: of "fourier".
        pool: after which blocks.
        halve: blocks whose convolution takes every second pixel instead, with a kernel one pixel larger: for images whose size
            is even there. The first block, at full size, costs most: pooling after it keeps a little more, this is faster.
        mask: image size, to fade images out in a disc; None: no mask.
        restrict: block -> subgroup in which the network goes on behind that block; later reps are of the subgroup.
        norm: whether to normalise over the batch.
        dropout: probability with which the invariant features are dropped.
        channels: of the input image, trivial copies.

    >>> import torch
    >>> from eqlib import groups, models
    >>> _ = torch.manual_seed(0)
    >>> net = models.SteerableCNN(groups.O2(), ["2x0e+2x1", "2x0e+2x1+2x2"], activation="gate", pool=(0,)).eval()
    >>> digits = torch.rand(3, 1, 17, 17)
    >>> torch.allclose(net(digits), net(digits.flip(-1)), atol=1e-4)  # mirror images have the same scores
    True
    """

    def __init__(
        self,
        group: Group,
        hidden: Sequence[str | Rep],
        classes: Positive = 10,
        invariants: Positive | None = 64,
        kernel_size: Positive = 5,
        activation: str = "fourier",
        samples: int | None = None,
        pool: Sequence[int] = (0, 2),
        halve: Sequence[int] = (),
        mask: Positive | None = None,
        restrict: Mapping[int, Group] | None = None,
        norm: bool = True,
        dropout: Share = 0.0,
        channels: Positive = 1,
    ) -> None:
        super().__init__(group, channels, classes)
        if isinstance(hidden, str) or not hidden:
            raise ValueError(f"hidden: got {hidden!r}, expected a list of reps, one for each block")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation: got {activation!r}, expected one of {ACTIVATIONS}")
        rep = group.rep([(channels, group.trivial)])
        blocks: list[torch.nn.Module] = [] if mask is None else [nn.CircularMask(mask)]
        for i, text in enumerate(hidden):
            act = _activation(activation, group.rep(text), samples)
            inside = act.rep_in if isinstance(act, nn.Gate) else act.rep
            size, step = kernel_size + 2 * (i == 0), 2 if i in halve else 1
            conv = nn.GridConv(rep, inside, size + step - 1, step, padding=size // 2, bias=False)
            blocks += [conv, nn.BatchNorm(inside, axis=1), act] if norm else [conv, act]
            blocks += [nn.GridPool(act.rep)] if i in pool else []
            rep = act.rep
            if restrict and i in restrict:
                smaller = nn.Restrict(rep, restrict[i], axis=1)
                blocks.append(smaller)
                rep, group = smaller.rep_out, restrict[i]
        if invariants is None:
            largest = nn.GroupPool(rep, samples, axis=1)
            blocks.append(largest)
            out = largest.rep_out
        else:
            out = group.rep([(invariants, group.trivial)])
            blocks.append(nn.GridConv(rep, out, kernel_size, bias=not norm))
            blocks += [nn.BatchNorm(out, axis=1), torch.nn.ReLU()] if norm else [torch.nn.ReLU()]
        self.features = torch.nn.Sequential(*blocks)
        self.head = torch.nn.Sequential(torch.nn.Dropout(dropout), torch.nn.Linear(out.dim, classes))


@typed
class GroupCNN(SteerableCNN):
    """A group convolutional network (Cohen and Welling 2016): every feature is a function on a finite group, in `channels`.

    The first convolution lifts the image, the others are group convolutions; ReLU is pointwise on the group, and the largest
    value over the group, then the mean over the pixels, is invariant.

    Args:
        group: a finite point group of the plane; with Cyclic(4) the network is a p4 one, with Dihedral(4) a p4m one.
        channels: for each block.
        pool: after which blocks; None: each but the last.

    >>> import torch
    >>> from eqlib import groups, models
    >>> _ = torch.manual_seed(0)
    >>> net = models.GroupCNN(groups.Cyclic(4), channels=(2, 4)).eval()
    >>> digits = torch.rand(3, 1, 17, 17)
    >>> torch.allclose(net(digits), net(torch.rot90(digits, 1, (-2, -1))), atol=1e-4)
    True
    """

    def __init__(
        self,
        group: Group,
        channels: Sequence[Positive] = (8, 16, 16),
        kernel_size: Positive = 5,
        classes: Positive = 10,
        norm: bool = True,
        pool: Sequence[int] | None = None,
    ) -> None:
        if not len(channels):
            raise ValueError(f"channels: got {channels!r}, expected a number for each block, at least one")
        rep = regular(group)[0]
        hidden = [fields(rep, c) for c in channels]
        pool = range(len(channels) - 1) if pool is None else pool
        super().__init__(group, hidden, classes, None, kernel_size, "fourier", pool=pool, norm=norm)


ACTIVATIONS = ("fourier", "gate", "norm")


def _activation(name: str, rep: Rep, samples: int | None) -> nn.FourierActivation | nn.Gate | nn.NormActivation:
    if name == "fourier":
        return nn.FourierActivation(rep, samples, axis=1)
    return nn.Gate(rep, axis=1) if name == "gate" else nn.NormActivation(rep, axis=1)
