"""Molecules as networks take them: elements, positions, pairs within a cut-off, which are found once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eqlib import graphs
from eqlib.data import ragged
from eqlib.data.molecules import Molecules

#: What a network's output needs of a set of molecules, see `models.MoleculeNetwork`.
TARGETS = {"energy": ("energies", "forces"), "dipole": ("dipoles",), "gap": ("gaps",)}


class MoleculeGraphs:
    """A data set for `training.fit`: (numbers, positions, pairs, batch, molecules, target) of molecules by index.

    molecules: those of the set. cutoff: of pairs, angstrom. output: "energy", whose target is (energies, forces), "dipole" or
    "gap"; None for molecules of which nothing is known. Positions and targets are float32: energies are to be without their
    atoms' (`Molecules.without_atoms`). ValueError where a target is missing.

    >>> from eqlib import data
    >>> water = data.as_molecules([8, 1, 1], [[0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]], [3], gaps=[7.0])
    >>> graphs = data.MoleculeGraphs(water, cutoff=1.2, output="gap")
    >>> numbers, positions, pairs, batch, molecules, gap = graphs.batch(np.array([0, 0]))
    >>> pairs.tolist(), molecules, gap.tolist()
    ([[1, 2, 0, 0, 4, 5, 3, 3], [0, 0, 1, 2, 3, 3, 4, 5]], 2, [7.0, 7.0])
    """

    def __init__(self, molecules: Molecules, cutoff: float, output: str | None = "energy") -> None:
        names = () if output is None else TARGETS.get(output, ())
        if output is not None and output not in TARGETS:
            raise ValueError(f"output: got {output!r}, expected one of {', '.join(TARGETS)}, or None")
        if missing := [name for name in names if getattr(molecules, name) is None]:
            raise ValueError(f"molecules: got none of their {missing[0]}, expected them for output {output!r}")
        self.molecules, self.cutoff, self.output = molecules, cutoff, output
        positions = torch.from_numpy(molecules.positions)
        found = graphs.radius_graph(positions, cutoff, batch=graphs.batch_index(molecules.sizes.tolist())).numpy()
        self._pairs = ragged.Pairs(found, molecules.sizes)
        self._targets = {name: np.asarray(getattr(molecules, name), dtype=np.float32) for name in names}
        self._positions = molecules.positions.astype(np.float32)

    def __len__(self) -> int:
        return len(self.molecules)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, ...]:
        """numbers (N,), positions (N, 3), pairs (2, E), batch (N,), how many molecules, and the target: energies (n,) and forces
        (N, 3), dipoles (n, 3) or gaps (n,)."""
        indices = np.asarray(indices)
        sizes = self.molecules.sizes[indices]
        where = self.molecules.points(indices)
        pairs, _ = self._pairs.of(indices)
        batch = np.repeat(np.arange(len(indices)), sizes)
        targets = tuple(x[where if name == "forces" else indices] for name, x in self._targets.items())
        target = targets if len(targets) > 1 else targets[0] if targets else None
        return self.molecules.numbers[where], self._positions[where], pairs, batch, len(indices), target
