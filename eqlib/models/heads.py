"""Ordinary dense networks that the models share: behind invariants nothing is left that a group could change."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from eqlib import doors
from eqlib.groups import Group, Rep


def perceptron(sizes: list[int]) -> torch.nn.Sequential:
    """Linear, SiLU, ..., linear; `sizes` are the widths from the input to the output.

    >>> from eqlib.models.heads import perceptron
    >>> [type(layer).__name__ for layer in perceptron([3, 8, 1])]
    ['Linear', 'SiLU', 'Linear']
    """
    layers: list[torch.nn.Module] = []
    sizes = [doors.count("width", size) for size in sizes]
    for before, after in pairwise(sizes):
        doors.affordable("weights of a layer", before * after)
        layers += [torch.nn.Linear(before, after), torch.nn.SiLU()]
    return torch.nn.Sequential(*layers[:-1])


def head(features: int, classes: int) -> torch.nn.Sequential:
    """The ordinary network on pooled features, (batch, features) -> (batch, classes), the same for every model compared.

    >>> import torch
    >>> from eqlib.models.heads import head
    >>> head(12, classes=10)(torch.zeros(4, 12)).shape
    torch.Size([4, 10])
    """
    return torch.nn.Sequential(
        torch.nn.BatchNorm1d(features),
        torch.nn.Linear(features, 32),
        torch.nn.SiLU(),
        torch.nn.Linear(32, classes),
    )


def rep_of(points: torch.nn.Module, name: str) -> Rep:
    """The rep of that name among a module's attributes; ValueError where there is none."""
    found = getattr(points, name, None)
    if not isinstance(found, Rep):
        raise ValueError(f"points: got a {type(points).__name__} without a rep {name!r}, expected one")
    return found


class InvariantScores(torch.nn.Module):
    """Images (batch, channels, n, n), or volumes -> scores (batch, classes): `features`, their mean over the pixels, `head`.

    A subclass sets the two. The reps are properties, because one among the attributes would be part of what a weights file
    compares.
    """

    features: torch.nn.Module
    head: torch.nn.Module

    def __init__(self, group: Group, channels: int, classes: int) -> None:
        super().__init__()
        self._ends = (group, channels, classes)

    @property
    def rep_in(self) -> Rep:
        """Of a pixel: trivial copies."""
        group, channels, _ = self._ends
        return group.rep([(channels, group.trivial)])

    @property
    def rep_out(self) -> Rep:
        """Of the scores: trivial copies."""
        group, _, classes = self._ends
        return group.rep([(classes, group.trivial)])

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return self.head(features.mean(tuple(range(2, features.ndim))))
