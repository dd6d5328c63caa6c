"""Poses of two partners as a network on points takes them: their atoms, residues and alpha carbons, and who is near whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from eqlib import doors
from eqlib.doors import Length, Positive, typed
from eqlib.graphs import knn_graph, search
from eqlib.graphs.edges import in_range


@dataclass(frozen=True)
class Near:
    """Pairs (2, E), int64, source above target: inside a partner, and across from one to the other, of atoms and of residues.

    atoms_inside, residues_inside: the k + 1 nearest, the last of which says how far the k-th could have been. atoms_across,
    residues_across: both directions of all within a cut-off. reach: (neighbours, cut-off of atoms, of alpha carbons).
    """

    atoms_inside: Tensor
    atoms_across: Tensor
    residues_inside: Tensor
    residues_across: Tensor
    reach: tuple[int, float, float]


@dataclass(frozen=True, eq=False)
class Poses:
    """A batch of poses, each of two partners, as one list of N atoms and one of R residues; `len(poses)` is their number.

    kinds: (N,), int64, what each atom is, 0, 1, ... of a table that the caller has, such as residue and name together.
    positions: (N, 3), floating point, angstrom. residues: (N,), int64, the residue of each atom, 0 ... R - 1.
    alpha: (R,), int64, the atom that is a residue's alpha carbon. partner: (R,), bool or int64, 0 and 1, which of the two a
    residue belongs to; which is which does not matter. pose: (R,), int64, 0 ... poses - 1. Atoms and residues may stand in
    any order. near: who is near whom, where `searched` has found it already.

    ValueError names what does not fit: shapes and dtypes, indices out of range, an alpha carbon of another residue, NaN.

    >>> import torch
    >>> from eqlib import models
    >>> one = torch.zeros(2, dtype=torch.int64), torch.tensor([[0.0, 0, 0], [4.0, 0, 0]]), torch.arange(2), torch.arange(2)
    >>> pose = models.Poses(*one, partner=torch.tensor([0, 1]), pose=torch.zeros(2, dtype=torch.int64), poses=1)
    >>> both = models.Poses.join([pose, pose])
    >>> len(both), both.positions.shape, both.pose.tolist()
    (2, torch.Size([4, 3]), [0, 0, 1, 1])
    """

    kinds: Tensor
    positions: Tensor
    residues: Tensor
    alpha: Tensor
    partner: Tensor
    pose: Tensor
    poses: int
    near: Near | None = None

    def __post_init__(self) -> None:
        n, r = (len(t) if isinstance(t, Tensor) and t.ndim else 0 for t in (self.kinds, self.alpha))
        _integers("kinds", self.kinds, (n,))
        _integers("residues", self.residues, (n,))
        _integers("alpha", self.alpha, (r,))
        _integers("partner", self.partner, (r,), "torch.bool or ")
        _integers("pose", self.pose, (r,))
        search.check_positions("positions", self.positions)
        if self.positions.shape != (n, 3):
            raise ValueError(f"positions: got {tuple(self.positions.shape)}, expected ({n}, 3), a row for each kind")
        doors.count("poses", self.poses)
        in_range("kinds", self.kinds)
        in_range("residues", self.residues, r)
        in_range("alpha", self.alpha, n)
        in_range("partner", self.partner.long(), 2)
        in_range("pose", self.pose, self.poses)
        wrong = self.residues[self.alpha] != torch.arange(r, device=self.alpha.device)
        if wrong.any():
            i = int(wrong.int().argmax())
            of = int(self.residues[self.alpha[i]])
            raise ValueError(
                f"alpha: got atom {int(self.alpha[i])} of residue {of} for residue {i}, expected one of its own"
            )

    def __len__(self) -> int:
        return self.poses

    @classmethod
    def join(cls, batches: Sequence[Poses]) -> Poses:
        """Several batches as one, pose after pose; with `near` where all have it. ValueError for none, and for two reaches."""
        if not len(batches):
            raise ValueError("batches: got none, expected at least one")
        near = [b.near for b in batches]
        found = [each for each in near if each is not None]
        if len({each.reach for each in found}) > 1:
            raise ValueError(f"batches: got reaches {[each.reach for each in found]}, expected one")
        atoms, residues, poses = (
            [*accumulate(sizes, initial=0)][:-1]
            for sizes in ([len(b.kinds) for b in batches], [len(b.alpha) for b in batches], [b.poses for b in batches])
        )

        def behind(name: str, before: list[int]) -> Tensor:
            return torch.cat([getattr(b, name) + more for b, more in zip(batches, before, strict=True)])

        def pairs(name: str, before: list[int]) -> Tensor:
            return torch.cat([getattr(each, name) + more for each, more in zip(found, before, strict=True)], dim=1)

        together = None
        if len(found) == len(batches):
            together = Near(
                pairs("atoms_inside", atoms),
                pairs("atoms_across", atoms),
                pairs("residues_inside", residues),
                pairs("residues_across", residues),
                found[0].reach,
            )
        return cls(
            torch.cat([b.kinds for b in batches]),
            torch.cat([b.positions for b in batches]),
            behind("residues", residues),
            behind("alpha", atoms),
            torch.cat([b.partner.long() for b in batches]),
            behind("pose", poses),
            sum(b.poses for b in batches),
            together,
        )

    @classmethod
    def stack(cls, kinds: Tensor, positions: Tensor, residues: Tensor, alpha: Tensor, partner: Tensor) -> Poses:
        """P poses of the same atoms, of which only positions (P, N, 3) differ; the rest as of one pose.

        >>> import torch
        >>> from eqlib import models
        >>> ids = torch.arange(2)
        >>> models.Poses.stack(torch.zeros_like(ids), torch.rand(5, 2, 3), ids, ids, ids).pose.tolist()
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        """
        if not isinstance(positions, Tensor) or positions.ndim != 3:
            shape = tuple(positions.shape) if isinstance(positions, Tensor) else type(positions).__name__
            raise ValueError(f"positions: got {shape}, expected (poses, N, 3)")
        p = len(positions)
        one = cls(kinds, kinds.new_zeros(len(kinds), 3, dtype=positions.dtype), residues, alpha, partner, alpha * 0, 1)
        which = torch.arange(p, device=alpha.device)[:, None]
        return cls(
            one.kinds.repeat(p),
            positions.flatten(0, 1),
            (one.residues + which * len(alpha)).flatten(),
            (one.alpha + which * len(kinds)).flatten(),
            one.partner.repeat(p),
            (one.pose + which).flatten(),
            p,
        )

    @typed
    def searched(self, neighbours: Positive, cutoff: Length, contact: Length) -> Poses:
        """The same poses with `near`: the nearest `neighbours` inside a partner, those across within `cutoff`, angstrom, of
        atoms and within `contact` of alpha carbons. What is found holds for these positions."""
        body = 2 * self.pose + self.partner.long()
        ends = self.positions.detach()[self.alpha]
        near = Near(
            knn_graph(self.positions.detach(), neighbours + 1, body[self.residues]),
            _across(self.positions, cutoff, body[self.residues]),
            knn_graph(ends, neighbours + 1, body),
            _across(ends, contact, body),
            (neighbours, float(cutoff), float(contact)),
        )
        return replace(self, near=near)


def _across(positions: Tensor, cutoff: float, body: Tensor) -> Tensor:
    """Both directions of all pairs of bodies 2 p and 2 p + 1 within the cut-off, ordered by target and source."""
    x, which = search.as_float64(positions), body.cpu().numpy()
    first, second = (np.flatnonzero(which % 2 == i) for i in (0, 1))
    if not (len(first) and len(second)):
        return torch.zeros(2, 0, dtype=torch.int64, device=positions.device)
    i, j = search.near_others(x[first], x[second], cutoff, [which[first] // 2, which[second] // 2])
    a, b = first[i], second[j]
    pairs, _ = search.ordered([(a, b, 0), (b, a, 0)], (len(x), len(x), 1))
    return torch.from_numpy(pairs).to(positions.device)


def _integers(name: str, values: Tensor, shape: tuple[int, ...], more: str = "") -> None:
    if not isinstance(values, Tensor):
        raise ValueError(f"{name}: got {type(values).__name__}, expected a tensor, {more}torch.int64 {shape}")
    if values.shape != shape or (values.dtype != torch.int64 and not (more and values.dtype == torch.bool)):
        got = f"{values.dtype} {tuple(values.shape)}"
        raise ValueError(f"{name}: got {got}, expected {more}torch.int64 {shape}")
