"""The map of every convolution of points, in rows: what it computes, and its derivatives of every order.

    y_t = sum over edges (s, t) of  after_e . mix(w_e) . before_e . x_s

Features are rows (component, channel, point); what belongs to an edge is rows over edges: `before` and `after` are matrices
on components (frames, or harmonics times Clebsch-Gordan tensors), w holds a number for each path, channel and edge.
`mix` is sparse: every non-zero coefficient is one multiply-add over a row. No group is named: the tables say it all.

The map is linear in each of x, before, w, after, so with g in place of y it is one form S(x, before, w, after, g), and
every derivative is S with one of its five places left open. The gradient is such a map, and so is the gradient's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.products import engines

Table = NDArray[np.int64]


@dataclass(frozen=True)
class EdgeMap:
    """Tables of one map; made once for a layer.

    Args:
        sizes: rows of x, of the rows after `before`, of those after `mix`, and of y.
        before, after: (n, 7): for each block of components the row of its matrix's first entry among the matrices' rows (-1 for
            the identity, -2 for zero), the steps from one entry to the next along its output and along its input, its sizes
            out and in, and the first row that it reads and that it writes. Each row is read by one block and written by one.
        sums: for each coefficient of `mix` the paths that it is a sum of, [(row of w, factor), ...].
        pairs: for each coefficient the entries that it stands at, [(row out, row in, sign), ...], none empty.

    >>> import torch
    >>> from eqlib.products import EdgeMap
    >>> one = [[-1, 0, 0, 1, 1, 0, 0]]  # a scalar is not turned
    >>> twice = EdgeMap((1, 1, 1, 1), one, one, [[(0, 2.0)]], [[(0, 0, 1)]])
    >>> x, w, nothing = torch.tensor([[[1.0, 10.0]]]), torch.ones(1, 1, 2), torch.zeros(0, 2)
    >>> twice(x, nothing, w, nothing, torch.tensor([0, 1]), torch.tensor([1, 1]), 2)
    tensor([[[ 0., 22.]]])
    """

    sizes: tuple[int, int, int, int]
    before: Sequence[Sequence[int]]
    after: Sequence[Sequence[int]]
    sums: Sequence[Sequence[tuple[int, float]]]
    pairs: Sequence[Sequence[tuple[int, int, int]]]
    tables: list[Tensor] = field(init=False, repr=False, compare=False)
    needs: tuple[int, int, int] = field(init=False, repr=False, compare=False)  # rows of before, of after, and of w

    def __post_init__(self) -> None:
        if len(self.sums) != len(self.pairs) or not all(map(len, self.pairs)) or not all(map(len, self.sums)):
            raise ValueError("sums, pairs: expected one of each for each coefficient, none empty")
        _check_rows("before", self.before, self.sizes[0], self.sizes[1])
        _check_rows("after", self.after, self.sizes[2], self.sizes[3])
        path = np.array([path for terms in self.sums for path, _ in terms], dtype=np.int64)
        factors = np.array([factor for terms in self.sums for _, factor in terms], dtype=np.float64)
        # The same sums by path, for the gradient of w: in which coefficients a path is, and with what factor.
        order = np.argsort(path, kind="stable")
        counts = np.bincount(path, minlength=0)
        coefficient = np.repeat(np.arange(len(self.sums)), [len(terms) for terms in self.sums])
        tables = [
            np.reshape(np.array(self.before, dtype=np.int64), (-1, 7)),
            np.reshape(np.array(self.after, dtype=np.int64), (-1, 7)),
            _ends(self.sums),
            path,
            factors,
            _ends(self.pairs),
            np.reshape(np.array([pair for some in self.pairs for pair in some], dtype=np.int64), (-1, 3)),
            np.cumsum([0, *counts], dtype=np.int64),
            coefficient[order].astype(np.int64),
            factors[order],
        ]
        rows = [max([0, *(row[0] + row[3] * row[4] for row in t if row[0] >= 0)]) for t in (self.before, self.after)]
        object.__setattr__(self, "needs", (*rows, len(counts)))
        object.__setattr__(self, "tables", [torch.from_numpy(table) for table in tables])

    @property
    def cost(self) -> int:
        """Multiply-adds for each edge and channel, there alone."""
        matrices = sum(row[3] * row[4] for row in (*self.before, *self.after) if row[0] >= 0)
        return matrices + sum(map(len, self.sums)) + sum(map(len, self.pairs))

    def __call__(
        self, x: Tensor, before: Tensor, w: Tensor, after: Tensor, source: Tensor, target: Tensor, targets: int
    ) -> Tensor:
        """x (rows, channels, points), before and after (entries, E), w (paths, channels or 1, E), source and target (E,) int64
        -> (rows, channels, targets), in x's dtype. All on one device; `source` and `target` within range."""
        self._check(x, before, w, after, source, target)
        sizes = [*self.sizes[1:], targets]
        # Rows once and for all, for the gradients read them again; and of one dtype, where autocast's are of two.
        w = engines.arranged(w.to(x.dtype))
        x, before, after = (v.to(x.dtype).contiguous() for v in (x, before, after))
        # torch.compile takes no tensor twice: frames stand at both places, and a loop has one end.
        after = after.view_as(after) if after is before else after
        target = target.view_as(target) if target is source else target
        run = _EdgeMap.apply if engines.differentiated(x, before, w, after) else torch.ops.eqlib.edge_map
        return run(x, before, w, after, source, target, self.tables, sizes)

    def _check(self, x: Tensor, before: Tensor, w: Tensor, after: Tensor, source: Tensor, target: Tensor) -> None:
        """The engines do not look: rows too few would be read from beyond an array's end."""
        e, (front, back, paths) = source.shape[0], self.needs
        for name, index in (("source", source), ("target", target)):
            if index.shape != (e,) or index.dtype != torch.int64:
                raise ValueError(f"{name}: got {index.dtype} {tuple(index.shape)}, expected torch.int64 ({e},)")
        if x.ndim != 3 or x.shape[0] != self.sizes[0]:
            raise ValueError(f"x: got {tuple(x.shape)}, expected ({self.sizes[0]}, channels, points)")
        for name, found, rows in (("before", before, front), ("after", after, back)):
            if found.ndim != 2 or found.shape[0] < rows or found.shape[1] != e:
                raise ValueError(f"{name}: got {tuple(found.shape)}, expected ({rows}, {e}) or more rows")
        if w.ndim != 3 or w.shape[0] < paths or w.shape[1] not in (1, x.shape[1]) or w.shape[2] != e:
            raise ValueError(f"w: got {tuple(w.shape)}, expected ({paths}, {x.shape[1]} or 1, {e})")


