"""Groups are what they hold: two of one name and different content share no basis, no layer, no file of weights."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eqlib import graphs, groups, harmonics, kernels, nn, testing, training
from eqlib.kernels import grid_basis

CELL = """
import numpy as np
from eqlib import groups

class Mine(groups.Group):
    name, dim, components = "Mine", 0, 4

    def labels(self):
        return iter(["A", "B", "C", "D"])

    def parse(self, label):
        return label

    def matrices(self, label):
        return np.zeros((0, 1, 1)), np.reshape(CHARACTERS[label], (4, 1, 1))

    def vector_rep(self):
        return VECTOR

    @property
    def ambient(self):
        return groups.O2()
"""
FROM = "from functools import lru_cache\n"
FOUR = {"A": [1, 1, 1, 1], "B": [1, -1, 1, -1], "C": [1, 1, -1, -1], "D": [1, -1, -1, 1]}
OTHER = {"A": [1, 1, 1, 1], "B": [1, 1, -1, -1], "C": [1, -1, 1, -1], "D": [1, -1, -1, 1]}
ENDLESS = """
import numpy as np
from itertools import count
from eqlib import groups

class Turns(groups.Group):
    name, dim = "Turns", 1

    def labels(self):
        return (str(m) for m in count())

    def parse(self, label):
        return label

    def matrices(self, label):
        m = int(label)
        d = 2 if m else 1
        return m * SIGN * np.array([[[0.0, -1.0], [1.0, 0.0]]])[:, :d, :d], np.eye(d)[None]

    def product_multiplicities(self, a, b):
        m, n = int(a.label), int(b.label)
        if 0 in (m, n):
            return {str(m + n): 1}
        return {"0": 2, str(m + n): 1} if m == n else {str(abs(m - n)): 1, str(m + n): 1}

    def vector_rep(self):
        return "1"

    @property
    def ambient(self):
        return groups.O2()
