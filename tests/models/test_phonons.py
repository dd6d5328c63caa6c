"""PhononNet: the same crystal written differently gives the same spectrum, to rounding; what it says of elements and zeros."""

import numpy as np
import pytest
import torch

from eqlib import data, graphs, groups, models
from eqlib.tasks import crystals as task

RNG = np.random.default_rng(0)
ELEMENTS = (8, 22, 56)
# Barium titanate, sheared and with its atoms off their places, so that no symmetry is left: three elements, five atoms.
CELL = 4.0 * np.eye(3) + RNG.normal(scale=0.15, size=(3, 3))
PLACES = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
NUMBERS = [56, 22, 8, 8, 8]


def crystal(numbers=NUMBERS, cell=CELL, positions=None):
    x = PLACES @ CELL + RNG_SHIFT if positions is None else positions
    return data.as_crystals(numbers, x, [cell], [len(numbers)])


RNG_SHIFT = RNG.normal(scale=0.1, size=(5, 3))
O3 = groups.O3()
TURNS = O3.matrix(O3.sample(3, seed=1))
# Other bases of the same lattice: integer matrices of determinant 1 and -1.
BASES = [[[1, 1, 0], [0, 1, 0], [0, 2, 1]], [[0, 1, 0], [1, 0, 0], [1, 0, 1]]]
SAME = {
    **{f"turned {i}": crystal().moved(g) for i, g in enumerate(TURNS)},
    "a mirror image": crystal().moved(-np.eye(3)),
    "a larger cell": crystal().repeated([2, 1, 1]),
    "a much larger cell": crystal().repeated([2, 3, 2]),
    **{f"another cell {i}": crystal(cell=np.array(basis) @ CELL) for i, basis in enumerate(BASES)},
    "another order": crystal([*reversed(NUMBERS)], positions=crystal().positions[::-1]),
    "another origin": crystal(positions=np.add(crystal().positions, [0.3, -7.1, 2.2])),
    "atoms outside": crystal(
        positions=crystal().positions + np.array([[1, 0, 0], [0, -2, 0], [0, 0, 0], [3, 1, 1], [0, 0, 5]]) @ CELL
    ),
}


def network(model, seed=0, **sizes):
    if model == "committee":
        sizes = {"members": 2, "channels": 16} | sizes
    net = task.make(model, seed, elements=ELEMENTS, **sizes)
    with torch.no_grad():  # so that zeros are cut off at other places than by chance alone
        for one in getattr(net, "members", [net]):
            one.readout[-1].bias += 0.2
    return net.eval()


def spectra(net, crystals, dtype=torch.float32):
    numbers, pairs, vectors, *rest = task.prepare("l2", crystals)
    return net.to(dtype)(numbers, pairs, vectors.to(dtype), *rest)


@pytest.mark.parametrize("same", SAME)
@pytest.mark.parametrize("model", task.MODELS)
def test_the_same_crystal_written_differently(model, same):
    net = network(model)
    with torch.no_grad():
        plain, other = spectra(net, crystal()), spectra(net, SAME[same])
    assert plain.std() > 0.01  # it says something
    assert (plain - other).abs().max() < 1e-5


@pytest.mark.parametrize("model", task.MODELS)
def test_a_strained_crystal_and_other_elements_give_others(model):
    net = network(model)
    with torch.no_grad():
        plain = spectra(net, crystal())
        for other in (crystal().strained(np.diag([0.05, 0, 0])), crystal([22, 56, 8, 8, 8])):
            assert (plain - spectra(net, other)).abs().max() > 1e-4


def test_spectra_are_divided_by_their_maxima_and_a_batch_is_what_its_crystals_are():
    net = network("l1")
    many = data.as_crystals(
        [*NUMBERS, 56], np.vstack([crystal().positions, [[0, 0, 0]]]), [CELL, 2 * (1 - np.eye(3))], [5, 1]
    )
    with torch.no_grad():
        found = spectra(net, many, torch.float64)
        for i in range(2):
            assert torch.allclose(found[i], spectra(net, many[i], torch.float64)[0], atol=1e-12)
    assert found.shape == (2, 51) and found.min() >= 0 and found.amax(1).tolist() == [1, 1]
    assert spectra(net, many[:0]).shape == (0, 51)