def _check_rows(name: str, blocks: Sequence[Sequence[int]], read: int, written: int) -> None:
    """A row that no block reads would have no gradient, one that no block writes no value: both engines leave it as it was."""
    for what, first, size, rows in (("read", 5, 4, read), ("written", 6, 3, written)):
        found = sorted(row for block in blocks for row in range(block[first], block[first] + block[size]))
        if found != list(range(rows)):
            raise ValueError(f"{name}: got rows {found} {what}, expected each of 0 ... {rows - 1} once")


def _ends(lists: Sequence[Sequence[object]]) -> Table:
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)


# The form as two operators of torch's, y and any of its gradients: torch.compile and torch.export see each as one step.

X, BEFORE, W, AFTER, G = range(5)
ARGUMENTS = "Tensor x, Tensor before, Tensor w, Tensor after"
REST = "Tensor source, Tensor target, Tensor[] tables, SymInt[] sizes"
torch.library.define("eqlib::edge_map", f"({ARGUMENTS}, {REST}) -> Tensor")
torch.library.define(
    "eqlib::edge_map_gradients", f"({ARGUMENTS}, Tensor g, {REST}, bool[] wanted) -> (Tensor, Tensor, Tensor, Tensor)"
)


@torch.library.impl("eqlib::edge_map", "CompositeExplicitAutograd")
@torch.no_grad()  # an exported program calls it with parameters that require one
def _run(x: Tensor, *rest: Any) -> Tensor:
    return engines.chosen(x).edge_map(x, *rest)


