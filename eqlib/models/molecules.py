"""What molecules have, from their elements and positions: energies and forces, dipole vectors, gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eqlib.data.molecules import Molecules
from eqlib.doors import typed
from eqlib.graphs import Edges
from eqlib.graphs.edges import in_range
from eqlib.models.elements import Elements
from eqlib.models.gradients import forces
from eqlib.models.heads import perceptron, rep_of


@typed
class MoleculeNetwork(torch.nn.Module):
    """A network on points as a network on molecules: an embedding of the elements before it, a readout of each atom behind it.

    "energy": energies (n,), eV, and forces (N, 3), eV / angstrom, their negative gradient. An atom's energy is
    scale * (a dense network of its scalars) + one number for its element; a molecule's is the sum. Atoms that see no other
    thus add up exactly, and so do molecules that do not see each other.
    "dipole": (n, 3), e angstrom: the sum of each atom's charge times its place, and of each atom's vector if there are any. The
    charges are made to add up to 0, so it does not matter from where places are taken. "gap": (n,), eV: the mean over atoms.

    Args:
        points: a module of (features (N, rep_in.dim), Edges) -> (N, rep_out.dim), with these reps as attributes; both are
            scalars, but that for a dipole one vector may follow.
        elements: the atomic numbers it may be given.
        output: "energy", "dipole" or "gap".

    >>> import torch
    >>> from eqlib import graphs, groups, kernels, models
    >>> O3 = groups.O3()
    >>> tfn = models.TensorFieldNetwork(O3.rep("8x0e"), O3.rep("8x0e"), ["8x0e+4x1o"], 1, lambda: kernels.Bessel(4, 3.0))
    >>> net, water = models.MoleculeNetwork(tfn, [1, 8]), torch.tensor([[0.0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]])
    >>> pairs, batch = graphs.complete_graph([3]), torch.zeros(3, dtype=torch.int64)
    >>> energies, force = net(torch.tensor([8, 1, 1]), water, pairs, batch, 1)
    >>> energies.shape, force.shape, force.sum(0).abs().max().item() < 1e-6
    (torch.Size([1]), torch.Size([3, 3]), True)
    """

    OUTPUTS = ("energy", "dipole", "gap")

    def __init__(self, points: torch.nn.Module, elements: Sequence[int], output: str = "energy") -> None:
        super().__init__()
        if output not in self.OUTPUTS:
            raise ValueError(f"output: got {output!r}, expected one of {', '.join(self.OUTPUTS)}")
        rep_in, rep_out = rep_of(points, "rep_in"), rep_of(points, "rep_out")
        self._kinds = Elements(elements)
        self.points, self.output, self.elements = points, output, self._kinds.numbers
        self._scalars = rep_out.blocks[0][0] if rep_out.blocks and rep_out.blocks[0][1].is_trivial else 0
        vector = list(rep_out.group.vector.blocks) if output == "dipole" else []
        if not self._scalars or list(rep_out.blocks[1:]) not in ([], vector):
            allowed = "scalars" + ", which one vector may follow," * (output == "dipole")
            raise ValueError(f"points: got rep_out {rep_out}, expected {allowed} for output {output!r}")
        self.embedding = torch.nn.Embedding(len(self.elements), rep_in.dim)
        self.readout = perceptron([self._scalars, self._scalars, 1])
        # Numbers of the training data, not learnt: they are part of the weights file.
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(len(self.elements)))

    scale: Tensor
    shift: Tensor

    def fit_scale(self, molecules: Molecules) -> None:
        """Set `scale` and `shift` by training molecules, so that a network begins with the right sizes.

        Energies: each element's share of them by least squares, and the forces' root mean square. Gaps: mean and spread.
        Dipoles: 1. ValueError for molecules of which that is not known.
        """
        needed = {"energy": ("energies", "forces"), "gap": ("gaps",), "dipole": ()}[self.output]
        if missing := [name for name in needed if getattr(molecules, name) is None]:
            raise ValueError(f"molecules: got none of their {missing[0]}, expected them for output {self.output!r}")
        kinds = self._kinds(torch.as_tensor(molecules.numbers, device=self.scale.device)).cpu().numpy()
        of = np.repeat(np.arange(len(molecules)), molecules.sizes)
        counts = np.zeros((len(molecules), len(self.elements)))
        np.add.at(counts, (of, kinds), 1)
        if self.output == "energy" and molecules.energies is not None and molecules.forces is not None:
            shift = np.linalg.lstsq(counts, molecules.energies, rcond=None)[0]
            scale = np.sqrt((molecules.forces**2).mean())
        elif self.output == "gap" and molecules.gaps is not None:
            shift = np.full(len(self.elements), molecules.gaps.mean())
            scale = molecules.gaps.std()
        else:
            return
        self.shift.copy_(torch.as_tensor(shift))
        self.scale.fill_(float(scale))

    def forward(
        self, numbers: Tensor, positions: Tensor, pairs: Tensor, batch: Tensor, molecules: int
    ) -> Tensor | tuple[Tensor, Tensor]:
        """numbers (N,) and batch (N,), the molecule of each atom, int64; positions (N, 3), angstrom; pairs (2, E), int64.

        ValueError for an element that it was not made for, and for what the layers refuse.
        """
        kinds = self._kinds(numbers)
        in_range("batch", batch, molecules)
        if self.output != "energy":
            return self._other(kinds, positions, pairs, batch, molecules)

        def energy(places: Tensor) -> Tensor:
            x = self.points(self.embedding(kinds), Edges.between(places, pairs))
            atoms = self.readout(x)[:, 0] * self.scale + self.shift[kinds]
            return atoms.new_zeros(molecules).index_add(0, batch, atoms)

        return forces(energy, positions, train=self.training)

    def _other(self, kinds: Tensor, positions: Tensor, pairs: Tensor, batch: Tensor, molecules: int) -> Tensor:
        x = self.points(self.embedding(kinds), Edges.between(positions, pairs))
        atoms = self.readout(x[:, : self._scalars])[:, 0] * self.scale + self.shift[kinds]
        counts = atoms.new_zeros(molecules).index_add(0, batch, torch.ones_like(atoms)).clamp(min=1)
        mean = atoms.new_zeros(molecules).index_add(0, batch, atoms) / counts
        if self.output == "gap":
            return mean
        charges = (atoms - mean[batch])[:, None]
        vectors = charges * positions
        if x.shape[1] > self._scalars:
            vectors = vectors + x[:, self._scalars :] * self.scale
        return vectors.new_zeros(molecules, 3).index_add(0, batch, vectors)
