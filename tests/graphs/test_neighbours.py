"""Edges: in order, inside bodies, the same as a loop over pairs finds, and in crystals the same as ASE finds."""

import time

import numpy as np
import pytest
import torch
from ase.neighborlist import primitive_neighbor_list

from eqlib import graphs


def pairs(allowed, n):
    """The edges (source, target) that a plain double loop finds, target first."""
    found = [(s, t) for t in range(n) for s in range(n) if allowed(s, t)]
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 2).T


@pytest.mark.parametrize("sizes", [[], [0], [1], [3], [2, 0, 1, 4], [1, 1, 1]])
@pytest.mark.parametrize("loops", [False, True])
def test_complete(sizes, loops):
    body = [b for b, size in enumerate(sizes) for _ in range(size)]
    expected = pairs(lambda s, t: body[s] == body[t] and (loops or s != t), len(body))
    found = graphs.complete_graph(sizes, loops=loops)
    assert found.dtype == torch.int64 and torch.equal(found, expected)
    assert torch.equal(graphs.complete_graph(torch.tensor(sizes, dtype=torch.int32), loops=loops), expected)


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("batched", [False, True])
def test_radius_and_nearest_are_what_a_loop_finds(loops, batched):
    generator = torch.Generator().manual_seed(0)
    positions = torch.randn(17, 3, generator=generator)
    positions[4] = positions[9]
    batch = torch.randint(3, (17,), generator=generator) if batched else torch.zeros(17, dtype=torch.int64)
    gap = torch.cdist(positions.double(), positions.double())

    def allowed(s, t):
        return bool(batch[s] == batch[t]) and (loops or s != t)

    found = graphs.radius_graph(positions, 1.2, batch if batched else None, loops)
    assert torch.equal(found, pairs(lambda s, t: allowed(s, t) and gap[s, t] <= 1.2, 17))
    for k in (0, 1, 3, 50):
        found = graphs.knn_graph(positions, k, batch if batched else None, loops)
        near = {
            t: sorted((s for s in range(17) if allowed(s, t)), key=lambda s: (float(gap[s, t]), s))[:k]
            for t in range(17)
        }
        assert found.dtype == torch.int64 and torch.equal(found, pairs(lambda s, t, near=near: s in near[t], 17))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["any", "lattice", "heap", "far"])
def test_ties_and_rounding_are_those_of_all_pairs_in_their_own_dtype(kind, dtype):
    """The k-d tree only proposes: at the cut-off, and of many at one distance, the squares of the given numbers decide."""
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = {"any": x, "lattice": (2 * x).round() * 0.3, "heap": 0.3 * (x > 1), "far": x + 5000}[kind].to(dtype)
    batch = torch.arange(60) % 2 * 7
    squares = (x[:, None] - x[None]).square().sum(-1)
    apart = (batch[:, None] != batch[None]) | torch.eye(60, dtype=torch.bool)
    cutoffs = [0.0, 0.3, 0.3 * 2**0.5, 0.6, *squares.flatten()[::199].double().sqrt().tolist()]
    for cutoff in cutoffs:
        target, source = ((squares <= cutoff**2) & ~apart).nonzero(as_tuple=True)
        assert torch.equal(graphs.radius_graph(x, cutoff, batch), torch.stack([source, target])), cutoff
    for k in (1, 2, 5, 29, 40):
        order = squares.masked_fill(apart, float("inf")).argsort(dim=1, stable=True)[:, :k]
        target, source = (torch.zeros_like(apart).scatter(1, order, True) & ~apart).nonzero(as_tuple=True)
        assert torch.equal(graphs.knn_graph(x, k, batch), torch.stack([source, target])), k


def test_ties_go_to_the_lower_index():
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert graphs.knn_graph(square, 1)[0].tolist() == [1, 0, 1, 0]


