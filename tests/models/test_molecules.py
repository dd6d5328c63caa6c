"""Networks on molecules: what must follow from the symmetry of space, and from a sum over atoms."""

import re

import numpy as np
import pytest
import torch

from eqlib import data, graphs, groups, kernels, models
from eqlib.tasks import molecules as task

O3 = groups.O3()
EVERY = pytest.mark.parametrize("model", task.MODELS)
DTYPES = pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])


def network(model, output="energy", dtype=torch.float64):
    torch.manual_seed(0)
    net = task.make(model, 0, [1, 6, 8], output).to(dtype)
    for name, p in net.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(p, std=0.3)
    net.scale.fill_(2.0)
    net.shift.copy_(torch.tensor([-1.0, 2.0, 3.0]))
    return net.eval()


def molecules(dtype=torch.float64, seed=0):
    """Two molecules of six and of three atoms, not farther than 5 angstrom apart inside each."""
    rng = np.random.default_rng(seed)
    numbers = torch.tensor([6, 8, 1, 1, 6, 1, 8, 1, 1])
    batch = torch.tensor([0] * 6 + [1] * 3)
    positions = torch.tensor(rng.uniform(-1.6, 1.6, size=(9, 3)))
    return numbers, positions.to(dtype), graphs.radius_graph(positions, 5.0, batch), batch, 2


def off(a, b):
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).abs().max() / b.abs().max())


@EVERY
@DTYPES
def test_forces_and_dipoles_turn_with_the_molecule(model, dtype, limit):
    numbers, x, pairs, batch, n = molecules(dtype)
    for g in (O3.sample(1, seed=1), O3.element(np.zeros(3), 1)):  # a turn or its mirror image, and the inversion
        R = torch.tensor(O3.matrix(g)[0], dtype=dtype)
        net = network(model, dtype=dtype)
        energy, forces = net(numbers, x, pairs, batch, n)
        moved, turned = net(numbers, x @ R.T + 3.0, pairs, batch, n)
        assert off(moved, energy) < limit and off(turned, forces @ R.T) < limit
        net = network(model, "dipole", dtype)
        dipoles = net(numbers, x, pairs, batch, n)
        assert dipoles.norm(dim=1).min() > 0.1
        assert off(net(numbers, x @ R.T + 3.0, pairs, batch, n), dipoles @ R.T) < limit
        net = network(model, "gap", dtype)
        assert off(net(numbers, x @ R.T, pairs, batch, n), net(numbers, x, pairs, batch, n)) < limit


@EVERY
@DTYPES
def test_no_force_and_no_torque_on_the_whole(model, dtype, limit):
    numbers, x, pairs, batch, n = molecules(dtype)
    _, forces = network(model, dtype=dtype)(numbers, x, pairs, batch, n)
    for i in range(n):
        f, r = forces[batch == i].double(), x[batch == i].double()
        r = r - r.mean(0)
        assert f.sum(0).abs().max() < limit * f.abs().max()
        assert torch.linalg.cross(r, f).sum(0).abs().max() < limit * f.abs().max() * r.norm(dim=1).max()


@EVERY
def test_forces_are_minus_the_slope_of_the_energy(model):
    numbers, x, pairs, batch, n = molecules()
    net = network(model)
    _, forces = net(numbers, x, pairs, batch, n)
    step = torch.tensor(np.random.default_rng(3).normal(size=x.shape)) * 1e-5
    ahead, behind = (net(numbers, x + s * step, pairs, batch, n)[0] for s in (1, -1))
    work = -torch.zeros(n).double().index_add(0, batch, (forces * step).sum(1))
    scale = forces.norm() * step.norm()
    assert float(((ahead - behind) / 2 - work).detach().abs().max() / scale) < 1e-7


@EVERY
def test_molecules_far_apart_add_up(model):
    """100 angstrom apart in one molecule they are what they are alone; so are two in a batch."""
    numbers, x, pairs, batch, n = molecules()
    net = network(model)
    both, _ = net(numbers, x, pairs, batch, n)
    far = x + 100.0 * batch[:, None]
    together, _ = net(numbers, far, graphs.radius_graph(far, 5.0), torch.zeros_like(batch), 1)
    assert off(together, both.sum()) < 1e-12
    one, _ = net(numbers[6:], x[6:], graphs.radius_graph(x[6:], 5.0), batch[6:] - 1, 1)
    assert off(one[0], both[1]) < 1e-12


