"""A network as a calculator of ASE's: its energies and forces, and dynamics that keep their energy."""

import re

import numpy as np
import pytest
import torch

from eqlib import data
from eqlib.tasks import molecules as task

ase = pytest.importorskip("ase", reason="ASE is not installed: there is no calculator to be")
from eqlib.calculator import NetworkCalculator  # noqa: E402


def network(output="energy"):
    net = task.make("l1", 0, [1, 6, 8], output)
    net.scale.fill_(0.5)
    return net


def water():
    return ase.Atoms("OH2", [[0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]])


def test_it_gives_what_the_network_gives():
    net, molecule = network(), water()
    molecule.calc = NetworkCalculator(net, cutoff=5.0, atoms={1: -13.6, 8: -2000.0})
    numbers, x, pairs, batch, n, _ = data.MoleculeGraphs(
        data.as_molecules(molecule.numbers, molecule.positions, [3]), 5.0, None
    ).batch(np.arange(1))
    arrays = (torch.as_tensor(a) for a in (numbers, x, pairs, batch))
    energy, forces = net.eval()(*arrays, n)
    assert molecule.get_potential_energy() == pytest.approx(float(energy) - 2027.2, abs=1e-4)
    assert np.abs(molecule.get_forces() - forces.numpy()).max() < 1e-5 < np.abs(molecule.get_forces()).max()
    # The slope of its own energy, by ASE's differences.
    molecule.rattle(0.05, seed=1)
    found, step = molecule.get_forces()[1, 0], 1e-4
    ends = []
    for sign in (1, -1):
        moved = molecule.copy()
        moved.calc = molecule.calc
        moved.positions[1, 0] += sign * step
        ends.append(moved.get_potential_energy())
    assert -(ends[0] - ends[1]) / (2 * step) == pytest.approx(found, abs=1e-6)


def test_dynamics_keep_their_energy():
    """What it changes in 20 fs falls with the square of the step: it is the integrator's, and forces are a gradient."""
    from ase import units
    from ase.md.verlet import VelocityVerlet

    def spread(step):
        molecule = water()
        net = network()
        net.scale.fill_(0.02)  # a network that has learnt nothing binds nothing; atoms are not to meet
        molecule.calc = NetworkCalculator(net, cutoff=5.0)
        speeds = np.random.default_rng(0).normal(size=(3, 3)) * (0.026 / molecule.get_masses()[:, None]) ** 0.5
        molecule.set_velocities(speeds)  # of 300 K
        dynamics, seen = VelocityVerlet(molecule, step * units.fs), []
        for _ in range(round(20 / step)):
            dynamics.run(1)
            seen.append(molecule.get_total_energy())
        return np.ptp(seen)

    assert spread(0.25) < 0.4 * spread(0.5) < 4e-4


def test_what_it_refuses():
    with pytest.raises(
        ValueError, match=re.escape('network: got dipole, expected a MoleculeNetwork with output "energy"')
    ):
        NetworkCalculator(network("dipole"), 5.0)
    molecule = water()
    molecule.calc = NetworkCalculator(network(), 5.0)
    molecule.set_cell([9, 9, 9])
    molecule.pbc = True
    with pytest.raises(ValueError, match="atoms: got pbc"):
        molecule.get_potential_energy()
    other = ase.Atoms("HF", [[0, 0, 0], [0, 0, 0.9]])
    other.calc = NetworkCalculator(network(), 5.0)
    with pytest.raises(ValueError, match=r"numbers: got the elements \[9\]"):
        other.get_potential_energy()