def test_far_from_the_origin_distances_are_as_good():
    positions = torch.tensor([[0.0], [1.0], [2.5]]) + 2.0**20
    assert graphs.radius_graph(positions, 1.2).tolist() == [[1, 0], [0, 1]]


def test_nothing_and_one_point():
    for find in (lambda x: graphs.radius_graph(x, 1.0), lambda x: graphs.knn_graph(x, 2)):
        assert find(torch.zeros(0, 3)).shape == (2, 0)
        assert find(torch.zeros(1, 3)).shape == (2, 0)
    assert graphs.radius_graph(torch.zeros(2, 3), 0.0).tolist() == [[1, 0], [0, 1]]


POINTS = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graphs.complete_graph([2, -1]), "sizes: got [2, -1], expected integers >= 0"),
        (lambda: graphs.complete_graph([1.5]), "sizes: got [1.5], expected integers >= 0"),
        (lambda: graphs.radius_graph(POINTS, -1.0), "cutoff: got -1.0, expected a length >= 0"),
        (lambda: graphs.radius_graph(POINTS, float("nan")), "cutoff: got nan, expected a length >= 0"),
        (lambda: graphs.knn_graph(POINTS, 1.5), "k: got 1.5, expected a whole number >= 0"),
        (lambda: graphs.knn_graph(POINTS, -1), "k: got -1, expected a whole number >= 0"),
        (
            lambda: graphs.radius_graph(torch.zeros(3), 1.0),
            "positions: got torch.float32 (3,), expected floating point (N, v)",
        ),
        (
            lambda: graphs.radius_graph(POINTS.long(), 1.0),
            "positions: got torch.int64 (3, 2), expected floating point (N, v)",
        ),
        (
            lambda: graphs.knn_graph(POINTS / 0, 1),
            "positions: got (3, 2) with NaN or infinite numbers, expected finite ones",
        ),
        (
            lambda: graphs.radius_graph(POINTS, 1.0, torch.zeros(2).long()),
            "batch: got torch.int64 (2,), expected integers of shape (3,)",
        ),
        (
            lambda: graphs.radius_graph(POINTS, 1.0, torch.zeros(3)),
            "batch: got torch.float32 (3,), expected integers of",
        ),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


# neighbours: open and periodic ----------------------------------------------------------------------------------------


def shifts_of(edges, x, cell, to=None):
    """(E, v): the image shifts that the vectors stand for; they must be whole numbers."""
    to = x if to is None else to
    moved = edges.vectors.double() - x.double()[edges.source] + to.double()[edges.target]
    shifts = moved @ torch.linalg.inv(cell.double())
    assert shifts.numel() == 0 or (shifts - shifts.round()).abs().max() < 1e-3
    return shifts.round().long()


def rows(edges, shifts):
    return [tuple(row) for row in torch.cat([edges.target[:, None], edges.source[:, None], shifts], 1).tolist()]


KINDS = ["any", "skewed", "left-handed", "thin", "large", "atoms outside", "far", "far in float32"]


