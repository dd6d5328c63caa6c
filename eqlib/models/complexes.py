"""Which pose of two proteins is right: from heavy atoms to alpha carbons to the complex, equivariant at each level."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eqlib import nn
from eqlib.doors import Degree, Few, Length, Positive, Share, typed
from eqlib.graphs import Edges
from eqlib.groups import O3, Group, Irrep, Rep
from eqlib.groups.rep import same_group
from eqlib.kernels import Bessel, envelope
from eqlib.models.by_channel import RowGate, counts
from eqlib.models.heads import perceptron
from eqlib.models.poses import Poses
from eqlib.models.rows import Mix

COPIES = 16, 8, 4  # of harmonics of degree 0, 1, 2
SHARP = 12  # power of the envelope between neighbours and the first that is none

Rows = dict[Irrep, Tensor]  # of each irrep (component, copy, point)


@typed
class ComplexRanker(torch.nn.Module):
    """Scores (poses,) of poses of two proteins, higher for better: heavy atoms, then alpha carbons, then contacts, then the sum.

    Atoms see their nearest neighbours inside their partner and, by a convolution of its own, all atoms of the other within a
    cut-off. Each alpha carbon collects what its nearest atoms, and the other partner's near it, have learnt; alpha carbons
    then see each other likewise. Every pair of alpha carbons across the interface gets a number from both ends' features and
    the vector between them, and the score is their weighted mean, so that `contributions` adds up to it. Nothing is put in
    but kinds of atoms and positions. A target multiplies what it hears by numbers of its own scalars: with one layer that is
    a potential of pairs of kinds, of rank `channels`, learnt.

    The score does not depend on which partner is which, nor on the order of atoms, residues and poses, nor on translations
    and rotations. It is continuous in the positions: a neighbour's weight falls to 0 where another takes its place, a
    contact's at the cut-off; partners apart have no contact and score 0.
    Mirror images: with O3 and trivial irreps in `read` both score alike, whatever is inside. With SO3 they differ, and so they
    do with O3 where pseudo-scalars are read, such as with features "16x0e+4x0o+8x1o+4x1e+4x2e+4x2o" and read "12x0e+4x0o".

    After Eismann et al., Hierarchical, rotation-equivariant neural networks to select structural models of protein complexes,
    Proteins 89, 493 (2021), whose levels and nearest-neighbour pooling these are. Convolutions of their own across the
    interface, soft neighbours and the readout of pairs are not theirs.

    Args:
        kinds: how many kinds of atoms there are.
        group: of space; None: O3. Any with harmonics whose vector has three components.
        features: of an atom and of an alpha carbon; None: 16, 8 and 4 copies of the harmonics of degree 0, 1 and 2.
        read: of a contact, before a dense network; None: 16 trivial copies. Rotations must leave all of it as it is.
        degree: of the filters' harmonics. channels: see `TensorFieldNetwork`.
        atom_layers, residue_layers: convolutions on each level, the step from one to the other not counted.
        neighbours: nearest ones inside a partner.
        cutoff: between atoms across, angstrom, and of all radial functions of atoms. contact: the same of alpha carbons.
        radial: how many radial functions.
        dropout: the share of a contact's features that training leaves out before the dense network.

    >>> import torch
    >>> from eqlib import groups, models
    >>> _ = torch.manual_seed(0)
    >>> kinds, residues = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 0, 0, 1, 1, 1])
    >>> positions = torch.randn(5, 6, 3) * 3 + 4 * residues[:, None]
    >>> poses = models.Poses.stack(kinds, positions, residues, alpha=torch.tensor([0, 3]), partner=torch.tensor([0, 1]))
    >>> net = models.ComplexRanker(kinds=3)
    >>> net(poses).shape
    torch.Size([5])
    >>> pairs, parts = net.contributions(poses)  # residues (2, P), and what each pair adds
    >>> torch.allclose(torch.zeros(5).index_add(0, poses.pose[pairs[0]], parts), net(poses), atol=1e-6)
    True
    """

    def __init__(
        self,
        kinds: Positive,
        group: Group | None = None,
        features: str | Rep | None = None,
        read: str | Rep | None = None,
        degree: Degree = 2,
        channels: Positive = 8,
        atom_layers: Few = 2,
        residue_layers: Few = 1,
        neighbours: Positive = 16,
        cutoff: Length = 8.0,
        contact: Length = 12.0,
        radial: Positive = 8,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        group = O3() if group is None else group
        if group.vector.dim != 3 or not group.compact:
            raise ValueError(f"group: got {group}, expected a compact one whose vector has 3 components")
        if features is None:
            features = group.rep([(n, group.harmonic(J)) for J, n in enumerate(COPIES)])
        self.features = group.rep(features) if isinstance(features, str) else features
        read = group.rep([(COPIES[0], group.trivial)]) if read is None else read
        self.read = group.rep(read) if isinstance(read, str) else read
        same_group(group=group.vector, features=self.features, read=self.read)
        scalars = counts(self.features).get(group.irrep(group.trivial), 0)
        if not scalars:
            raise ValueError(f"features: got {self.features}, expected trivial copies among them")
        if not self.read.dim or not all(_ignores_rotations(a) for _, a in self.read.blocks):
            raise ValueError(f"read: got {self.read}, expected irreps that rotations leave as they are")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: got {dropout!r}, expected 0 or more and below 1")
        self.kinds, self.group = kinds, group
        self.neighbours, self.cutoff, self.contact = neighbours, float(cutoff), float(contact)
        self.embedding = torch.nn.Embedding(kinds, scalars)
        first, gated = group.rep([(scalars, group.trivial)]), nn.Gate(self.features).rep_in
        atoms, residues = Bessel(radial, cutoff), Bessel(radial, contact)

        def layer(rep_in: Rep, basis: torch.nn.Module, rep_out: Rep = gated) -> _Layer:
            across = 16.0 if basis is atoms else 4.0  # of an atom, and of a residue, at an interface
            many = [1.0] if rep_out is self.read else [max(1.0, neighbours / 2), across]
            return _Layer(rep_in, rep_out, degree, basis, channels, many)

        ins = [first, *[self.features] * (atom_layers - 1)]
        self.atoms = torch.nn.ModuleList([layer(rep, atoms) for rep in ins])
        self.collect = layer(self.features, atoms)
        self.residues = torch.nn.ModuleList([layer(self.features, residues) for _ in range(residue_layers)])
        self.pairs = layer(self.features, residues, self.read)
        self._gate = RowGate(self.features)
        self.dropout = torch.nn.Dropout(dropout)
        self.readout = perceptron([self.read.dim, self.read.dim, 1])

    def search(self, poses: Poses) -> Poses:
        """The poses with who is near whom, for poses that come back: `forward` then need not look again."""
        return poses.searched(self.neighbours, self.cutoff, self.contact)

    def forward(self, poses: Poses) -> Tensor:
        """Scores (poses,). ValueError for a kind that it was not made for, and for poses that were searched otherwise."""
        pairs, parts = self._parts(poses)
        return parts.new_zeros(len(poses)).index_add(0, poses.pose[pairs[0]], parts)

    def contributions(self, poses: Poses) -> tuple[Tensor, Tensor]:
        """Pairs of residues across, (2, P), the lower number above, and what each pair adds to its pose's score, (P,)."""
        pairs, parts = self._parts(poses)
        r = max(1, len(poses.alpha))
        keys, which = (pairs.amin(0) * r + pairs.amax(0)).unique(return_inverse=True)
        return torch.stack([keys // r, keys % r]), parts.new_zeros(len(keys)).index_add(0, which, parts)

    def _parts(self, poses: Poses) -> tuple[Tensor, Tensor]:
        """Both directions of each pair of residues, and half of what it adds."""
        if not isinstance(poses, Poses):
            raise ValueError(f"poses: got {type(poses).__name__}, expected models.Poses")
        if len(poses.kinds) and int(poses.kinds.max()) >= self.kinds:
            raise ValueError(f"kinds: got {int(poses.kinds.max())}, expected 0 ... {self.kinds - 1}")
        near = (self.search(poses) if poses.near is None else poses).near
        assert near is not None
        if near.reach != (expected := (self.neighbours, self.cutoff, self.contact)):
            raise ValueError(
                f"poses: got them searched with {near.reach}, expected {expected}, as this network's `search`"
            )
        x, ends = poses.positions, poses.positions[poses.alpha]
        inside = _nearest(Edges.between(x, near.atoms_inside), self.neighbours, self.cutoff)
        across = Edges.between(x, near.atoms_across)
        rows: Rows = {self.group.irrep(self.group.trivial): self.embedding(poses.kinds).T[None]}
        edges = [inside.sharing(), across.sharing()]
        for layer in self.atoms:
            rows = self._gate(layer(rows, rows, edges))
        # Alpha carbons are atoms, and so the edges to them are known.
        own = {a: v[:, :, poses.alpha] for a, v in rows.items()}
        rows = self._gate(self.collect(rows, own, [_onto(e, poses.alpha) for e in (inside, across)]))
        inside = _nearest(Edges.between(ends, near.residues_inside), self.neighbours, self.contact).sharing()
        across = Edges.between(ends, near.residues_across).sharing()
        for layer in self.residues:
            rows = self._gate(layer(rows, rows, [inside, across]))
        number = len(across)
        alone = across.onto(torch.arange(number, device=x.device), number)
        read = self.pairs(rows, {a: v[:, :, across.target] for a, v in rows.items()}, [alone])
        found = torch.cat([read[a].flatten(0, 1) for a in counts(self.read)]).T
        weights = envelope(across.vectors.square().sum(1), self.contact).to(found.dtype)
        of = poses.pose[across.target]
        total = weights.new_ones(len(poses)).index_add(0, of, weights / 2)
        values = self.readout(self.dropout(found))[:, 0]
        return torch.stack([across.source, across.target]), values * weights / (2 * total[of])

    def stages(self) -> list[tuple[str, list[str], str]]:
        """What it does, step by step, for `viz.plot_stages`.

        >>> from eqlib import models
        >>> for title, texts, below in models.ComplexRanker(kinds=20, atom_layers=1).stages():
        ...     print(f"{title}: {', '.join(texts)}")
        atoms: 20 kinds
        convolve: 16x0e, 8x1o, 4x2e
        alpha carbons: 16x0e, 8x1o, 4x2e
        convolve: 16x0e, 8x1o, 4x2e
        contacts: 16x0e
        complex: Σ contacts
        """

        def texts(rep: Rep) -> list[str]:
            return [f"{mul}x{a.label}" for mul, a in rep.blocks]

        k, features = self.neighbours, texts(self.features)
        below = [f"{k} nearest inside,\nothers to {reach:g} Å,\nthen a gate" for reach in (self.cutoff, self.contact)]
        return [
            ("atoms", [f"{self.kinds} kinds"], "learnt scalars"),
            *[("convolve", features, below[0]) for _ in self.atoms],
            ("alpha carbons", features, "collect their\nnearest atoms"),
            *[("convolve", features, below[1]) for _ in self.residues],
            ("contacts", texts(self.read), f"pairs across,\nto {self.contact:g} Å"),
            ("complex", ["Σ contacts"], "weighted mean:\nthe score"),
        ]


class _Layer(torch.nn.Module):
    """Convolutions channel by channel, one for each sort of edges, times numbers of the target's scalars; all mixed behind."""

    def __init__(
        self, rep_in: Rep, rep_out: Rep, degree: int, basis: torch.nn.Module, channels: int, neighbours: list[float]
    ) -> None:
        super().__init__()
        ins, outs, group = counts(rep_in), counts(rep_out), rep_in.group
        self._ins, self._outs, self._trivial = list(ins), list(outs), group.irrep(group.trivial)
        inside, outside = (group.rep([(channels, a) for a in some]) for some in (ins, outs))
        self.before, self.convolutions, self.factors = (torch.nn.ModuleList() for _ in range(3))
        for many in neighbours:
            self.before.append(Mix(self._ins, list(ins.values()), channels))
            self.convolutions.append(nn.PointConv(inside, outside, degree, basis, depthwise=True, neighbours=many))
            self.factors.append(torch.nn.Linear(ins[self._trivial], channels * len(outs)))
        sizes = [channels * len(neighbours) + ins.get(a, 0) for a in outs]
        self.after = Mix(self._outs, sizes, list(outs.values()))
        biased = outs.get(self._trivial, 0)
        self.bias = torch.nn.Parameter(torch.zeros(biased, 1)) if biased else None

    def forward(self, rows: Rows, own: Rows, edges: list[Edges]) -> Rows:
        """rows: of the sources, own: of the targets."""
        parts = [[own[a]] if a in own else [] for a in self._outs]
        scalars = own[self._trivial][0]
        kinds = zip(self.before, self.convolutions, self.factors, edges, strict=True)
        for before, convolution, factor, found in kinds:
            mixed = torch.cat(before([rows[a] for a in self._ins]))
            heard = convolution.on_rows(mixed, found).split([a.dim for a in self._outs])  # type: ignore[operator]
            # Above 0 and bounded: sizes then stay as they are from layer to layer. Signs are left to the sources.
            numbers = 2 * torch.addmm(factor.bias[:, None], factor.weight, scalars).sigmoid()  # type: ignore[arg-type, index]
            for part, y, f in zip(parts, heard, numbers.chunk(len(heard)), strict=True):
                part.append(y * f)
        by = dict(zip(self._outs, self.after([torch.cat(part, dim=1) for part in parts]), strict=True))
        if self.bias is not None:
            by[self._trivial] = by[self._trivial] + self.bias
        return by


def _ignores_rotations(a: Irrep) -> bool:
    """Whether all elements of determinant 1 act as 1: of the Lie algebra and of the components."""
    group = a.group
    elements = [group.element(np.zeros(group.dim), component) for component in range(group.components)]
    proper = [g for g in elements if np.linalg.det(group.matrix(g)).item() > 0]
    return a.dim == 1 and not a.generators.any() and all(np.allclose(a(g), 1) for g in proper)


def _onto(edges: Edges, alpha: Tensor) -> Edges:
    """The edges whose targets are these atoms, as edges to residues."""
    which = torch.full((edges.targets,), -1, device=alpha.device).index_copy(
        0, alpha, torch.arange(len(alpha), device=alpha.device)
    )
    kept = which[edges.target] >= 0
    return Edges(edges.source[kept], which[edges.target[kept]], edges.vectors[kept], len(alpha)).sharing()


def _nearest(edges: Edges, k: int, cutoff: float) -> Edges:
    """Edges from up to k + 1 nearest -> those of k, lengthened so that the k-th's reaches the cut-off as the next comes near.

    Radial functions are 0 at the cut-off. So who is counted may change with rounding and the score does not.
    """
    square = edges.vectors.square().sum(1)
    far = square.new_zeros(edges.targets).scatter_reduce(0, edges.target, square, "amax")
    full = torch.bincount(edges.target, minlength=edges.targets) > k
    far = torch.where(full, far, float("inf"))[edges.target]
    kept = square < far
    square, far = square[kept], far[kept]
    there = square > 0
    length = torch.where(there, square, 1.0).sqrt()
    longer = cutoff - (cutoff - length) * envelope(square / far, 1.0, SHARP)
    scale = torch.where(there & (length < cutoff), longer / length, 1.0)
    return Edges(edges.source[kept], edges.target[kept], edges.vectors[kept] * scale[:, None], edges.targets)