@EVERY
def test_names_of_atoms_do_not_matter_and_elements_do(model):
    numbers, x, pairs, batch, n = molecules()
    net = network(model)
    energy, forces = net(numbers, x, pairs, batch, n)
    order = torch.tensor([3, 1, 0, 5, 4, 2, 8, 7, 6])
    other, moved = net(numbers[order], x[order], graphs.radius_graph(x[order], 5.0, batch), batch, n)
    assert off(other, energy) < 1e-12 and off(moved, forces[order]) < 1e-11
    swapped = numbers.clone()
    swapped[0] = 8
    assert off(net(swapped, x, pairs, batch, n)[0][:1], energy[:1]) > 1e-4


def test_angles_tell_apart_what_distances_cannot():
    """Four points at the corners of two shapes with the same six distances, seen from the first alone: layers of one."""
    bent = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]).double()
    straight = torch.tensor([[0.0, 0, 0], [1, 0, 0], [-1, 0, 0]]).double()
    pairs, scalars = torch.tensor([[1, 2], [0, 0]]), O3.rep("6x0e")

    def seen(degree):
        torch.manual_seed(0)
        net = models.AngularNetwork(scalars, degree, 1, lambda: kernels.Gaussians(4, 3.0)).double()
        edges = (graphs.Edges.between(x, pairs) for x in (bent, straight))
        a, b = (net(torch.ones(3, 6).double(), e)[0] for e in edges)
        return float((a - b).detach().abs().max())

    assert seen(0) < 1e-14 < 1e-3 < seen(1)


def test_one_atom_and_no_molecule():
    net = network("l1")
    none = torch.zeros(0, dtype=torch.int64)
    energy, forces = net(
        torch.tensor([8]), torch.zeros(1, 3).double(), none.expand(2, 0), torch.zeros(1, dtype=torch.int64), 1
    )
    assert energy.isfinite().all() and forces.tolist() == [[0.0, 0.0, 0.0]]
    energy, forces = net(none, torch.zeros(0, 3).double(), none.expand(2, 0), none, 0)
    assert energy.shape == (0,) and forces.shape == (0, 3)


def test_scale_is_of_the_training_molecules():
    numbers, x, *_ = molecules()
    shift = np.array([-1.0, -5.0, -3.0])
    energies = [shift[[1, 2, 0, 0, 1, 0]].sum(), shift[[2, 0, 0]].sum()]
    forces = np.random.default_rng(0).normal(size=(9, 3))
    known = data.as_molecules(numbers.numpy(), x.numpy(), [6, 3], energies=energies, forces=forces, gaps=[3.0, 5.0])
    net = task.make("l1", 0, [1, 6, 8])
    net.fit_scale(known)
    assert float(net.scale) == pytest.approx(np.sqrt((forces**2).mean()))
    of = np.array([[3, 2, 1], [2, 0, 1]]) @ net.shift.double().numpy()
    assert of == pytest.approx(energies, rel=1e-6)
    gap = task.make("l1", 0, [1, 6, 8], "gap")
    gap.fit_scale(known)
    assert gap.shift.tolist() == [4.0] * 3 and float(gap.scale) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda n, a: n(torch.tensor([9] * 9), *a[1:]),
            "numbers: got the elements [9], expected those of training, [1, 6",
        ),
        (lambda n, a: n(-a[0], *a[1:]), "numbers: got the elements [-8, -6, -1], expected those"),
        (lambda n, a: n(*a[:4], 1), "batch: got 0 ... 1, expected 0 ... 0"),
        (lambda n, a: n(a[0], a[1] * np.nan, *a[2:]), "positions: got (9, 3) with NaN"),
        (lambda n, a: models.MoleculeNetwork(n.points, [1], "charge"), "output: got 'charge', expected one of energy"),
        (
            lambda n, a: models.MoleculeNetwork(
                models.TensorFieldNetwork(O3.rep("0e"), O3.rep("1o"), [], 1, lambda: kernels.Bessel(2, 3.0)), [1]
            ),
            "points: got rep_out 1x1o, expected scalars for output 'energy'",
        ),
        (
            lambda n, a: models.MoleculeNetwork(torch.nn.Linear(1, 1), [1]),
            "points: got a Linear without a rep 'rep_in'",
        ),
        (
            lambda n, a: models.MoleculeNetwork(n.points, [1, 1]),
            "elements: got [1, 1], expected atomic numbers, each once",
        ),
        (
            lambda n, a: n.fit_scale(data.as_molecules([1], [[0, 0, 0]], [1])),
            "molecules: got none of their energies, expected them for output 'energy'",
        ),
        (lambda n, a: models.AngularNetwork(O3.rep("1o"), 1, 1, lambda: None), "rep: got O3: 1x1o, expected scalars"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(network("l1"), molecules())