def crystal(random, kind):
    """A cell, points, pbc and a cut-off; ASE takes minutes where a cell repeats very often, so those are drawn again."""
    while True:
        cell = random.normal(size=(3, 3)) * (8 if kind == "large" else 3)
        if kind == "skewed":
            cell[1] = 3 * cell[0] + 0.4 * random.normal(size=3)
        if kind == "left-handed" and np.linalg.det(cell) > 0:
            cell[0] *= -1
        if kind == "thin":
            cell[random.integers(3)] *= 0.15
        cutoff = random.uniform(0.5, 5)
        repeats = 1 + 2 * cutoff * np.linalg.norm(np.linalg.inv(cell), axis=0)
        if repeats.prod() < 300:
            break
    pbc = random.random(3) < 0.6 if random.random() < 0.5 else np.ones(3, dtype=bool)
    x = random.normal(size=(random.integers(1, 12), 3)) * (8 if kind == "atoms outside" else 2)
    dtype = torch.float32 if kind == "far in float32" else torch.float64
    x = torch.tensor(x + 5000 * kind.startswith("far"), dtype=dtype)
    return x, torch.tensor(cell, dtype=dtype), torch.tensor(pbc), cutoff


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_as_ase(kind):
    """25 random cells of each kind: the same (source, target, shift), but for distances within rounding of the cut-off."""
    random = np.random.default_rng(KINDS.index(kind))
    found_any = 0
    for trial in range(25):
        x, cell, pbc, cutoff = crystal(random, kind)
        loops = bool(trial % 2)
        edges = graphs.neighbours(x, cutoff, cell, pbc, loops=loops)
        assert edges.vectors.dtype == x.dtype and edges.targets == len(x)
        wide = 1e-5 if x.dtype == torch.float32 else 1e-10
        target, source, shift, length = primitive_neighbor_list(
            "ijSd", pbc.numpy(), cell.double().numpy(), x.double().numpy(), cutoff + wide, self_interaction=loops
        )
        theirs = {
            (int(i), int(j), *map(int, s)): float(d) for i, j, s, d in zip(target, source, shift, length, strict=True)
        }
        shifts = shifts_of(edges, x, cell)
        ours = rows(edges, shifts)
        assert ours == sorted(set(ours))  # in order, none twice
        assert set(ours) <= theirs.keys()
        assert {row for row, d in theirs.items() if d < cutoff - wide} <= set(ours)
        exact = x.double()[edges.source] + shifts.double() @ cell.double() - x.double()[edges.target]
        # As exact as the positions allow: rounded once.
        limit = 1e-6 if x.dtype == torch.float32 else 1e-11
        assert len(edges) == 0 or (edges.vectors - exact).abs().max() < limit
        found_any += len(edges)
    assert found_any > 100


def test_open_space_is_the_radius_graph():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    batch = torch.arange(50) % 3
    for loops in (False, True):
        for cell, pbc in ((None, None), (None, False), (torch.eye(3), False), (torch.zeros(3, 3), [False] * 3)):
            edges = graphs.neighbours(x, 1.0, cell, pbc, batch, loops)
            expected = graphs.radius_graph(x, 1.0, batch, loops)
            assert torch.equal(torch.stack([edges.source, edges.target]), expected)
            assert torch.equal(edges.vectors, x[expected[0]] - x[expected[1]])


def batched(dtype=torch.float64):
    """Three crystals, points in mixed order, one of them repeating along two vectors only."""
    generator = torch.Generator().manual_seed(1)
    cells = 2 * torch.eye(3, dtype=dtype) + 0.4 * torch.randn(3, 3, 3, generator=generator, dtype=dtype)
    pbc = torch.tensor([[True, True, True], [True, False, True], [True, True, True]])
    x = 3 * torch.rand(14, 3, generator=generator, dtype=dtype)
    return x, cells, pbc, torch.arange(14) % 3


def test_crystals_in_a_batch_are_what_each_is_alone():
    x, cells, pbc, batch = batched()
    together = graphs.neighbours(x, 2.2, cells, pbc, batch)
    count = 0
    for body in range(3):
        where = (batch == body).nonzero()[:, 0]
        alone = graphs.neighbours(x[where], 2.2, cells[body], pbc[body])
        mine = batch[together.target] == body
        assert torch.equal(together.source[mine], where[alone.source])
        assert torch.equal(together.target[mine], where[alone.target])
        assert (together.vectors[mine] - alone.vectors).abs().max() < 1e-14
        count += len(alone)
    assert count == len(together) > 300