"""


def run_cell(source, **names):
    """The class that a cell defines, in the module that a notebook runs in."""
    space = {"__name__": "__main__", **names}
    exec(source, space)
    return next(x for x in space.values() if isinstance(x, type) and issubclass(x, groups.Group))


def turn(n):
    return np.array([[np.cos(2 * np.pi / n), -np.sin(2 * np.pi / n)], [np.sin(2 * np.pi / n), np.cos(2 * np.pi / n)]])


def tilted(degrees):
    """A mirror whose line has this slope."""
    c, s = np.cos(np.deg2rad(2 * degrees)), np.sin(np.deg2rad(2 * degrees))
    return np.array([[c, s], [s, -c]])


def generated(n):
    """SO(2), given by its irreps 1 and n."""
    j = np.array([[0.0, -1], [1, 0]])
    return groups.from_generators([np.block([[j, np.zeros((2, 2))], [np.zeros((2, 2)), n * j]])], name="mine")[0].group


# Two groups of one name each: labels, dimensions and multiplicities agree, so that a cache of the first fits the second.
PAIRS = {
    "finite": (groups.Finite([tilted(0)], name="mine"), groups.Finite([tilted(30)], name="mine")),
    "finite, elements in another order": (
        groups.Finite([turn(5)], name="mine"),
        groups.Finite([turn(5) @ turn(5)], name="mine"),
    ),
    "class in a cell": (
        run_cell(CELL, CHARACTERS=FOUR, VECTOR="B+C")(),
        run_cell(CELL, CHARACTERS=OTHER, VECTOR="B+C")(),
    ),
    "endless class in a cell": (run_cell(ENDLESS, SIGN=1)(), run_cell(ENDLESS, SIGN=-1)()),
    "from generators": (generated(2), generated(3)),
    "products": tuple(groups.Product(groups.Finite([tilted(a)], name="mine"), groups.Symmetric(3)) for a in (0, 30)),
}
pairs = pytest.mark.parametrize(("one", "two"), PAIRS.values(), ids=PAIRS)
planar = pytest.mark.parametrize(("one", "two"), [p for k, p in PAIRS.items() if k != "from generators"])


def some(group):
    """A rep with the first few irreps."""
    return group.rep([(2, a) for a, _ in zip(group.irreps(), range(3), strict=False)])


@pairs
def test_one_name_and_another_content_are_two_groups(one, two):
    assert one.name == two.name
    assert one != two
    assert one.fingerprint != two.fingerprint
    assert one.trivial != two.trivial
    assert some(one) != some(two)
    assert len({one, two, copy.deepcopy(one), pickle.loads(pickle.dumps(two)) if picklable(two) else two}) == 2
    with pytest.raises(ValueError, match="another group called"):
        one.irrep(two.trivial)


ENV = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def picklable(group):
    return type(group).__module__ != "__main__"


@pairs
def test_layers_are_equivariant_under_their_own_group(one, two):
    """The second layer, made of what is cached, is as good as the first."""
    for group in (one, two):
        rep = some(group)
        testing.assert_equivariant(nn.TensorProduct(rep, rep, rep), [rep, rep], rep, tolerance=1e-11)
        testing.assert_equivariant(nn.NormActivation(rep), rep, rep, tolerance=1e-11)


@planar
def test_harmonics_and_kernels_are_their_own(one, two):
    for group in (one, two):
        rep = some(group)
        g = group.sample(4, seed=1)
        x = np.random.default_rng(0).normal(size=(4, 2))
        moved = np.einsum("nij,nj->ni", group.matrix(g), x)
        y, after = (harmonics.harmonics(group, torch.tensor(v @ group.coordinates.T), 3).numpy() for v in (x, moved))
        assert np.abs(np.einsum("nij,nj->ni", harmonics.rep(group, 3)(g), y) - after).max() < 1e-12
        kernel = kernels.SteerableKernel(rep, rep, 2).double()
        weights = torch.randn(kernel.basis_size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        k, turned = (kernel(torch.tensor(v @ group.coordinates.T), weights).numpy() for v in (x, moved))
        d = rep(g)
        assert np.abs(d @ k - turned @ d).max() < 1e-12
        layer = nn.PointConv(rep, rep, 2, kernels.Logarithmic(3, 1.0, 3.0), mu=1.0).double()
        edges, points = (
            graphs.complete_graph([4]),
            [torch.tensor(v @ group.coordinates.T) for v in (x, x @ group.matrix(g)[1].T)],
        )
        features = torch.randn(4, rep.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        out, after = layer(features, points[0], edges), layer(features @ torch.tensor(d[1].T), points[1], edges)
        assert (out @ torch.tensor(d[1].T) - after).abs().max() < 1e-12


def test_bases_of_grids_are_their_own():
    """A mirror along x and one along the diagonal: both map the pixels to themselves."""
    one, two = (groups.Finite([tilted(a)], name="mine") for a in (0, 45))
    for group in (one, two):
        rep = some(group)
        layer = nn.GridConv(rep, rep, 3)
        assert testing.grid_equivariance_error(layer, rep, rep) < 1e-12
    a, b = (grid_basis.sampled_basis(g.irrep("1b"), g.irrep("1a"), 3) for g in (one, two))
    assert np.abs(a - b).max() > 0.1


@pairs
def test_weights_of_one_are_refused_by_the_other(one, two, tmp_path):
    layer, other = (nn.Linear(some(group), some(group)) for group in (one, two))
    training.save_weights(layer, tmp_path / "one.pt")
    training.load_weights(layer, tmp_path / "one.pt")
    with pytest.raises(ValueError, match=one.fingerprint):
        training.load_weights(other, tmp_path / "one.pt")


@pairs
def test_the_same_made_again_is_equal(one, two):
    for group in (one, two):
        again = copy.deepcopy(group)
        assert again == group
        if picklable(group):
            again = pickle.loads(pickle.dumps(group))
            assert (again == group, hash(again), again.fingerprint) == (True, hash(group), group.fingerprint)
    first, second = (run_cell(CELL, CHARACTERS=dict(FOUR), VECTOR="B+C")() for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert groups.Finite([tilted(30)], name="mine") == PAIRS["finite"][1]
    assert generated(2) == PAIRS["from generators"][0]
    assert PAIRS["products"][0] == groups.Product(PAIRS["finite"][0], groups.Symmetric(3))


@pytest.mark.parametrize(
    "make",
    [
        groups.O3,
        groups.SO2,
        groups.E8,
        lambda: groups.Cyclic(8),
        lambda: groups.Lorentz(parity=True),
        lambda: groups.Octahedral(True),
        lambda: groups.SU(3),
        lambda: groups.Product(groups.O3(), groups.Symmetric(3)),
        lambda: groups.Finite([[1, 2, 0]]),
    ],
)
def test_the_families_are_known_by_their_names(make):
    """Equal and cheap to compare; nothing is added to what a checkpoint says of them."""
    one, two = make(), make()
    assert one == two
    assert hash(one) == hash(two)
    assert one.fingerprint == ""
    assert not one._irreps
    assert groups.Spin(3) == groups.SU(2) != groups.SO3()


def test_kinds_are_told_apart_whatever_they_are_called():
    assert groups.Finite([[1, 2, 0]], name="O3") != groups.O3()
    assert groups.Finite([[1, 2, 0]], name="Symmetric(3)") != groups.Symmetric(3)


@pytest.mark.parametrize("place", range(1, 4))
def test_any_irrep_of_a_finite_class_counts(place):
    """And so does the rule of a product, which no matrix shows."""
    label = "ABCD"[place]
    changed = FOUR | {label: [1, -1, -1, 1 + 1e-6]}
    assert run_cell(CELL, CHARACTERS=FOUR, VECTOR="B+C")() != run_cell(CELL, CHARACTERS=changed, VECTOR="B+C")()
    rounded = FOUR | {label: np.array(FOUR[label]) * (1 + 1e-15)}
    assert run_cell(CELL, CHARACTERS=FOUR, VECTOR="B+C")() == run_cell(CELL, CHARACTERS=rounded, VECTOR="B+C")()
    fixed = ENDLESS.replace('{"0": 2, str(m + n): 1} if', '{"0": 2, str(m + n): 2} if')
    assert run_cell(ENDLESS, SIGN=1)() != run_cell(fixed, SIGN=1)()
    assert run_cell(ENDLESS, SIGN=1)() == run_cell("\n\n# a remark\n" + ENDLESS, SIGN=1)()


def test_a_group_may_be_a_key_while_it_finds_out_what_it_holds():
    """A cell's class with a cache of its own, which compares groups, and with numpy's integers for its dimensions."""
    source = CELL.replace("    def matrices", "    @lru_cache\n    def matrices").replace(
        "import numpy", FROM + "import numpy"
    )
    source += "\n    def dimension_of(self, label):\n        return np.int64(1)\n"
    first, same = (run_cell(source, CHARACTERS=FOUR, VECTOR="B+C") for _ in range(2))
    assert first() == first() == same()
    assert first() != run_cell(source, CHARACTERS=OTHER, VECTOR="B+C")()


def test_irreps_that_are_not_written_yet_stand_in_no_ones_way():
    source = CELL.replace(
        "        return np.zeros",
        "        if label == 'D':\n            raise NotImplementedError\n        return np.zeros",
    )
    assert run_cell(source, CHARACTERS=FOUR, VECTOR="B+C")() == run_cell(source, CHARACTERS=FOUR, VECTOR="B+C")()


def test_irreps_found_in_another_order_are_not_taken_for_each_other():
    """Labels of `from_generators` are given as irreps are found."""
    one, two = generated(2), generated(2)
    first, second = (one.irrep("2a"), one.irrep("2b")), (two.irrep("2a"), two.irrep("2b"))
    assert first == second
    one.tensor_product(*first)
    two.tensor_product(second[1], second[1])
    new = [x for x in one._known if x in two._known and x not in ("1a", "2a", "2b")]
    assert new
    assert all(one.irrep(x) != two.irrep(x) for x in new)


def test_fingerprints_are_the_same_in_any_process():
    code = "import test_equality as t\nprint([g.fingerprint for p in t.PAIRS.values() for g in p])"
    here = Path(__file__).parent
    environment = ENV | {"PYTHONHASHSEED": "1"}  # this process has another one
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout == f"{[g.fingerprint for p in PAIRS.values() for g in p]}\n"


def test_a_class_derived_from_a_large_one_is_not_made_dense_to_be_compared():
    class Large(groups.Simple):
        """E8 by another name."""

    one, two = Large("E8"), Large("E8")
    assert one == two
    assert max(a.dim for a in one._irreps.values()) == 1
