"""Edges: vectors with image shifts, exact and differentiable; what is wrong is refused; they pass through torch's compilers."""

import io

import pytest
import torch

from eqlib import graphs

PAIRS = torch.tensor([[1, 0, 0], [0, 1, 2]])
SHIFTS = torch.tensor([[0, 0, 0], [0, 0, 0], [2, -1, 0]])


def some(n=5, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(n, 3, generator=generator, dtype=dtype, requires_grad=True)
    pairs = graphs.complete_graph([n])
    return torch.randn(n, 4, generator=generator, dtype=dtype), graphs.Edges.between(positions, pairs), positions


def plain(edges):
    return graphs.Edges(edges.source, edges.target, edges.vectors.detach(), edges.targets)


class Net(torch.nn.Module):
    """Two layers that share the lengths of the edges."""

    def __init__(self):
        super().__init__()
        self.made = []

    def forward(self, x, edges):
        edges = edges.to(x.dtype).sharing()
        for _ in range(2):
            lengths = edges.once(("length", x.dtype), lambda: self.length(edges))
            x = x.new_zeros(edges.targets, x.shape[1]).index_add(0, edges.target, x[edges.source] * lengths[:, None])
        return x

    def length(self, edges):
        if not torch.compiler.is_compiling():
            self.made.append(1)
        return edges.vectors.norm(dim=1)


def test_vectors_are_source_minus_target():
    positions, to = torch.randn(3, 3), torch.randn(4, 3)
    edges = graphs.Edges.between(positions, PAIRS)
    assert torch.equal(edges.vectors, positions[PAIRS[0]] - positions[PAIRS[1]])
    assert (len(edges), edges.targets) == (3, 3)
    edges = graphs.Edges.between(positions, PAIRS, to=to)
    assert torch.equal(edges.vectors, positions[PAIRS[0]] - to[PAIRS[1]]) and edges.targets == 4


@pytest.mark.parametrize("each", [False, True], ids=["one cell", "a cell an edge"])
def test_shifts_move_the_source_by_cells(each):
    positions = torch.randn(3, 3, dtype=torch.float64)
    cells = torch.randn(3, 3, 3, dtype=torch.float64) if each else torch.randn(1, 3, 3, dtype=torch.float64)
    edges = graphs.Edges.between(positions, PAIRS, SHIFTS, cells if each else cells[0])
    cells = cells.expand(3, 3, 3)
    for e in range(3):
        moved = positions[PAIRS[0, e]] + sum(int(SHIFTS[e, k]) * cells[e, k] for k in range(3))
        assert (edges.vectors[e] - (moved - positions[PAIRS[1, e]])).abs().max() < 1e-14


def test_large_numbers_that_cancel_leave_the_vector_exact():
    """500 cells of 10 angstrom there and back: in float32 the sum would be wrong by 5e-4."""
    cell = torch.eye(3) * 10.01
    positions = torch.tensor([[0.25, 0.5, 0.0], [5005.0, 0.0, 0.0]])
    edges = graphs.Edges.between(positions, torch.tensor([[0], [1]]), torch.tensor([[500, 0, 0]]), cell)
    exact = positions[:1].double() + 500 * cell[:1].double() - positions[1:].double()
    assert edges.vectors.dtype == torch.float32 and (edges.vectors.double() - exact).abs().max() < 1e-7


def test_gradients_reach_positions_targets_and_cell():
    positions, to, cell = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (3, 3, 3))

    def vectors(positions, to, cell):
        return graphs.Edges.between(positions, PAIRS, SHIFTS, cell, to).vectors

    assert torch.autograd.gradcheck(vectors, (positions, to, cell))
    assert torch.autograd.gradgradcheck(lambda *x: vectors(*x).square(), (positions, to, cell))


def test_another_dtype_and_the_same():
    _, edges, _ = some()
    shared = edges.sharing()
    assert shared.to(torch.float32) is shared and shared.to("cpu") is shared
    wide = shared.to(torch.float64)
    assert wide.vectors.dtype == torch.float64 and wide.source is edges.source and wide.memo is None


def test_a_memo_holds_for_one_pass():
    x, edges, _ = some()
    net = Net()
    assert edges.memo is None and edges.once("a", lambda: 1) == 1 and edges.once("a", lambda: 2) == 2
    net(x, edges)
    assert len(net.made) == 1 and edges.memo is None  # two layers, one computation
    net(x, edges)
    assert len(net.made) == 2
    once = edges.sharing()
    assert once.once("a", lambda: None) is None and once.once("a", lambda: 2) is None and once.once("b", lambda: 3) == 3


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's own, while it looks at vectors that are no leaves
def test_compiles_once_for_any_number_of_edges():
    net, seen = Net(), []

    def backend(graph, example):
        seen.append(graph)
        return graph.forward

    compiled = torch.compile(net, fullgraph=True, backend=backend, dynamic=True)
    for n in (5, 7, 9):
        x, edges, positions = some(n, seed=n)
        expected, found = net(x, edges), compiled(x, edges)
        assert torch.allclose(found, expected)
        slopes = [torch.autograd.grad(y.sum(), positions, retain_graph=True)[0] for y in (expected, found)]
        assert torch.allclose(*slopes)
    assert len(seen) == 1
    assert seen[0].code.count("norm(") == 1  # what is shared is computed once there, too


def test_is_made_inside_a_compiled_function():
    def lengths(positions, pairs, shifts, cell):
        return graphs.Edges.between(positions, pairs, shifts, cell).vectors.norm(dim=1)

    args = torch.randn(3, 3), PAIRS, SHIFTS, torch.eye(3)
    assert torch.allclose(torch.compile(lengths, fullgraph=True, backend="aot_eager")(*args), lengths(*args))