def test_two_sets_of_points():
    """Atoms to residues: what one set of all points would find between the two."""
    x, cells, pbc, batch = batched()
    for cell, repeats in ((cells, pbc), (None, None)):
        both = graphs.neighbours(x, 2.2, cell, repeats, batch, loops=True)
        kept = (both.source < 9) & (both.target >= 5)
        edges = graphs.neighbours(x[:9], 2.2, cell, repeats, batch[:9], to=x[5:], to_batch=batch[5:])
        assert edges.targets == 9 and len(edges) > 20
        assert torch.equal(edges.source, both.source[kept]) and torch.equal(edges.target, both.target[kept] - 5)
        assert (edges.vectors - both.vectors[kept]).abs().max() < 1e-14


def test_a_cell_written_otherwise_is_the_same_crystal():
    """A cell sheared by thousands of its vectors has the same neighbours. As it stands it repeats into 10^9 images near by."""
    x = 4 * torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cell = 4 * torch.eye(3, dtype=torch.float64) + 0.125
    change = torch.tensor([[1.0, 0, 0], [30_000, 1, 0], [-20_000, 9_000, 1]], dtype=torch.float64)
    a, b = (graphs.neighbours(x, 3.0, c) for c in (cell, change @ cell))
    assert len(a) == len(b) > 500
    lengths = [torch.stack([e.target.double(), e.source.double(), e.vectors.norm(dim=1)]).T for e in (a, b)]
    ours, theirs = (np.array(sorted(rows.tolist())) for rows in lengths)
    assert np.abs(ours - theirs).max() < 1e-9


