"""A trained network on molecules as a calculator of ASE's, for dynamics and relaxation; needs `pip install ase`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from eqlib import graphs
from eqlib.models import MoleculeNetwork


class NetworkCalculator(Calculator):
    """Energy, eV, and forces, eV / angstrom, of a molecule from a `MoleculeNetwork`, in float64.

    A network's energies are those that bind where it was trained on such (`data.Molecules.without_atoms`).

    Args:
        network: with output "energy"; a copy of it is kept.
        cutoff: of pairs, angstrom, as in training.
        atoms: eV by atomic number, added to the energy; None: nothing is.

    >>> from eqlib import models, training
    >>> from eqlib.calculator import NetworkCalculator
    >>> net = training.load("molecules.pt").network  # doctest: +SKIP
    >>> molecule.calc = NetworkCalculator(net, cutoff=5.0)  # doctest: +SKIP
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  # as in ASE's own

    def __init__(self, network: MoleculeNetwork, cutoff: float, atoms: Mapping[int, float] | None = None) -> None:
        super().__init__()
        if not isinstance(network, MoleculeNetwork) or network.output != "energy":
            came = getattr(network, "output", type(network).__name__)
            raise ValueError(f'network: got {came}, expected a MoleculeNetwork with output "energy"')
        self.network, self.cutoff = copy.deepcopy(network).double().eval(), cutoff
        self._atoms = {} if atoms is None else dict(atoms)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """ASE calls this. ValueError for periodic molecules and for elements that the network does not know."""
        super().calculate(atoms, properties, system_changes)
        molecule: Any = self.atoms
        if molecule.pbc.any():
            raise ValueError(f"atoms: got pbc {molecule.pbc.tolist()}, expected a molecule that repeats nowhere")
        positions = torch.tensor(molecule.positions, dtype=torch.float64)
        numbers = torch.tensor(molecule.numbers, dtype=torch.int64)
        pairs = graphs.radius_graph(positions, self.cutoff)
        energy, forces = self.network(numbers, positions, pairs, torch.zeros_like(numbers), 1)
        own = sum(self._atoms.get(int(n), 0.0) for n in molecule.numbers)
        self.results = {"energy": float(energy) + own, "forces": forces.numpy()}
