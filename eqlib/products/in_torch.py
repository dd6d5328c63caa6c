"""The engine in torch: for every device, and for the CPU where numba is not installed.

What belongs to a component is one row, (edge, channel) where there are channels enough to fill the processor's vectors,
else (channel, edge); an entry of a matrix, or of the sparse part, is one multiply-add over a row. Large matrices are
batched products instead, one for each edge. Edges are done in pieces, so that memory does not grow with them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

LOOPS = False  # each product of rows is a call of torch's own
# Entries of the rows that are held at a time: on a CPU few, so that its caches hold most of them.
ENTRIES = {"cpu": 8_000_000, "cuda": 50_000_000}
KEPT = 2 * ENTRIES["cpu"]  # entries of memory that stays from pass to pass; one that needs more takes it for itself
CHANNELS = 16  # from so many on, they are innermost
MATRIX = 36  # entries from which a batched product is faster than one pass over rows for each of them
SHORT = 2048  # numbers in a row up to which a call takes as long as any other
CALLS = 4  # entries of a matrix that a batched product takes as long as, where rows are short
NAIVE = 400  # entries times channels below which torch's batched product is a plain loop
FEW = 9  # rows of many numbers that are turned to columns one by one
OVERHEAD = 20_000  # multiply-adds of a matrix product in the time that one over rows takes to start

Block = tuple[int, int, int, int, int, int, int]
Terms = list[tuple[list[tuple[int, float]], list[list[int]]]]


def channels_innermost(device: str, channels: int) -> bool:
    """Whether rows are (edge, channel)."""
    return channels >= CHANNELS or device != "cpu"


def edge_map(
    x: Tensor,
    before: Tensor,
    w: Tensor,
    after: Tensor,
    source: Tensor,
    target: Tensor,
    tables: list[Tensor],
    sizes: list[int],
) -> Tensor:
    k1, k2, k3, targets = sizes
    run, terms = _Pass(x, sizes, len(source)), _terms(tables)
    first, last = run.blocks(tables[0], False), run.blocks(tables[1], False)
    x, w, out = run.by_row(x), run.by_row(w), run.over_points(k3, targets)
    for piece in run.pieces():
        b = run.turned(x, source[piece], first, before[:, piece], k1)
        c = run.mix(b, run.part(w, piece), terms, run.rows(k2, target[piece].shape[0], run.channels))
        run.scatter(c, target[piece], last, after[:, piece], out)
    return run.by_channel(out)


def edge_map_gradients(
    x: Tensor,
    before: Tensor,
    w: Tensor,
    after: Tensor,
    g: Tensor,
    source: Tensor,
    target: Tensor,
    tables: list[Tensor],
    sizes: list[int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    k1, k2, _, _ = sizes
    run, terms = _Pass(x, sizes, len(source)), _terms(tables)
    first, last = run.blocks(tables[0], False), run.blocks(tables[1], False)
    back, forth = run.blocks(tables[0], True), run.blocks(tables[1], True)
    gx = run.over_points(*x.shape[::2]) if wanted[0] else x.new_empty(0)
    gbefore, gafter = (
        torch.zeros_like(v) if yes else v.new_empty(0) for v, yes in zip((before, after), wanted[1::2], strict=True)
    )
    gw = torch.empty_like(w) if wanted[2] else w.new_empty(0)  # laid out as w
    by_row, x, w, g = gw.mT if run.inner and wanted[2] else gw, run.by_row(x), run.by_row(w), run.by_row(g)
    for piece in run.pieces():
        s, t, front, end, here = source[piece], target[piece], before[:, piece], after[:, piece], run.part(w, piece)
        # No more than two sets of rows are there at a time, and those of x become their gradient.
        b = run.turned(x, s, first, front, k1) if wanted[2] or wanted[3] else run.rows(k1, len(s), run.channels)
        if wanted[3]:
            mark = run.used
            run.outer(last, run.mix(b, here, terms, run.rows(k2, len(s), run.channels)), None, g, t, gafter[:, piece])
            run.used = mark
        if any(wanted[:3]):
            gc = run.turned(g, t, forth, end, k2)
        if wanted[2]:
            run.unmix_weights(b, gc, terms, run.part(by_row, piece))
        if wanted[0] or wanted[1]:
            gb = run.unmix(gc, here, terms, b)
            if wanted[1]:
                run.outer(first, x, s, gb, None, gbefore[:, piece])
            if wanted[0]:
                run.scatter(gb, s, back, front, gx)
    return run.by_channel(gx) if wanted[0] else gx, gbefore, gw, gafter


class _Kept(threading.local):
    """Memory that stays from pass to pass, one tensor for each dtype: the first touch of new memory is slow."""

    def __init__(self) -> None:
        self.of: dict[torch.dtype, Tensor] = {}

    def memory(self, dtype: torch.dtype) -> Tensor:
        if dtype not in self.of:
            with torch.inference_mode(False):  # such tensors could not be written to outside of it
                self.of[dtype] = torch.empty(KEPT, dtype=dtype)  # takes no more than what is written to
        return self.of[dtype]


_kept = _Kept()


class _Pass:
    """One pass over edges: rows in one of the two layouts, and the memory that they are made in."""

    def __init__(self, x: Tensor, sizes: list[int], edges: int) -> None:
        self.edges, self.channels, self.like = edges, x.shape[1], x
        # Where rows are short, what counts is how many calls there are.
        self.short = edges * self.channels <= SHORT
        self.inner = self.short or channels_innermost(x.device.type, self.channels)
        self.axis = 1 if self.inner else 2  # of points and edges
        on_cpu = x.device.type == "cpu"
        self.kept = _kept.memory(x.dtype) if on_cpu else x.new_empty(0)
        at_once = ENTRIES["cpu" if on_cpu else "cuda"]
        self.step = max(256, at_once // max(1, (x.shape[0] + sum(sizes[:3])) * self.channels))
        self.used = self.lasting = 0
        self.known: dict[tuple[int, int, int], Tensor] = {}
        self.numbers: dict[float, Tensor] = {}

    def pieces(self) -> Iterator[slice]:
        """Of equal size; what `empty` gave is free again after each."""
        number = -(-self.edges // self.step)
        for i in range(number):
            self.used = self.lasting = 0
            self.known.clear()
            yield slice(self.edges * i // number, self.edges * (i + 1) // number)

    def empty(self, *shape: int, lasting: bool = False) -> Tensor:
        """Memory until `used` is set back, so that a step finds it where the last one left it; lasting: until the piece ends."""
        number = -(-prod(shape) // 16) * 16
        if lasting:  # from the other end
            self.lasting += number
        else:
            self.used += number
        if self.used + self.lasting <= len(self.kept):
            first = len(self.kept) - self.lasting if lasting else self.used - number
            return self.kept[first : first + prod(shape)].view(shape)
        return self.like.new_empty(shape)

    # Layouts. "Rows" are (rows, E, channels) or (rows, channels, E), or the same over points.

    def rows(self, number: int, edges: int, channels: int) -> Tensor:
        return self.empty(number, edges, channels) if self.inner else self.empty(number, channels, edges)

    def over_points(self, number: int, points: int) -> Tensor:
        n = self.channels
        return self.like.new_zeros((number, points, n) if self.inner else (number, n, points))

    def by_row(self, x: Tensor) -> Tensor:
        """(rows, channels, points or edges) as rows: a view, or a copy where memory is in another order."""
        x = x.mT if self.inner else x
        return x if 1 in (x.shape[-1], x.stride(-1)) else x.contiguous()

    def by_channel(self, x: Tensor) -> Tensor:
        return x.mT.contiguous() if self.inner else x

    def part(self, rows: Tensor, piece: slice) -> Tensor:
        return rows[:, piece] if self.inner else rows[..., piece]

    def along(self, rows: Tensor) -> Tensor:
        """Rows -> (E, rows, channels), a view."""
        return rows.transpose(0, 1) if self.inner else rows.permute(2, 0, 1)

    # Matrices on components

    def blocks(self, table: Tensor, transposed: bool) -> list[tuple[Block, bool]]:
        """Each block, and whether its matrices are multiplied in a batch."""
        found = []
        for first, out, into, rows, columns, at, to in table.tolist():
            row = (first, into, out, columns, rows, to, at) if transposed else (first, out, into, rows, columns, at, to)
            found.append((row, self.pays_in_a_batch(rows * columns, MATRIX)))
        return found

    def pays_in_a_batch(self, entries: int, least: int) -> bool:
        """Whether matrices of so many entries are multiplied in a batch: from `least` on, or where rows are short."""
        if self.short and entries > CALLS:
            return True
        return self.inner and entries >= least and entries * self.channels >= NAIVE

    def gather(self, x: Tensor, index: Tensor, out: Tensor) -> Tensor:
        """Rows over points at each edge's."""
        if self.inner:
            return torch.index_select(x, 1, index, out=out)
        torch.gather(x.flatten(0, 1), 1, index.expand(x.shape[0] * x.shape[1], -1), out=out.flatten(0, 1))
        return out

    def gather_along(self, x: Tensor, index: Tensor) -> Tensor:
        """Rows over points -> (E, rows, channels) at each edge's."""
        x = self.along(x).contiguous()
        return torch.index_select(x, 0, index, out=self.empty(len(index), *x.shape[1:]))

    def matrices(self, flat: Tensor, row: Block) -> Tensor:
        """(entries, E) -> (E, rows, columns) of one block; copied once, though frames are used on the way in and out."""
        first, _, into, rows, columns, _, _ = row
        e, key = flat.shape[1], (flat.data_ptr(), first, rows * columns)
        if key not in self.known:
            self.known[key] = self.empty(e, rows * columns, lasting=True).copy_(flat[first : first + rows * columns].T)
        found = self.known[key]
        return found.view(e, rows, columns) if into == 1 else found.view(e, columns, rows).mT

    def multiply(self, flat: Tensor, row: Block, x: Tensor, y: Tensor) -> Tensor:
        """y = one block's matrix (entries, E) times rows."""
        first, out, into, rows, columns, _, _ = row
        entries = flat[first : first + rows * columns]
        xs, entry = x.unbind(0), (entries[..., None] if self.inner else entries).unbind(0)
        for k, line in enumerate(y.unbind(0)):
            torch.mul(xs[0], entry[k * out], out=line)
            for i in range(1, columns):
                line.addcmul_(xs[i], entry[k * out + i * into])
        return y

    def turned(self, x: Tensor, index: Tensor, blocks: list[tuple[Block, bool]], flat: Tensor, size: int) -> Tensor:
        """Each block's matrix times rows over points, at each edge's: rows over edges."""
        e = len(index)
        y = self.rows(size, e, self.channels)
        for row, batched in blocks:
            kind, _, _, rows, columns, at, to = row
            part, here = x[at : at + columns], y[to : to + rows]
            mark = self.used
            if kind == -1:
                self.gather(part, index, here)
            elif kind < 0:
                here.zero_()
            elif batched:
                found = self.empty(e, rows, self.channels)
                torch.bmm(self.matrices(flat, row), self.gather_along(part, index), out=found)
                self.along(here).copy_(found)
            else:
                self.multiply(flat, row, self.gather(part, index, self.rows(columns, e, self.channels)), here)
            self.used = mark
        return y

    def scatter(self, x: Tensor, index: Tensor, blocks: list[tuple[Block, bool]], flat: Tensor, out: Tensor) -> None:
        """Each block's matrix times rows over edges, added to `out`, rows over points, at each edge's."""
        e = len(index)
        for row, batched in blocks:
            kind, _, _, rows, columns, at, to = row
            part, here = x[at : at + columns], out[to : to + rows]
            mark = self.used
            if kind == -1:
                here.index_add_(self.axis, index, part)
            elif kind >= 0 and self.inner:  # by edges: torch adds what stands together several times as fast
                found = self.empty(e, rows, self.channels)
                if batched:
                    given = self.empty(e, columns, self.channels).copy_(self.along(part))
                    torch.bmm(self.matrices(flat, row), given, out=found)
                else:
                    self.multiply(flat, row, part, found.transpose(0, 1))
                total = found.new_zeros(out.shape[self.axis], rows, self.channels)
                here += total.index_add_(0, index, found).transpose(0, 1)
            elif kind >= 0:
                found = self.multiply(flat, row, part, self.rows(rows, e, self.channels))
                here.index_add_(self.axis, index, found)
            self.used = mark

    def outer(
        self,
        blocks: list[tuple[Block, bool]],
        x: Tensor,
        source: Tensor | None,
        g: Tensor,
        target: Tensor | None,
        out: Tensor,
    ) -> None:
        """Add to `out` (entries, E) the gradient with respect to each block's matrix: g x, summed over channels.

        Both are rows, over points where there is an index, else over edges.
        """
        for (first, step, into, rows, columns, at, to), _ in blocks:
            if first < 0:
                continue
            mark = self.used
            right, left = x[at : at + columns], g[to : to + rows]
            if self.pays_in_a_batch(rows * columns, 1):
                a = self.along(right) if source is None else self.gather_along(right, source)
                b = self.along(left) if target is None else self.gather_along(left, target)
                found = b.contiguous() @ a.contiguous().mT
                out[first : first + rows * columns] += (found if into == 1 else found.mT).flatten(1).T
                self.used = mark
                continue
            e = out.shape[1]
            if source is not None:
                right = self.gather(right, source, self.rows(columns, e, self.channels))
            if target is not None:
                left = self.gather(left, target, self.rows(rows, e, self.channels))
            t = self.rows(1, e, self.channels)[0]
            for k in range(rows):
                for i in range(columns):
                    torch.mul(left[k], right[i], out=t)
                    out[first + k * step + i * into] += t.sum(2 - self.axis)
            self.used = mark

    # The sparse part

    def mix(self, x: Tensor, w: Tensor, terms: Terms, y: Tensor) -> Tensor:
        """Write to rows y: to each a coefficient times a row of x for each of its entries (row out, row in, sign)."""
        y.zero_()
        mark = self.used
        t = self.rows(1, x.shape[self.axis], w.shape[3 - self.axis])[0]
        xs, ys, ws = x.unbind(0), y.unbind(0), w.unbind(0)
        for sums, entries in terms:
            (path, factor), *more = sums
            coefficient = ws[path]
            for other, share in more:  # by the first one's factor, which its entries get
                coefficient = torch.add(coefficient, ws[other], alpha=share / factor, out=t)
            for k, i, sign in entries:
                ys[k].addcmul_(xs[i], coefficient, value=sign * factor)
        self.used = mark
        return y

    def unmix(self, g: Tensor, w: Tensor, terms: Terms, gx: Tensor) -> Tensor:
        """Write to gx the gradient of `mix` with respect to x."""
        return self.mix(g, w, [(sums, [[i, k, sign] for k, i, sign in pairs]) for sums, pairs in terms], gx)

    def unmix_weights(self, x: Tensor, g: Tensor, terms: Terms, gw: Tensor) -> None:
        """Write to gw the gradient of `mix` with respect to w."""
        mark = self.used
        q = self.rows(1, x.shape[self.axis], self.channels)[0]
        xs, gs, ws = x.unbind(0), g.unbind(0), gw.unbind(0)
        shared = gw.shape[3 - self.axis] < self.channels
        new = set(range(len(ws)))
        for sums, ((k, i, sign), *more) in terms:
            torch.mul(xs[i], gs[k], out=q)  # by the first entry's sign
            for k, i, other in more:
                q.addcmul_(xs[i], gs[k], value=other * sign)
            found = q.sum(2 - self.axis, keepdim=True) if shared else q
            for path, factor in sums:
                if path in new:  # written, not added to zeros
                    new.remove(path)
                    torch.mul(found, self.number(sign * factor), out=ws[path])
                else:
                    ws[path].add_(found, alpha=sign * factor)
        for path in new:
            ws[path].zero_()
        self.used = mark

    def number(self, value: float) -> Tensor:
        """As a tensor: torch makes one of a number each time that it multiplies with it, which takes longer than that."""
        if value not in self.numbers:
            self.numbers[value] = self.like.new_tensor(value)
        return self.numbers[value]