def test_all_zero_is_said_and_no_nan():
    net = network("l0")
    with torch.no_grad():
        net.readout[-1].weight.zero_()
        net.readout[-1].bias.fill_(-1.0)
        with pytest.warns(UserWarning, match="crystal 0 came out zero at all frequencies"):
            assert spectra(net, crystal()).abs().max() == 0
    net.train()  # silent while it learns, and its gradient is finite
    spectra(net, crystal()).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_masses_enter_or_not():
    """With equal weights for all elements: heavy and light differ by their mass alone."""
    for weighted in (True, False):
        net = network("l0", weighted=weighted)
        with torch.no_grad():
            net.embedding.weight.copy_(net.embedding.weight[:, :1].expand_as(net.embedding.weight))
            differ = (spectra(net, crystal()) - spectra(net, crystal([22, 56, 8, 8, 8]))).abs().max()
        assert (differ > 1e-4) == weighted


def test_period_and_group_enter_or_not():
    """With no weights of the elements' own: of two of one mass and place nothing differs, and place alone tells others apart."""
    for placed in (True, False):
        net = network("l0", weighted=False, placed=placed)
        with torch.no_grad():
            net.embedding.weight[:, :3] = 0
            differ = (spectra(net, crystal()) - spectra(net, crystal([22, 56, 8, 8, 8]))).abs().max()
        assert (differ > 1e-4) == placed


def test_undivided_is_the_mean_over_atoms():
    """The same up to each crystal's scale, and still the same by a larger cell; zero is said here as well."""
    plain, mean = network("l1"), network("l1", divided=False)
    crystals = crystal()
    a, b, c = spectra(plain, crystals), spectra(mean, crystals), spectra(mean, crystals.repeated([1, 2, 1]))
    assert torch.allclose(a, b / b.amax(1, keepdim=True), atol=1e-6) and b.amax() < 0.9
    assert torch.allclose(b, c, atol=1e-6)
    with torch.no_grad():
        mean.readout[-1].weight.zero_()
        mean.readout[-1].bias.fill_(-1.0)
    with pytest.warns(UserWarning, match="came out zero"):
        assert spectra(mean, crystals).abs().max() == 0


def test_dropout_is_for_training_alone():
    net = network("l1")
    assert net.dropout.p == task.DROPOUT > 0
    once, again = spectra(net, crystal()), spectra(net, crystal())
    assert torch.equal(once, again)
    net.train()
    assert not torch.equal(spectra(net, crystal()), spectra(net, crystal()))


def test_an_element_never_trained_on_is_named():
    with pytest.raises(
        ValueError, match=r"numbers: got the elements \[26\], expected those of training, \[8, 22, 56\]"
    ):
        spectra(network("l1"), crystal([26, 22, 8, 8, 8]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"elements": []}, "elements: got "),
        ({"elements": [8, 8]}, "elements: got "),
        ({"frequencies": 0}, "frequencies: got 0"),
        ({"dropout": 1.0}, "dropout: got 1.0, expected 0 or more and below 1"),
        ({"elements": [200]}, "elements: got .*200"),
        ({"points": torch.nn.Identity()}, "without a rep 'rep_in'"),
    ],
)
def test_what_it_cannot_be_made_of(change, words):
    given = {"points": network("l0").points, "elements": [8]} | change
    with pytest.raises(ValueError, match=words):
        models.PhononNet(**given)


def test_ends_that_are_no_scalars():
    O3 = groups.O3()

    class Points(torch.nn.Module):
        rep_in, rep_out = O3.rep("4x0e"), O3.rep("2x0e+1o")

    with pytest.raises(ValueError, match=r"got rep_out .*expected scalars"):
        models.PhononNet(Points(), [8])


def test_of_is_differentiable_in_the_strain():
    """The slope of a frequency's density in a stretch, beside differences; float64."""
    net = network("l2").double()
    base = crystal()
    numbers, batch = torch.tensor(base.numbers), torch.zeros(5, dtype=torch.int64)
    x, cell = torch.tensor(base.positions), torch.tensor(base.cells[0])

    def density(s):
        stretch = torch.eye(3, dtype=torch.float64)
        stretch = stretch + s * torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=torch.float64)
        edges = graphs.neighbours(x @ stretch, task.CUTOFF, cell=cell @ stretch)
        return net.of(numbers, edges, batch, 1)[0, 10]

    s = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(density(s), s)
    step = 1e-5
    by_differences = (density(s + step) - density(s - step)) / (2 * step)
    assert abs(slope - by_differences) < 1e-6 * max(1, abs(slope))
