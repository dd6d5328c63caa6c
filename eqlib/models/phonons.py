"""The phonon density of states of a crystal, from its elements and the vectors to their neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eqlib.constants import Constants
from eqlib.data.elements import MASSES, place
from eqlib.doors import Positive, Share, typed
from eqlib.graphs import Edges
from eqlib.graphs.edges import in_range
from eqlib.groups import Rep
from eqlib.models.elements import Elements
from eqlib.models.heads import perceptron, rep_of

HEAVY = 100.0  # u: masses are divided by it
PERIODS, GROUPS = 7, 18


@typed
class PhononNet(Constants):
    """Densities of states (n, frequencies), 0 or more, by a network on points between its two ends.

    An atom enters as the one-hot vector of its element times its mass, m e_z, through a linear map and SiLU: what it is and how
    heavy it is. One-hot vectors of its period and group stand beside that of the element, so that what is learnt of one element
    serves its neighbours in the periodic table. The network's scalars of each atom become its own density of states, 0 or more;
    a crystal's is their sum, without a bias behind it, divided by its maximum. So a larger cell of the same crystal gives the
    same. After Z. Chen et al., Direct prediction of phonon density of states with Euclidean neural networks, Advanced Science 8,
    2004214 (2021), Fig. 1; the review's Fig. 4. Period and group are not theirs.

    Args:
        points: a module of (features (N, rep_in.dim), Edges) -> (N, rep_out.dim), with these reps as attributes, scalars both.
        elements: the atomic numbers it may be given.
        frequencies: how many.
        weighted: whether one-hot vectors are multiplied by the mass.
        placed: whether period and group stand beside the element.
        divided: whether a crystal's sum is divided by its maximum, as the data are and as published; else by its number of
            atoms, which lets the network hedge: of two peaks that are equally likely it may say half of each.
        dropout: the share of an atom's features that training leaves out before each layer of the readout.

    >>> import torch
    >>> from eqlib import graphs, groups, kernels, models
    >>> O3 = groups.O3()
    >>> tfn = models.TensorFieldNetwork(O3.rep("8x0e"), O3.rep("8x0e"), ["8x0e+4x1o"], 1, lambda: kernels.Bessel(4, 3.0))
    >>> net = models.PhononNet(tfn, [29, 79])
    >>> copper = graphs.neighbours(torch.zeros(1, 3), 3.0, cell=1.8 * (1 - torch.eye(3)))
    >>> spectra = net.of(torch.tensor([29]), copper, torch.tensor([0]), 1)
    >>> spectra.shape, spectra.max().item()
    (torch.Size([1, 51]), 1.0)
    """

    def __init__(
        self,
        points: torch.nn.Module,
        elements: Sequence[int],
        frequencies: Positive = 51,
        weighted: bool = True,
        placed: bool = True,
        divided: bool = True,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        rep_in, rep_out = rep_of(points, "rep_in"), rep_of(points, "rep_out")
        for name, rep in (("rep_in", rep_in), ("rep_out", rep_out)):
            if any(not a.is_trivial for _, a in rep.blocks) or not rep.dim:
                raise ValueError(f"points: got {name} {rep}, expected scalars")
        if frequencies < 1:
            raise ValueError(f"frequencies: got {frequencies!r}, expected at least 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: got {dropout!r}, expected 0 or more and below 1")
        self.points, self.weighted, self.placed, self.divided = points, weighted, placed, divided
        self._kinds = Elements(elements)
        self.elements = self._kinds.numbers
        hot = np.eye(len(self.elements))
        if placed:
            period, group = np.array([place(n) for n in self.elements]).T - 1
            hot = np.concatenate([hot, np.eye(PERIODS)[period], np.eye(GROUPS)[group]], 1)
        masses = np.array([MASSES[n - 1] / HEAVY if weighted else 1.0 for n in self.elements])
        self.constant("inputs", hot * masses[:, None])
        self.embedding = torch.nn.Linear(hot.shape[1], rep_in.dim)
        torch.nn.init.normal_(self.embedding.weight, std=hot[0].sum().item() ** -0.5)
        torch.nn.init.zeros_(self.embedding.bias)
        self.readout = perceptron([rep_out.dim, rep_out.dim, frequencies])
        self.dropout = torch.nn.Dropout(dropout)

    inputs: Tensor

    def forward(self, numbers: Tensor, pairs: Tensor, vectors: Tensor, batch: Tensor, crystals: int) -> Tensor:
        """numbers (N,) and batch (N,), the crystal of each atom, int64; pairs (2, E), source above target, with vectors (E, 3),
        angstrom; as `data.CrystalGraphs` gives them. ValueError for an element that it was not made for."""
        return self.of(numbers, Edges(pairs[0], pairs[1], vectors, numbers.shape[0]), batch, crystals)

    def of(self, numbers: Tensor, edges: Edges, batch: Tensor, crystals: int) -> Tensor:
        """The same with `graphs.Edges`, such as `graphs.neighbours` gives; differentiable in the vectors."""
        in_range("batch", batch, crystals)
        atoms = self.atoms(numbers, edges)
        sums = atoms.new_zeros(crystals, atoms.shape[1]).index_add(0, batch, atoms)
        largest = sums.amax(dim=1, keepdim=True)
        empty = largest <= 0
        if not torch.compiler.is_compiling() and not self.training and empty.any():
            which = int(empty[:, 0].int().argmax())
            warnings.warn(f"the density of states of crystal {which} came out zero at all frequencies", stacklevel=2)
        if not self.divided:
            return sums / torch.bincount(batch, minlength=crystals).clamp(min=1)[:, None]
        return sums / torch.where(empty, 1.0, largest)

    def atoms(self, numbers: Tensor, edges: Edges) -> Tensor:
        """What each atom adds to the density of states of its crystal before that is divided by its maximum, (N, frequencies)."""
        x = self.points(torch.nn.functional.silu(self.embedding(self.inputs[self._kinds(numbers)])), edges)
        for layer in self.readout:
            x = layer(self.dropout(x) if isinstance(layer, torch.nn.Linear) else x)
        return torch.relu(x)

    def stages(self) -> list[tuple[str, list[str], str]]:
        """What it does, step by step, for `viz.plot_stages`: the review's Fig. 4 with this network's own reps and sizes.

        >>> import torch
        >>> from eqlib import groups, kernels, models
        >>> O3 = groups.O3()
        >>> tfn = models.TensorFieldNetwork(O3.rep("8x0e"), O3.rep("4x0e"), ["8x0e+2x1o"], 1, lambda: kernels.Bessel(4, 3.0))
        >>> for title, texts, below in models.PhononNet(tfn, [29, 79]).stages():
        ...     print(f"{title}: {', '.join(texts)}")
        atoms: 2 elements, 7 periods, 18 groups, × mass
        embed: 8x0e
        convolve: 8x0e, 2x1o
        convolve: 4x0e
        read out: 51 ≥ 0
        crystal: Σ atoms, ÷ maximum
        """

        def texts(rep: Rep) -> list[str]:
            return [f"{mul}x{a.label}" for mul, a in rep.blocks]

        table = [f"{PERIODS} periods", f"{GROUPS} groups"] * self.placed
        gates = [gate.rep for gate in getattr(self.points, "gates", [])]
        rep_in, rep_out = rep_of(self.points, "rep_in"), rep_of(self.points, "rep_out")
        return [
            ("atoms", [f"{len(self.elements)} elements", *table, *["× mass"] * self.weighted], "one-hot"),
            ("embed", texts(rep_in), "linear, SiLU"),
            *(("convolve", texts(rep), "neighbours,\nthen a gate") for rep in gates),
            ("convolve", texts(rep_out), "neighbours"),
            ("read out", [f"{self.readout[-1].out_features} ≥ 0"], "dense, of each atom"),
            ("crystal", ["Σ atoms", "÷ maximum" if self.divided else "÷ atoms"], "density of states"),
        ]