def test_a_crystal_smaller_than_the_cutoff():
    """Face-centred cubic, one atom a cell: 12, 6, 24, 12 neighbours in its shells."""
    cell = torch.tensor([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    squares = graphs.neighbours(torch.zeros(1, 3), 8.05**0.5, cell).vectors.square().sum(1)
    assert squares.round().int().unique(return_counts=True)[1].tolist() == [12, 6, 24, 12]
    assert len(graphs.neighbours(torch.zeros(1, 3), 1.0, cell, loops=True)) == 1


def test_a_vector_has_gradients_of_position_and_cell():
    x, cells, pbc, batch = batched()
    x, cells = x.requires_grad_(), cells.requires_grad_()

    def lengths(x, cells):
        return graphs.neighbours(x, 1.2, cells, pbc, batch).vectors.square()

    assert len(lengths(x, cells)) and torch.autograd.gradcheck(lengths, (x, cells))
    (slope,) = torch.autograd.grad(lengths(x, cells).sum(), cells)
    assert slope[1, 1].abs().max() == 0 and slope[0, 1].abs().max() > 0  # an open vector does not matter


def test_space_of_other_dimensions():
    for v in (1, 2, 4):
        edges = graphs.neighbours(torch.zeros(1, v), 1.0, torch.eye(v))
        assert len(edges) == 2 * v and (edges.vectors.norm(dim=1) == 1).all()


def test_limits_are_finite():
    cell = torch.eye(3)
    assert len(graphs.neighbours(torch.zeros(0, 3), 1.0, cell)) == 0
    assert len(graphs.neighbours(torch.zeros(0, 3), 1.0, to=torch.zeros(2, 3))) == 0
    assert graphs.neighbours(torch.zeros(2, 3), 1.0, cell, to=torch.zeros(0, 3)).targets == 0
    assert len(graphs.neighbours(torch.zeros(1, 3), 0.5)) == 0
    heap = graphs.neighbours(torch.full((40, 3), 0.3), 0.0, cell)
    assert len(heap) == 40 * 39 and (heap.vectors == 0).all()
    assert len(graphs.neighbours(torch.rand(5, 3), float("inf"))) == 20
    thin = torch.diag(torch.tensor([1e-3, 10.0, 10.0]))
    assert len(graphs.neighbours(torch.zeros(1, 3), 1.0005, thin)) == 2000


def test_time_grows_with_the_number_of_points():
    """64,000 points have 64 times the edges of 1,000; all pairs would be 4,096 times as many, and take minutes."""
    start = time.process_time()
    for periodic in (False, True):
        x = torch.rand(64_000, 3, generator=torch.Generator().manual_seed(0)) * 40
        edges = graphs.neighbours(x, 2.0, 40 * torch.eye(3) if periodic else None)
        assert 25 < len(edges) / len(x) < 35
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"cutoff": -1.0}, "cutoff: got -1.0, expected a length >= 0"),
        ({"cutoff": float("nan")}, "cutoff: got nan, expected a length >= 0"),
        (
            {"cutoff": float("inf"), "cell": torch.eye(2)},
            "cutoff: got inf, expected a finite length where points repeat",
        ),
        ({"cutoff": 1e30, "cell": torch.eye(2)}, "cutoff: got 1e+30, expected a finite length where points repeat"),
        (
            {"cutoff": 1e6, "cell": torch.eye(2)},
            "cutoff: got one that reaches 6e+12 images of points, expected at most",
        ),
        ({"positions": POINTS.long()}, "positions: got torch.int64 (3, 2), expected floating point (N, v)"),
        ({"positions": POINTS[0]}, "positions: got torch.float32 (2,), expected floating point (N, v)"),
        ({"positions": POINTS / 0}, "positions: got (3, 2) with NaN or infinite numbers, expected finite ones"),
        ({"positions": POINTS.double() + 1e200}, "positions: got numbers up to 1e+200, expected at most 1e150"),
        (
            {"positions": POINTS + 1e30, "cell": torch.eye(2)},
            "positions: got a point 1e+30 cells away, expected at most",
        ),
        ({"cell": torch.zeros(2, 2)}, "cell: got [[0.0, 0.0], [0.0, 0.0]], expected independent lattice vectors"),
        ({"cell": torch.ones(2, 2)}, "cell: got [[1.0, 1.0], [1.0, 1.0]], expected independent lattice vectors"),
        ({"cell": torch.eye(2) / 0}, "cell: got (2, 2) with NaN or infinite numbers, expected finite ones"),
        ({"cell": torch.eye(3)}, "cell: got torch.float32 (3, 3), expected floating point (2, 2) or (1, 2, 2)"),
        ({"cell": torch.eye(2).long()}, "cell: got torch.int64 (2, 2), expected floating point (2, 2) or (1, 2, 2)"),
        ({"cell": torch.zeros(4, 2, 2)}, "batch: got None with 4 cells, expected the body of each point"),
        ({"pbc": True}, "cell: got None with pbc True, expected lattice vectors (2, 2)"),
        ({"cell": torch.eye(2), "pbc": [True]}, "pbc: got torch.bool (1,), expected torch.bool (2,) or (1, 2)"),
        ({"cell": torch.eye(2), "pbc": [1, 0]}, "pbc: got torch.int64 (2,), expected torch.bool (2,) or (1, 2)"),
        ({"batch": torch.zeros(2).long()}, "batch: got torch.int64 (2,), expected integers of shape (3,)"),
        (
            {"batch": torch.tensor([0, 1, 2]), "cell": torch.eye(2).expand(2, 2, 2)},
            "batch: got 0 ... 2, expected 0 ... 1",
        ),
        ({"to": POINTS.double()}, "to: got torch.float64 (3, 2), expected torch.float32 (M, 2), as positions"),
        ({"to": POINTS[:, :1]}, "to: got torch.float32 (3, 1), expected torch.float32 (M, 2), as positions"),
        (
            {"to": POINTS, "batch": torch.zeros(3).long()},
            "to_batch: got None with batch, expected the body of each point",
        ),
        ({"to": POINTS, "to_batch": torch.zeros(3).long()}, "batch: got None with to_batch, expected the body of each"),
    ],
)
def test_wrong_crystals_are_refused(how, message):
    with pytest.raises(ValueError) as caught:
        graphs.neighbours(**({"positions": POINTS, "cutoff": 1.0} | how))
    assert str(caught.value).startswith(message)