def _terms(tables: list[Tensor]) -> Terms:
    """For each coefficient its weights and factors, and the entries that it stands at."""
    ends, path, factor, stops, pairs = (table.tolist() for table in tables[2:7])
    sums = [list(zip(path[i:j], factor[i:j], strict=True)) for i, j in zip(ends[:-1], ends[1:], strict=True)]
    return list(zip(sums, (pairs[i:j] for i, j in zip(stops[:-1], stops[1:], strict=True)), strict=True))


def recursion(x: Tensor, tables: list[Tensor], size: int, start: float, mu: float, unit: bool) -> Tensor:
    terms, values, pairs, form = (table.tolist() for table in tables)
    z = _transposed(x)
    if unit:
        z = z * _inverse_lengths(_squares(z, pairs, form), mu)  # not in place: z may be x itself
    y = x.new_zeros(size, x.shape[0])
    y[0] = start
    rows, axes = y.unbind(0), z.unbind(0)
    for (k, below, axis), value in zip(terms, values, strict=True):
        rows[k].addcmul_(rows[below], axes[axis], value=value)
    return _transposed(y)


def recursion_gradient(x: Tensor, y: Tensor, g: Tensor, tables: list[Tensor], mu: float, unit: bool) -> Tensor:
    left, right, to = tables[0].T.tolist()
    c = _form(y, g, left, right, to, tables[1].tolist(), x.shape[1])
    if unit:  # (c - M x (c . x) slope / s) / s, see `scale.length`
        pairs, form = (table.tolist() for table in tables[2:])
        z = _transposed(x)
        square, dual = _squares(z, pairs, form), torch.zeros_like(z)
        for (i, j), f in zip(pairs, form, strict=True):
            dual[i].add_(z[j], alpha=f)
        inverse = _inverse_lengths(square, mu)
        share = (c * z).sum(0).mul_(inverse).mul_(inverse)
        if mu > 0:
            share.mul_(square).mul_(inverse).mul_(inverse)
        else:
            share.masked_fill_(square <= torch.finfo(x.dtype).tiny, 0.0)
        c.addcmul_(dual, share, value=-1.0).mul_(inverse)
    return _transposed(c)


