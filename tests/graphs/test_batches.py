"""Several graphs as one: what a search over the batch finds, and what each graph gives alone."""

import pytest
import torch

from eqlib import graphs


def test_batch_index():
    assert graphs.batch_index([2, 0, 3]).tolist() == [0, 0, 2, 2, 2]
    assert graphs.batch_index(torch.tensor([1, 1], dtype=torch.int32)).dtype == torch.int64
    assert graphs.batch_index([]).shape == (0,)
    with pytest.raises(ValueError, match=r"sizes: got \[1, -1\], expected integers >= 0"):
        graphs.batch_index([1, -1])


def test_joined_edges_are_those_of_the_batch():
    """Crystals of several sizes, one of a single atom and one of none."""
    sizes = [4, 0, 1, 6]
    cells = 2 * torch.eye(3).repeat(4, 1, 1) + 0.3 * torch.rand(4, 3, 3)
    parts = [2 * torch.rand(n, 3) for n in sizes]
    alone = [graphs.neighbours(x, 2.1, cell) for x, cell in zip(parts, cells, strict=True)]
    joined = graphs.join(alone)
    together = graphs.neighbours(torch.cat(parts), 2.1, cells, batch=graphs.batch_index(sizes))
    assert torch.equal(joined.source, together.source) and torch.equal(joined.target, together.target)
    assert torch.allclose(joined.vectors, together.vectors) and joined.targets == together.targets == 11


def test_two_sets_have_offsets_of_their_own():
    """Atoms to residues: three atoms and two residues, then four and one."""
    atoms, residues = [torch.rand(3, 3), torch.rand(4, 3)], [torch.rand(2, 3), torch.rand(1, 3)]
    alone = [graphs.neighbours(x, 5.0, to=y) for x, y in zip(atoms, residues, strict=True)]
    joined = graphs.join(alone, sizes=[3, 4])
    expected = graphs.Edges.between(
        torch.cat(atoms), torch.stack([joined.source, joined.target]), to=torch.cat(residues)
    )
    assert torch.equal(joined.vectors, expected.vectors) and (joined.targets, len(joined)) == (3, 10)


def test_gradients_reach_each_graph():
    parts = [torch.rand(3, 3, requires_grad=True) for _ in range(2)]
    graphs.join([graphs.neighbours(x, 5.0) for x in parts]).vectors.square().sum().backward()
    assert all(x.grad.abs().max() > 0 for x in parts)


def test_no_graphs():
    assert (len(graphs.join([])), graphs.join([]).targets) == (0, 0)


A = graphs.neighbours(torch.zeros(2, 3), 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graphs.join([A, A], sizes=[2]), "sizes: got 1 of them, expected 2, one for each graph"),
        (lambda: graphs.join([A, A], sizes=[2, -1]), "sizes: got [2, -1], expected integers >= 0"),
        (lambda: graphs.join([A, A], sizes=[2, 1]), "graphs[1].source: got 0 ... 1, expected 0 ... 0"),
        (lambda: graphs.join([A, A.to(torch.float64)]), "graphs[1]: got dtype torch.float64, expected torch.float32"),
        (
            lambda: graphs.join([A, graphs.neighbours(torch.zeros(2, 2), 1.0)]),
            "graphs[1]: got vectors (E, 2), expected",
        ),
    ],
)
def test_wrong_graphs_are_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).startswith(message)
