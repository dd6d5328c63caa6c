"""Edges as layers take them: who sees whom, from where, and how many there are to see.

The vectors, and not the positions, are what a layer on points depends on. With them on the edge a periodic image, several
crystals in a batch and targets other than the sources are no special cases.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from eqlib import doors

T = TypeVar("T")
# Edges whose vectors are made at a time: in the processor's cache, where 10^7 would fill 2 GB in float64.
PIECE = 1 << 16


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges from sources to targets, with the vector that each spans; `len(edges)` is their number E.

    source, target: (E,), int64: indices of points. Where sources and targets are two sets, each counts its own.
    vectors: (E, v), floating point, r = position of source - position of target, image shift included; differentiable.
    targets: how many targets there are, those without an edge included.
    memo: what layers of one network share in a forward pass (see `sharing`); left out by torch's pytrees.

    ValueError for shapes and dtypes that do not fit, devices that differ, a negative index, a target beyond `targets`, NaN
    and infinite vectors. A layer, which knows how many sources there are, checks those. Under torch.compile only shapes
    and dtypes are checked.

    >>> import torch
    >>> from eqlib import graphs
    >>> positions = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> edges = graphs.Edges.between(positions, graphs.radius_graph(positions, cutoff=1.5))
    >>> len(edges), edges.targets, edges.vectors.tolist()
    (2, 3, [[0.0, 1.0], [0.0, -1.0]])
    """

    source: Tensor
    target: Tensor
    vectors: Tensor
    targets: int
    memo: dict[Hashable, Any] | None = None

    def __post_init__(self) -> None:
        e = self.source.shape[0] if self.source.ndim else 0
        for name, index in (("source", self.source), ("target", self.target)):
            if index.shape != (e,) or index.dtype != torch.int64:
                expected = "torch.int64 (E,), as many as there are sources"
                raise ValueError(f"{name}: got {index.dtype} {tuple(index.shape)}, expected {expected}")
        if self.vectors.ndim != 2 or self.vectors.shape[0] != e or not self.vectors.is_floating_point():
            got = f"{self.vectors.dtype} {tuple(self.vectors.shape)}"
            raise ValueError(f"vectors: got {got}, expected floating point ({e}, v), a row for each edge")
        if not self.source.device == self.target.device == self.vectors.device:
            got = f"{self.source.device}, {self.target.device} and {self.vectors.device}"
            raise ValueError(f"vectors: got source, target and vectors on {got}, expected one device")
        if torch.compiler.is_compiling():  # no branch may depend on data there
            return
        doors.count("targets", self.targets)
        in_range("source", self.source)
        in_range("target", self.target, self.targets)
        finite("vectors", self.vectors)

    def __len__(self) -> int:
        return self.source.shape[0]

    @classmethod
    def between(
        cls,
        positions: Tensor,
        pairs: Tensor,
        shifts: Tensor | None = None,
        cell: Tensor | None = None,
        to: Tensor | None = None,
    ) -> Edges:
        """Edges along `pairs` (2, E), int64, source above target, of points at positions (N, v).

        shifts: (E, v), integers: how many cells the source is moved by. cell: (v, v), a row for each lattice vector; or
        (E, v, v), each edge's own, such as `cells[batch[pairs[1]]]` for several crystals. to: (M, v), positions of the
        targets where they are another set.

        r = positions[source] + shift . cell - to[target], differentiable in all three. It is taken in positions' own dtype
        where there are no shifts; with them, which cancel large numbers, in float64, and then cast to it.

        ValueError for shapes and dtypes that do not fit, an index out of range, NaN and infinite positions or cells.

        >>> import torch
        >>> from eqlib import graphs
        >>> x = torch.tensor([[0.1], [0.9]])  # two points in a cell of length 1, and the image of the second on the left
        >>> pairs, shifts = torch.tensor([[1], [0]]), torch.tensor([[-1]])
        >>> graphs.Edges.between(x, pairs, shifts, cell=torch.eye(1)).vectors
        tensor([[-0.2000]])
        """
        ends = positions if to is None else to
        _check(positions, pairs, shifts, cell, ends)
        size = max(1, pairs.shape[1]) if torch.compiler.is_compiling() else PIECE
        given = [pairs[0], pairs[1], *([] if shifts is None or cell is None else [shifts])]
        pieces = zip(*(t.split(size) for t in given), strict=True)
        cells = repeat(cell) if cell is None or cell.ndim == 2 else cell.split(size)
        vectors = [_vectors(positions, ends, c, *piece) for piece, c in zip(pieces, cells, strict=False)]
        return cls(pairs[0], pairs[1], vectors[0] if len(vectors) == 1 else torch.cat(vectors), ends.shape[0])

    def to(self, where: torch.dtype | torch.device | str) -> Edges:
        """With vectors of another dtype, or all on another device, and no memo; these edges themselves where both fit.

        >>> import torch
        >>> from eqlib import graphs
        >>> edges = graphs.Edges.between(torch.zeros(2, 3), torch.tensor([[0], [1]]))
        >>> edges.to(torch.float64).vectors.dtype, edges.to("cpu") is edges
        (torch.float64, True)
        """
        vectors = self.vectors.to(where)
        if vectors is self.vectors:
            return self
        if isinstance(where, torch.dtype):
            return _made(self.source, self.target, vectors, self.targets, None)
        return _made(self.source.to(where), self.target.to(where), vectors, self.targets, None)

    def sharing(self) -> Edges:
        """The same edges with a fresh memo. A network calls this in `forward`, so that its layers compute things once.

        Layers of a network get the result; the memo ends with it. Edges that live on keep none: what is in a memo belongs
        to one graph of autograd.
        """
        return _made(self.source, self.target, self.vectors, self.targets, {})

    def onto(self, target: Tensor, targets: int) -> Edges:
        """The same sources and vectors with other targets (E,), within `targets`, and the memo, which vectors alone decide.

        >>> import torch
        >>> from eqlib import graphs
        >>> edges = graphs.Edges.between(torch.zeros(2, 3), torch.tensor([[0, 1], [1, 0]]))
        >>> edges.onto(torch.arange(2), 2).target.tolist()  # each edge a target of its own
        [0, 1]
        """
        return _made(self.source, target, self.vectors, targets, self.memo)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """make(), or what it gave before for this key, in the memo; always make() where there is no memo.

        The key must say all that the result depends on but these edges: dtype, degree, group.

        >>> import torch
        >>> from eqlib import graphs
        >>> edges = graphs.Edges.between(torch.zeros(2, 3), torch.tensor([[0], [1]])).sharing()
        >>> first = edges.once("length", lambda: edges.vectors.norm(dim=1))
        >>> edges.once("length", lambda: edges.vectors.norm(dim=1)) is first
        True
        """
        if self.memo is None:
            return make()
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]