def _squares(z: Tensor, pairs: list[list[int]], form: list[float]) -> Tensor:
    """z.z of rows z (v, E)."""
    square = torch.zeros_like(z[0])
    for (i, j), f in zip(pairs, form, strict=True):
        square.addcmul_(z[i], z[j], value=f)
    return square


def _inverse_lengths(square: Tensor, mu: float) -> Tensor:
    """See `scale.length`. NaN where a square has overflowed: 1 / inf would be a zero that looks right."""
    if mu > 0:
        inverse = torch.hypot(square, square.new_tensor(mu**2)).rsqrt_()
    else:
        inverse = torch.threshold(square, torch.finfo(square.dtype).tiny, 1.0).rsqrt_()
    return inverse.add_(square, alpha=0)


def _transposed(x: Tensor) -> Tensor:
    """x^T, contiguous. Of a few rows or columns one at a time: on a CPU torch's own way takes twice as long there."""
    y = x.T
    if x.device.type == "cpu" and min(x.shape) <= FEW:
        axis, y = int(x.shape[1] < x.shape[0]), x.new_empty(x.shape[1], x.shape[0])
        for one, other in zip(x.unbind(axis), y.unbind(1 - axis), strict=True):
            other.copy_(one)
    return y.contiguous()


def form(
    a: Tensor, b: Tensor, left: Tensor, right: Tensor, to: Tensor, values: Tensor, size: int, rows: bool
) -> Tensor:
    if not rows and len(values) * OVERHEAD > a.shape[1] * b.shape[1] * size * a.shape[0]:
        # Few points and many coefficients: one product of matrices over all pairs of entries.
        dense = a.new_zeros(a.shape[1] * b.shape[1], size)
        dense.index_put_(
            (left.to(a.device) * b.shape[1] + right.to(a.device), to.to(a.device)), values.to(a), accumulate=True
        )
        return (a[:, :, None] * b[:, None]).flatten(1) @ dense
    places = left.tolist(), right.tolist(), to.tolist()
    if rows:
        out = a.new_zeros(size, a.shape[1])
        return _add_products(out, a, b, *places, values.tolist())
    return _transposed(_form(a, b, *places, values.tolist(), size))


