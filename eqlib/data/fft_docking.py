"""Rigid docking on a grid: every shift of one molecule against another at once, by Fourier transforms.

E. Katchalski-Katzir et al., Proc. Natl. Acad. Sci. 89, 2195 (1992): one molecule is a core and a layer around it, the other one
its atoms; their correlations count the atoms in the core (clashes) and in the layer (contacts) for every shift of the grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from eqlib import doors

from .arrays import Array
from .surface import Surface

STEP = 1.8  # angstrom, of the grid
CORE, LAYER = 2.4, 5.2  # angstrom from an atom's centre: nearer is core, nearer than the second is layer


class DockingGrid:
    """A receptor on a grid that has room for a ligand all around it.

    >>> import numpy as np
    >>> atoms = np.arange(12.0).reshape(4, 3)
    >>> one = Surface.of(atoms, np.full(4, 6))
    >>> grid = DockingGrid(one, one)
    >>> shifts, clashes, contacts = grid.scan(np.eye(3), np.zeros(3))
    >>> float(clashes[np.linalg.norm(shifts, axis=1).argmin()])  # in its own place each atom is in the core
    4.0
    """

    def __init__(self, receptor: Surface, ligand: Surface) -> None:
        self._ligand = ligand
        self._centre = ligand.positions.mean(0)
        reach = np.linalg.norm(ligand.positions - self._centre, axis=1).max()
        self._low = receptor.positions.min(0) - LAYER - STEP
        high = receptor.positions.max(0) + LAYER + STEP
        size = np.ceil((high - self._low + 2 * reach + 4 * STEP) / STEP).astype(int)
        self.shape = tuple(fft.next_fast_len(int(n), real=True) for n in size)
        doors.affordable(f"a docking grid of {self.shape}", 12 * int(np.prod(self.shape)))
        inside = np.ceil((high - self._low) / STEP).astype(int)
        cells = np.stack(np.meshgrid(*map(np.arange, inside), indexing="ij"), -1).reshape(-1, 3)
        distances, _ = receptor.tree.query(self._low + cells * STEP, distance_upper_bound=LAYER)
        self._core = self._transformed(cells[distances < CORE])
        self._layer = self._transformed(cells[(distances >= CORE) & (distances < LAYER)])
        # The grid is periodic: of the shifts that are one to it, that which leaves the ligand inside.
        first = np.ceil((self._low - self._centre - reach) / STEP).astype(int)
        steps = np.stack(np.meshgrid(*map(np.arange, self.shape), indexing="ij"), -1).reshape(-1, 3)
        self._steps = (steps - first) % np.array(self.shape) + first

    def _transformed(self, cells: NDArray[np.int64]) -> NDArray[np.complex64]:
        counts = np.zeros(self.shape, dtype=np.float32)
        np.add.at(counts, tuple((cells % np.array(self.shape)).T), 1.0)
        found: NDArray[np.complex64] = fft.rfftn(counts)
        return found

    def scan(self, rotation: Array, offset: Array) -> tuple[Array, Array, Array]:
        """Of every shift of the grid: the shift (n, 3) of the ligand's centre, angstrom, with `offset` (3,) in it, which is best
        below a step; clashes (n,), atoms in the core, and contacts (n,), surface atoms in the layer. The ligand's atoms are at
        (x - centre) @ rotation.T + centre + shift; see `motion`."""
        turned = (self._ligand.positions - self._centre) @ rotation.T + self._centre + offset
        cells = np.round((turned - self._low) / STEP).astype(int)
        everything = np.conj(self._transformed(cells))
        surface = np.conj(self._transformed(cells[self._ligand.exposed]))
        clashes = fft.irfftn(self._core * everything, s=self.shape).ravel()
        contacts = fft.irfftn(self._layer * surface, s=self.shape).ravel()
        return self._steps * STEP + offset, np.round(clashes).astype(float), np.round(contacts).astype(float)

    def motion(self, rotation: Array, shift: Array) -> Array:
        """The shift of the origin, (3,): x @ rotation.T + it is where the ligand's atoms are that a `scan` calls `shift`."""
        moved: Array = self._centre - self._centre @ rotation.T + shift
        return moved