@pytest.mark.parametrize("strict", [False, True])
def test_is_exported_saved_and_read_for_other_sizes(strict):
    x, edges, _ = some()
    auto = torch.export.Dim.AUTO
    shapes = ({0: auto}, [{0: auto}, {0: auto}, {0: auto}, torch.export.Dim.DYNAMIC])
    program = torch.export.export(Net(), (x, plain(edges)), dynamic_shapes=shapes, strict=strict)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    x, edges, _ = some(8)
    assert torch.allclose(torch.export.load(file).module()(x, edges), Net()(x, edges))


def test_a_pytree_without_the_memo():
    _, edges, _ = some()
    doubled = torch.utils._pytree.tree_map_only(torch.Tensor, lambda t: t * 2, edges.sharing())
    assert torch.equal(doubled.vectors, 2 * edges.vectors) and doubled.targets == edges.targets and doubled.memo is None
    file = io.BytesIO()
    torch.save(plain(edges), file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True).vectors, edges.vectors)


I, R = torch.tensor([0, 1]), torch.zeros(2, 3)
X = torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graphs.Edges(I.int(), I, R, 2), "source: got torch.int32 (2,), expected torch.int64 (E,)"),
        (lambda: graphs.Edges(I, I[:1], R, 2), "target: got torch.int64 (1,), expected torch.int64 (E,)"),
        (lambda: graphs.Edges(I[None], I, R, 2), "source: got torch.int64 (1, 2), expected torch.int64 (E,)"),
        (lambda: graphs.Edges(torch.tensor(0), I, R, 2), "source: got torch.int64 (), expected torch.int64 (E,)"),
        (lambda: graphs.Edges(I, I, R[:1], 2), "vectors: got torch.float32 (1, 3), expected floating point (2, v)"),
        (lambda: graphs.Edges(I, I, R.long(), 2), "vectors: got torch.int64 (2, 3), expected floating point (2, v)"),
        (lambda: graphs.Edges(I, I, R.to("meta"), 2), "vectors: got source, target and vectors on cpu, cpu and meta"),
        (lambda: graphs.Edges(I - 1, I, R, 2), "source: got -1 ... 0, expected 0 or more"),
        (lambda: graphs.Edges(I, I - 1, R, 2), "target: got -1 ... 0, expected 0 ... 1"),
        (lambda: graphs.Edges(I, I, R, 1), "target: got 0 ... 1, expected 0 ... 0"),
        (lambda: graphs.Edges(I, I, R, 0), "target: got 0 ... 1, expected none: there are no points"),
        (lambda: graphs.Edges(I, I, R, -1), "targets: got -1, expected a whole number >= 0"),
        (lambda: graphs.Edges(I, I, R, 2.0), "targets: got 2.0, expected a whole number >= 0"),
        (lambda: graphs.Edges(I, I, R / 0, 2), "vectors: got (2, 3) with NaN or infinite numbers, expected finite"),
        (
            lambda: graphs.Edges.between(X[0], PAIRS),
            "positions: got torch.float32 (3,), expected floating point (N, v)",
        ),
        (lambda: graphs.Edges.between(X / 0, PAIRS), "positions: got (3, 3) with NaN or infinite numbers"),
        (lambda: graphs.Edges.between(X, PAIRS.T), "pairs: got torch.int64 (3, 2), expected torch.int64 (2, E)"),
        (lambda: graphs.Edges.between(X, PAIRS.int()), "pairs: got torch.int32 (2, 3), expected torch.int64 (2, E)"),
        (lambda: graphs.Edges.between(X[:1], PAIRS), "pairs[0]: got 0 ... 1, expected 0 ... 0"),
        (lambda: graphs.Edges.between(X, PAIRS, to=X[:2]), "pairs[1]: got 0 ... 2, expected 0 ... 1"),
        (lambda: graphs.Edges.between(X, PAIRS, to=X.double()), "to: got torch.float64 (3, 3), expected torch.float32"),
        (lambda: graphs.Edges.between(X, PAIRS, to=X[:, :2]), "to: got torch.float32 (3, 2), expected torch.float32"),
        (
            lambda: graphs.Edges.between(X, PAIRS, SHIFTS),
            "shifts: got torch.int64 (3, 3) with cell None, expected both",
        ),
        (
            lambda: graphs.Edges.between(X, PAIRS, cell=X),
            "shifts: got None with cell torch.float32 (3, 3), expected both",
        ),
        (lambda: graphs.Edges.between(X, PAIRS, X, X), "shifts: got torch.float32 (3, 3), expected integers (3, 3)"),
        (
            lambda: graphs.Edges.between(X, PAIRS, SHIFTS, X[:2]),
            "cell: got torch.float32 (2, 3), expected floating point",
        ),
        (lambda: graphs.Edges.between(X, PAIRS, SHIFTS, X / 0), "cell: got (3, 3) with NaN or infinite numbers"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_no_edges_and_no_points():
    edges = graphs.Edges.between(torch.zeros(0, 3), torch.zeros(2, 0, dtype=torch.int64))
    assert (len(edges), edges.targets, edges.vectors.shape) == (0, 0, (0, 3))


def test_training_moves_edges_with_the_rest_of_a_batch():
    from eqlib.training.batches import tensors

    edges = graphs.Edges.between(torch.zeros(2, 3), torch.tensor([[0], [1]]))
    x, moved = tensors((torch.zeros(2), edges), torch.device("meta"))
    assert (x.device.type, moved.vectors.device.type, moved.target.device.type) == ("meta", "meta", "meta")