def _form(
    a: Tensor, b: Tensor, left: list[int], right: list[int], to: list[int], values: list[float], size: int
) -> Tensor:
    """(size, E) from columns of a and b (E, ...)."""
    (p, i0), (q, j0) = _asked_for(a, left), _asked_for(b, right)
    out = a.new_zeros(size, a.shape[0])
    return _add_products(out, p, q, [i - i0 for i in left], [j - j0 for j in right], to, values)


def _add_products(
    out: Tensor, p: Tensor, q: Tensor, left: list[int], right: list[int], to: list[int], values: list[float]
) -> Tensor:
    ps, qs, sums = p.unbind(0), q.unbind(0), out.unbind(0)
    for i, j, k, value in zip(left, right, to, values, strict=True):
        sums[k].addcmul_(ps[i], qs[j], value=value)
    return out


def _asked_for(x: Tensor, columns: list[int]) -> tuple[Tensor, int]:
    """Columns of x as rows, from the first to the last that is asked for, and which one is the first."""
    first, last = min(columns, default=0), max(columns, default=-1)
    return _transposed(x[:, first : last + 1]), first


def frames(r: Tensor, tables: list[Tensor]) -> Tensor:
    """The matrices of `kernels.Alignment`, (rows, E), for directions r (E, v)."""
    planes, last, lines, values = tables
    x, functions = list(_transposed(r).unbind(0)), []
    for a, b in planes.tolist():  # one component after the other is turned away
        rest = torch.hypot(x[a], x[b])
        none = rest <= torch.finfo(r.dtype).tiny  # not NaN, which has to come through
        cos, sin = torch.where(none, 1.0, x[a] / rest), torch.where(none, 0.0, x[b] / rest)
        x[a], x[b] = rest, torch.zeros_like(rest)
        rows = [torch.ones_like(cos), cos, sin]
        while len(rows) < last.shape[1]:
            c, s = rows[-2:]
            rows += [c * cos - s * sin, s * cos + c * sin]
        functions.append(torch.stack(rows[: last.shape[1]]))
    D = last.to(r) @ functions[-1]
    for number in reversed(range(len(planes) - 1)):
        before, D = D, torch.zeros_like(D)
        for (which, to, at, d, f), value in zip(lines.tolist(), values.tolist(), strict=True):
            if which == number:
                D[to : to + d].addcmul_(before[at : at + d], functions[number][f], value=value)
    return D