def _vectors(
    positions: Tensor, to: Tensor, cell: Tensor | None, source: Tensor, target: Tensor, shifts: Tensor | None = None
) -> Tensor:
    """positions[source] - to[target], or + shift . cell, in float64 until it is done."""
    if shifts is None or cell is None:
        return positions[source] - to[target]
    wide = positions.dtype if positions.device.type == "mps" else torch.float64  # Apple's has no float64
    lattice, steps = cell.to(wide), shifts.to(wide)
    # The shift first: its large terms cancel each other before small numbers are added.
    moved = steps @ lattice if cell.ndim == 2 else torch.einsum("ea,eab->eb", steps, lattice)
    return (positions[source].to(wide) - to[target].to(wide) + moved).to(positions.dtype)


def in_range(name: str, index: Tensor, number: int | None = None) -> None:
    """ValueError for an index below 0, or beyond the last of `number`."""
    if index.numel() == 0:
        return
    low, high = (int(end) for end in index.aminmax())
    if low < 0 or (number is not None and high >= number):
        expected = "0 or more" if number is None else f"0 ... {number - 1}" if number else "none: there are no points"
        raise ValueError(f"{name}: got {low} ... {high}, expected {expected}")


def finite(name: str, values: Tensor) -> None:
    """ValueError for NaN or infinite numbers."""
    # The extremes of numbers with a NaN are NaN. isfinite would make three arrays as large.
    if values.numel() and not all(end.isfinite() for end in values.detach().aminmax()):
        raise ValueError(f"{name}: got {tuple(values.shape)} with NaN or infinite numbers, expected finite ones")