@torch.library.impl("eqlib::edge_map_gradients", "CompositeExplicitAutograd")
@torch.no_grad()  # an exported program calls it with parameters that require one
def _run_gradients(x: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    return engines.chosen(x).edge_map_gradients(x, *rest)


@torch.library.register_fake("eqlib::edge_map")
def _shape(x: Tensor, before: Any, w: Any, after: Any, source: Any, target: Any, tables: Any, sizes: Any) -> Tensor:
    return x.new_empty(sizes[2], x.shape[1], sizes[3])


@torch.library.register_fake("eqlib::edge_map_gradients")
def _shapes(x: Tensor, before: Tensor, w: Tensor, after: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    like, wanted = (x, before, w, after), rest[-1]
    # Laid out as what it is the gradient of: of w, the engines differ in what they read fastest.
    return tuple(torch.empty_like(v) if yes else v.new_empty(0) for v, yes in zip(like, wanted, strict=True))


def _one_by_one(op: str) -> None:
    """torch.vmap of an operator: example after example, for each may have edges of its own."""
    run = getattr(torch.ops.eqlib, op)

    def over_batch(info: Any, in_dims: Any, *inputs: Any) -> tuple[Any, Any]:
        places = [(v, None if isinstance(v, list) else dim) for v, dim in zip(inputs, in_dims, strict=True)]
        found = [run(*(v if dim is None else v.select(dim, i) for v, dim in places)) for i in range(info.batch_size)]
        if isinstance(found[0], Tensor):
            return torch.stack(found), 0
        return tuple(map(torch.stack, zip(*found, strict=True))), (0,) * len(found[0])

    torch.library.register_vmap(f"eqlib::{op}", over_batch)


_one_by_one("edge_map")
_one_by_one("edge_map_gradients")


class _EdgeMap(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, before: Tensor, w: Tensor, after: Tensor, *rest: Any) -> Tensor:
        return torch.ops.eqlib.edge_map(x, before, w, after, *rest)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        *places, ctx.tables, ctx.sizes = inputs
        ctx.save_for_backward(*places)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        *places, source, target = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[:4])
        run = _Gradients.apply if engines.differentiated(*places, g) else torch.ops.eqlib.edge_map_gradients
        found = run(*places, g.contiguous(), source, target, ctx.tables, ctx.sizes, wanted)
        return *(v if yes else None for v, yes in zip(found, wanted, strict=True)), None, None, None, None


class _Gradients(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, before: Tensor, w: Tensor, after: Tensor, g: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        return torch.ops.eqlib.edge_map_gradients(x, before, w, after, g, *rest)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *places, ctx.tables, ctx.sizes, ctx.wanted = inputs
        ctx.save_for_backward(*places)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor | None) -> tuple[Tensor | None, ...]:
        """Each gradient is S with one place open; along a direction that place is filled, and any other may be opened."""
        *places, source, target = ctx.saved_tensors
        total: list[Tensor | None] = [None] * 5
        for place, direction in enumerate(directions):
            if direction is None or not ctx.wanted[place]:
                continue
            filled = list(places)
            filled[place] = direction if place == W else direction.contiguous()
            rest = (source, target, _without_identities(ctx.tables, place), ctx.sizes)
            wanted = [ctx.needs_input_grad[i] and i != place for i in range(4)]
            if any(wanted):
                found = _Gradients.apply(*filled, *rest, wanted)
                total[:4] = [_add(t, v) if yes else t for t, v, yes in zip(total, found, wanted, strict=False)]
            if ctx.needs_input_grad[G]:
                total[G] = _add(total[G], _EdgeMap.apply(*filled[:4], *rest))
        return *total, None, None, None, None, None


def _add(total: Tensor | None, more: Tensor) -> Tensor:
    return more if total is None else total + more


def _without_identities(tables: list[Tensor], place: int) -> list[Tensor]:
    """Blocks that are no part of the matrices do not change with them: along a direction of the matrices they are zero."""
    if place not in (BEFORE, AFTER):
        return tables
    which, found = (0 if place == BEFORE else 1), list(tables)
    found[which] = found[which].clone()
    found[which][:, 0] = torch.where(found[which][:, 0] == -1, -2, found[which][:, 0])
    return found
