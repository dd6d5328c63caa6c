"""Edges: source above target, in order, inside bodies, the same as a loop over pairs finds."""

import pytest
import torch

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
        (lambda: graphs.knn_graph(POINTS, 1.5), "k: got 1.5, expected an integer >= 0"),
        (lambda: graphs.knn_graph(POINTS, -1), "k: got -1, expected an integer >= 0"),
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