def _check(positions: Tensor, pairs: Tensor, shifts: Tensor | None, cell: Tensor | None, to: Tensor) -> None:
    v = positions.shape[-1] if positions.ndim else 0
    if positions.ndim != 2 or not positions.is_floating_point():
        raise ValueError(f"positions: got {positions.dtype} {tuple(positions.shape)}, expected floating point (N, v)")
    if to.ndim != 2 or to.shape[1] != v or to.dtype != positions.dtype:
        raise ValueError(f"to: got {to.dtype} {tuple(to.shape)}, expected {positions.dtype} (M, {v}), as positions")
    if pairs.ndim != 2 or pairs.shape[0] != 2 or pairs.dtype != torch.int64:
        raise ValueError(f"pairs: got {pairs.dtype} {tuple(pairs.shape)}, expected torch.int64 (2, E)")
    e = pairs.shape[1]
    if (shifts is None) != (cell is None):
        raise ValueError(f"shifts: got {_shape(shifts)} with cell {_shape(cell)}, expected both or none")
    if shifts is not None and (shifts.shape != (e, v) or shifts.is_floating_point() or shifts.is_complex()):
        raise ValueError(f"shifts: got {_shape(shifts)}, expected integers ({e}, {v})")
    if cell is not None and (tuple(cell.shape) not in ((v, v), (e, v, v)) or not cell.is_floating_point()):
        raise ValueError(f"cell: got {_shape(cell)}, expected floating point ({v}, {v}) or ({e}, {v}, {v})")
    if torch.compiler.is_compiling():
        return
    in_range("pairs[0]", pairs[0], positions.shape[0])
    in_range("pairs[1]", pairs[1], to.shape[0])
    for name, values in (("positions", positions), ("to", to), ("cell", cell)):
        if values is not None:
            finite(name, values)


def _shape(values: Tensor | None) -> str:
    return "None" if values is None else f"{values.dtype} {tuple(values.shape)}"


def _made(source: Tensor, target: Tensor, vectors: Tensor, targets: int, memo: dict[Hashable, Any] | None) -> Edges:
    """Edges without a check: of what was checked, or of what is no tensor."""
    edges = object.__new__(Edges)
    object.__setattr__(edges, "source", source)
    object.__setattr__(edges, "target", target)
    object.__setattr__(edges, "vectors", vectors)
    object.__setattr__(edges, "targets", targets)
    object.__setattr__(edges, "memo", memo)
    return edges


_LEAVES = ("source", "target", "vectors", "targets")


def _leaves(edges: Edges) -> tuple[list[Any], None]:
    return [getattr(edges, name) for name in _LEAVES], None


def _leaves_with_keys(edges: Edges) -> tuple[list[tuple[pytree.KeyEntry, Any]], None]:
    # Keys in quotes: torch.export replaces names as text, and "target" is the beginning of "targets".
    return [(pytree.MappingKey(name), getattr(edges, name)) for name in _LEAVES], None


def _joined(leaves: Iterable[Any], context: None) -> Edges:
    source, target, vectors, targets = leaves
    return _made(source, target, vectors, targets, None)


# torch.export and torch.func take Edges apart so. The memo stays behind: it belongs to one forward pass.
pytree.register_pytree_node(
    Edges, _leaves, _joined, flatten_with_keys_fn=_leaves_with_keys, serialized_type_name="eqlib.graphs.Edges"
)
# A program of torch.export is saved with example inputs, and read with weights_only=True.
torch.serialization.add_safe_globals([Edges])
