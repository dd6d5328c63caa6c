"""Crystals as networks take them: elements and the vectors to their neighbours, every periodic image counted, found once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eqlib import graphs
from eqlib.data import ragged
from eqlib.data.crystals import Crystals

NEAREST = 0.3  # angstrom: half of the shortest bond there is


class CrystalGraphs:
    """A data set for `training.fit`: (numbers, pairs, vectors, batch, crystals, spectra) of crystals by index.

    crystals: those of the set. cutoff: of neighbours, angstrom. Vectors and spectra are float32; where the crystals have no
    spectra, None stands for them. ValueError for two atoms in one place, naming the crystal.

    >>> from eqlib import data
    >>> cube = data.as_crystals([29], [[0, 0, 0]], [2.0 * np.eye(3)], [1])
    >>> numbers, pairs, vectors, batch, crystals, _ = data.CrystalGraphs(cube, cutoff=2.1).batch(np.array([0, 0]))
    >>> numbers.tolist(), pairs.shape, pairs[0].tolist() == pairs[1].tolist(), crystals  # an atom's neighbours are its own images
    ([29, 29], (2, 12), True, 2)
    """

    def __init__(self, crystals: Crystals, cutoff: float) -> None:
        self.crystals, self.cutoff = crystals, cutoff
        batch = graphs.batch_index(crystals.sizes.tolist())
        positions, cells = torch.from_numpy(crystals.positions), torch.from_numpy(crystals.cells)
        found = graphs.neighbours(positions, cutoff, cell=cells, batch=batch)
        near = found.vectors.square().sum(1) < NEAREST**2
        if near.any():
            i = int(batch[found.target[near][0]])
            length = float(found.vectors[near][0].norm())
            got = f"two atoms {length:.2g} angstrom apart in crystal {i}, {crystals.names[i]}"
            raise ValueError(f"crystals: got {got}, expected {NEAREST} or more")
        self._pairs = ragged.Pairs(torch.stack([found.source, found.target]).numpy(), crystals.sizes)
        self._vectors = found.vectors.numpy().astype(np.float32)
        self._spectra = None if crystals.spectra is None else crystals.spectra.astype(np.float32)

    def __len__(self) -> int:
        return len(self.crystals)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, ...]:
        """numbers (N,), pairs (2, E), source above target, vectors (E, 3) from target to source, batch (N,), how many crystals,
        spectra (n, F)."""
        indices = np.asarray(indices)
        sizes = self.crystals.sizes[indices]
        pairs, which = self._pairs.of(indices)
        numbers = self.crystals.numbers[ragged.rows(self.crystals.sizes, indices)]
        batch = np.repeat(np.arange(len(indices)), sizes)
        target = None if self._spectra is None else self._spectra[indices]
        return numbers, pairs, self._vectors[which], batch, len(indices), target
