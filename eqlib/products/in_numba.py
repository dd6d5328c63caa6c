"""The engine as one loop over blocks of edges: gather, turn, mix, turn back, scatter, with nothing kept for all edges.

numba compiles it once for each dtype and for all groups and networks, for the loops read tables; the result is kept on
disk. Inside a block one channel is done at a time, so that its rows stay in the cache nearest to the core. Blocks go over
all the cores that torch may use.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LOOPS = True
BLOCK = 256  # edges
POINTS = 128  # of a recursion, whose rows are many
WORTH = 200_000  # entries of rows that make another thread worth its start

# All that may be reordered but infinities and NaN, which have to come out where they went in.
MATH = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: Callable[..., Any], **more: Any) -> Any:
    """`function` compiled on its first call, and cached on disk where there is a place for it."""
    how: Any = {"fastmath": MATH, "boundscheck": False, "nogil": True, "error_model": "numpy", **more}
    try:
        return numba.njit(cache=True, **how)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(**how)(function)


# Indices are unsigned, for numba then asks of none whether it is negative, and the loops over edges become vector
# instructions without a view for each row. Unsigned and signed numbers together would be floats: hence U.
U = np.uintp
ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX = (U(number) for number in range(7))


@compiled
def gather(x, u, index, e0, n, out):  # type: ignore[no-untyped-def]
    rows, k = U(out.shape[0]), ZERO
    while k + FOUR <= rows:  # four rows at once read the index once
        for e in range(n):
            i = index[e0 + e]
            out[k, e] = x[k, u, i]
            out[k + ONE, e] = x[k + ONE, u, i]
            out[k + TWO, e] = x[k + TWO, u, i]
            out[k + THREE, e] = x[k + THREE, u, i]
        k += FOUR
    while k < rows:
        for e in range(n):
            out[k, e] = x[k, u, index[e0 + e]]
        k += ONE


@compiled
def scatter(y, u, index, e0, n, out):  # type: ignore[no-untyped-def]
    rows, k = U(y.shape[0]), ZERO
    while k + FOUR <= rows:  # four sums at once: edges of one target wait for each other
        for e in range(n):
            i = index[e0 + e]
            out[k, u, i] += y[k, e]
            out[k + ONE, u, i] += y[k + ONE, e]
            out[k + TWO, u, i] += y[k + TWO, e]
            out[k + THREE, u, i] += y[k + THREE, e]
        k += FOUR
    while k < rows:
        for e in range(n):
            out[k, u, index[e0 + e]] += y[k, e]
        k += ONE


@compiled
def turn(blocks, matrices, e0, n, transposed, x, y):  # type: ignore[no-untyped-def]
    """y = matrix x in each block, or its transpose; every row of y is in one block."""
    for r in range(blocks.shape[0]):
        kind = blocks[r, 0]
        out, into, rows = U(blocks[r, 1]), U(blocks[r, 2]), U(blocks[r, 3])
        columns, at, to = U(blocks[r, 4]), U(blocks[r, 5]), U(blocks[r, 6])
        if transposed:
            out, into, rows, columns, at, to = into, out, columns, rows, to, at
        for k in range(rows):
            yy = to + k
            if kind == -1:
                for e in range(n):
                    y[yy, e] = x[at + k, e]
                continue
            if kind < 0:
                for e in range(n):
                    y[yy, e] = 0
                continue
            q = U(kind) + k * out
            i = ONE
            if columns % TWO == ONE:
                for e in range(n):
                    y[yy, e] = matrices[q, e0 + e] * x[at, e]
            else:
                i = TWO
                for e in range(n):
                    y[yy, e] = matrices[q, e0 + e] * x[at, e] + matrices[q + into, e0 + e] * x[at + ONE, e]
            while i + FOUR <= columns:  # four products for each time that y is read and written
                a, b0 = at + i, q + i * into
                b1, b2, b3 = b0 + into, b0 + TWO * into, b0 + THREE * into
                for e in range(n):
                    y[yy, e] += (matrices[b0, e0 + e] * x[a, e] + matrices[b1, e0 + e] * x[a + ONE, e]) + (
                        matrices[b2, e0 + e] * x[a + TWO, e] + matrices[b3, e0 + e] * x[a + THREE, e]
                    )
                i += FOUR
            while i < columns:
                a, b0, b1 = at + i, q + i * into, q + i * into + into
                for e in range(n):
                    y[yy, e] += matrices[b0, e0 + e] * x[a, e] + matrices[b1, e0 + e] * x[a + ONE, e]
                i += TWO


@compiled
def outer(blocks, e0, n, x, g, out):  # type: ignore[no-untyped-def]
    """The gradient of `turn` with respect to its matrices, added to `out`."""
    for r in range(blocks.shape[0]):
        if blocks[r, 0] >= 0:
            first, step, into, rows = U(blocks[r, 0]), U(blocks[r, 1]), U(blocks[r, 2]), U(blocks[r, 3])
            columns, at, to = U(blocks[r, 4]), U(blocks[r, 5]), U(blocks[r, 6])
            for k in range(rows):
                for i in range(columns):
                    q = first + k * step + i * into
                    for e in range(n):
                        out[q, e0 + e] += g[to + k, e] * x[at + i, e]


@partial(compiled, inline="always")
def weigh(ends, path, factor, j, w, u, e0, n, t):  # type: ignore[no-untyped-def]
    """t = the j-th coefficient, a sum of weights."""
    s, stop = ends[j], ends[j + ONE]
    p0, f0 = path[s], factor[s]
    if (stop - s) % TWO == ONE:
        s += ONE
        for e in range(n):
            t[e] = f0 * w[p0, u, e0 + e]
    else:
        p1, f1 = path[s + ONE], factor[s + ONE]
        s += TWO
        for e in range(n):
            t[e] = f0 * w[p0, u, e0 + e] + f1 * w[p1, u, e0 + e]
    while s < stop:
        p0, f0, p1, f1 = path[s], factor[s], path[s + ONE], factor[s + ONE]
        for e in range(n):
            t[e] += f0 * w[p0, u, e0 + e] + f1 * w[p1, u, e0 + e]
        s += TWO


@compiled
def mix(terms, x, w, u, e0, n, t, y):  # type: ignore[no-untyped-def]
    ends, path, factor, stops, pairs, signs = terms[:6]
    for k in range(U(y.shape[0])):
        for e in range(n):
            y[k, e] = 0
    for j in range(U(len(ends) - 1)):
        weigh(ends, path, factor, j, w, u, e0, n, t)
        for s in range(stops[j], stops[j + ONE]):
            k, i, sign = pairs[s, ZERO], pairs[s, ONE], signs[s]
            for e in range(n):
                y[k, e] += sign * t[e] * x[i, e]


@compiled
def unmix(terms, x, w, g, u, e0, n, t, gx, q, gw, weights, fresh):  # type: ignore[no-untyped-def]
    """Gradients of `mix`: gx is written; gw, where `weights` says it is wanted, by way of the coefficients' q, or added to."""
    ends, path, factor, stops, pairs, signs, starts, coefficient, share = terms
    for k in range(U(gx.shape[0])):
        for e in range(n):
            gx[k, e] = 0
    for j in range(U(len(ends) - 1)):
        weigh(ends, path, factor, j, w, u, e0, n, t)
        for s in range(stops[j], stops[j + ONE]):
            k, i, sign = pairs[s, ZERO], pairs[s, ONE], signs[s]
            for e in range(n):
                gx[i, e] += sign * t[e] * g[k, e]
        if not weights:
            continue
        s = stops[j]
        k, i, sign = pairs[s, ZERO], pairs[s, ONE], signs[s]
        if (stops[j + ONE] - s) % TWO == ONE:  # entries mostly come in twos
            s += ONE
            for e in range(n):
                q[j, e] = sign * g[k, e] * x[i, e]
        else:
            k1, i1, sign1 = pairs[s + ONE, ZERO], pairs[s + ONE, ONE], signs[s + ONE]
            s += TWO
            for e in range(n):
                q[j, e] = sign * g[k, e] * x[i, e] + sign1 * g[k1, e] * x[i1, e]
        while s < stops[j + ONE]:
            k, i, sign = pairs[s, ZERO], pairs[s, ONE], signs[s]
            k1, i1, sign1 = pairs[s + ONE, ZERO], pairs[s + ONE, ONE], signs[s + ONE]
            for e in range(n):
                q[j, e] += sign * g[k, e] * x[i, e] + sign1 * g[k1, e] * x[i1, e]
            s += TWO
    if weights:
        for p in range(U(len(starts) - 1)):
            s = starts[p]
            f0, c0 = share[s], coefficient[s]
            if fresh:  # each entry is written by one channel: nothing needs to be there before
                s += ONE
                for e in range(n):
                    gw[p, u, e0 + e] = f0 * q[c0, e]
            while s + TWO <= starts[p + ONE]:
                f0, f1, c0, c1 = share[s], share[s + ONE], coefficient[s], coefficient[s + ONE]
                for e in range(n):
                    gw[p, u, e0 + e] += f0 * q[c0, e] + f1 * q[c1, e]
                s += TWO
            if s < starts[p + ONE]:
                f0, c0 = share[s], coefficient[s]
                for e in range(n):
                    gw[p, u, e0 + e] += f0 * q[c0, e]


@compiled
def forward(x, before, w, after, ends, blocks, terms, sizes, start, stop, out):  # type: ignore[no-untyped-def]
    (source, target), (first, last), (k1, k2) = ends, blocks, sizes
    kind, shared = x.dtype, w.shape[1] == 1
    a, b = np.empty((x.shape[0], BLOCK), kind), np.empty((k1, BLOCK), kind)
    c, d, t = np.empty((k2, BLOCK), kind), np.empty((out.shape[0], BLOCK), kind), np.empty(BLOCK, kind)
    for begin in range(start, stop, BLOCK):
        e0, n = U(begin), U(min(BLOCK, stop - begin))
        for u in range(U(x.shape[1])):
            v = ZERO if shared else u
            gather(x, u, source, e0, n, a)
            turn(first, before, e0, n, False, a, b)
            mix(terms, b, w, v, e0, n, t, c)
            turn(last, after, e0, n, False, c, d)
            scatter(d, u, target, e0, n, out)


@compiled
def backward(x, before, w, after, g, ends, blocks, terms, sizes, start, stop, wanted, fresh, grads):  # type: ignore[no-untyped-def]
    (source, target), (first, last), (k1, k2) = ends, blocks, sizes
    gx, gbefore, gw, gafter = grads
    kind, shared = x.dtype, w.shape[1] == 1
    a, b, gb = np.empty((x.shape[0], BLOCK), kind), np.empty((k1, BLOCK), kind), np.empty((k1, BLOCK), kind)
    c, gc, d = np.empty((k2, BLOCK), kind), np.empty((k2, BLOCK), kind), np.empty((g.shape[0], BLOCK), kind)
    t, q = np.empty(BLOCK, kind), np.empty((len(terms[0]) - 1, BLOCK), kind)
    for begin in range(start, stop, BLOCK):
        e0, n = U(begin), U(min(BLOCK, stop - begin))
        for u in range(U(x.shape[1])):
            v = ZERO if shared else u
            gather(x, u, source, e0, n, a)
            turn(first, before, e0, n, False, a, b)
            gather(g, u, target, e0, n, d)
            turn(last, after, e0, n, True, d, gc)
            if wanted[3]:
                mix(terms, b, w, v, e0, n, t, c)
                outer(last, e0, n, c, d, gafter)
            unmix(terms, b, w, gc, v, e0, n, t, gb, q, gw, wanted[2], fresh)
            if wanted[1]:
                outer(first, e0, n, a, gb, gbefore)
            if wanted[0]:
                turn(first, before, e0, n, True, gb, a)
                scatter(a, u, source, e0, n, gx)


def channels_innermost(device: str, channels: int) -> bool:
    """Whether rows are (edge, channel): never, for a block of edges is done one channel at a time."""
    return False


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
    blocks, terms = _tables(tables, x)
    inputs = [_array(v) for v in (x, before, w, after)]
    ends = _indices("source", source, x.shape[2]), _indices("target", target, targets)

    def part(start: int, stop: int) -> NDArray[Any]:
        out = np.zeros((k3, x.shape[1], targets), inputs[0].dtype)
        forward(*inputs, ends, blocks, terms, (k1, k2), start, stop, out)
        return out

    return torch.from_numpy(_over_edges(part, len(source), (x.shape[0] + k3) * x.shape[1]))


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
    k1, k2, k3, targets = sizes
    blocks, terms = _tables(tables, x)
    inputs = [_array(v) for v in (x, before, w, after, g)]
    ends = _indices("source", source, x.shape[2]), _indices("target", target, targets)
    # What belongs to an edge is written by one thread each; points are shared, so each thread has its own. The weights' are the
    # largest: where each entry is written by one channel alone, nothing needs to be there before.
    own = [np.zeros(v.shape if yes else (0,) * v.ndim, v.dtype) for v, yes in zip(inputs[:4], wanted, strict=True)]
    fresh = w.shape[1] > 1 and w.shape[0] == len(terms[6]) - 1 and bool(np.diff(terms[6]).all())
    if fresh and wanted[2]:
        own[2] = np.empty(w.shape, inputs[2].dtype)

    def part(start: int, stop: int) -> NDArray[Any]:
        gx = np.zeros(x.shape if wanted[0] else (0, 0, 0), inputs[0].dtype)
        backward(*inputs, ends, blocks, terms, (k1, k2), start, stop, tuple(wanted), fresh, (gx, *own[1:]))
        return gx

    gx = _over_edges(part, len(source), (x.shape[0] + k3) * x.shape[1])
    found = [torch.from_numpy(v if yes else v.reshape(-1)) for v, yes in zip([gx, *own[1:]], wanted, strict=True)]
    if wanted[2] and not w.is_contiguous():
        found[2] = torch.empty_like(w).copy_(found[2])
    return tuple(found)  # type: ignore[return-value]


def _over_edges(part: Callable[[int, int], NDArray[Any]], edges: int, work: int) -> NDArray[Any]:
    """The sum of part(start, stop) over pieces of the edges, one for each thread."""
    threads = max(1, min(torch.get_num_threads(), edges * work // WORTH, -(-edges // BLOCK)))
    if threads == 1:
        return part(0, edges)
    # Whole blocks, so that the result does not depend on how many threads there are more than it must.
    cuts = np.linspace(0, -(-edges // BLOCK), threads + 1).astype(int) * BLOCK
    pieces = [(int(start), min(int(stop), edges)) for start, stop in zip(cuts[:-1], cuts[1:], strict=True)]
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(part, *piece) for piece in pieces[1:]]
        total = part(*pieces[0])
        for other in others:
            total += other.result()
    return total


def _array(x: Tensor) -> NDArray[Any]:
    return x.detach().contiguous().numpy()


def _unsigned(index: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(index).view(U)


def _indices(name: str, index: Tensor, number: int) -> NDArray[Any]:
    """ValueError for one out of range: the loops do not look, and would write elsewhere. Layers look too, unless compiled."""
    found = _array(index)
    if found.size:
        low, high = int(found.min()), int(found.max())
        if low < 0 or high >= number:
            raise ValueError(f"{name}: got {low} ... {high}, expected 0 ... {number - 1}")
    return _unsigned(found)


def _tables(tables: list[Tensor], x: Tensor) -> tuple[tuple[NDArray[Any], ...], tuple[NDArray[Any], ...]]:
    """Blocks of both matrices, and the terms of the sparse part, numbers in x's dtype."""
    kind = np.float32 if x.dtype == torch.float32 else np.float64
    first, last, ends, path, factor, stops, pairs, starts, coefficient, share = (table.numpy() for table in tables)
    signs = pairs[:, 2].astype(kind)
    return (first, last), (
        ends,
        path,
        factor.astype(kind),
        stops,
        pairs,
        signs,
        starts,
        coefficient,
        share.astype(kind),
    )


# Points come and go as (points, components), and are rows in between. Rows are a little longer than a block of points: where
# they begin a power of two apart, few of them fit into the nearest cache together.
WIDTH = POINTS + 16
EIGHT, FEW = U(8), U(32)  # columns that are copied at a time where there are few


@compiled
def turn_over(x, n, rows):  # type: ignore[no-untyped-def]
    """The first columns of x as rows, n numbers of each; of transposed views it turns rows to columns."""
    size, k = U(rows.shape[0]), ZERO
    while size <= FEW and k + EIGHT <= size:
        for e in range(n):
            for j in range(EIGHT):
                rows[k + j, e] = x[e, k + j]
        k += EIGHT
    if size <= FEW:
        while k < size:
            for e in range(n):
                rows[k, e] = x[e, k]
            k += ONE
    else:
        for e in range(n):
            for j in range(size):
                rows[j, e] = x[e, j]


@compiled
def squares(z, pairs, form, n, s):  # type: ignore[no-untyped-def]
    for e in range(n):
        s[e] = 0
    for p in range(U(len(form))):
        i, j, f = pairs[p, ZERO], pairs[p, ONE], form[p]
        for e in range(n):
            s[e] += f * z[i, e] * z[j, e]


@compiled
def inverse_lengths(s, mu2, n, r):  # type: ignore[no-untyped-def]
    """From squares s; see `scale.length`. NaN where a square has overflowed: 1 / inf would be a zero that looks right."""
    one, zero, tiny = s.dtype.type(1), s.dtype.type(0), np.finfo(s.dtype).tiny
    if mu2 > 0:
        for e in range(n):
            v = abs(s[e])
            q = mu2 / v if v > mu2 else v / mu2  # s^2 alone would leave float32 at |x| = 1e10
            r[e] = one / np.sqrt((v if v > mu2 else mu2) * np.sqrt(one + q * q)) + zero * v
    else:
        for e in range(n):
            v = s[e]
            r[e] = one / np.sqrt(one if v <= tiny else v) + zero * v  # not NaN, which has to come through


@compiled
def recurse(x, terms, values, pairs, form, start, mu2, unit, out):  # type: ignore[no-untyped-def]
    kind, stop = x.dtype, U(len(values))
    y, z = np.empty((out.shape[1], WIDTH), kind), np.empty((x.shape[1], WIDTH), kind)
    s, r = np.empty(POINTS, kind), np.empty(POINTS, kind)
    for begin in range(0, x.shape[0], POINTS):
        e0, n = U(begin), U(min(POINTS, x.shape[0] - begin))
        turn_over(x[e0:], n, z)
        if unit:
            squares(z, pairs, form, n, s)
            inverse_lengths(s, mu2, n, r)
            for a in range(U(len(z))):
                for e in range(n):
                    z[a, e] *= r[e]
        for e in range(n):
            y[ZERO, e] = start
        t = last = ZERO
        while t < stop:  # terms of one row follow on one another: the first one or two write it, the others add to it
            k, b0, a0, f0 = terms[t, ZERO], terms[t, ONE], terms[t, TWO], values[t]
            fresh, two = k != last, t + ONE < stop and terms[t + ONE, ZERO] == k
            if two:
                b1, a1, f1 = terms[t + ONE, ONE], terms[t + ONE, TWO], values[t + ONE]
                if fresh:
                    for e in range(n):
                        y[k, e] = f0 * y[b0, e] * z[a0, e] + f1 * y[b1, e] * z[a1, e]
                else:
                    for e in range(n):
                        y[k, e] += f0 * y[b0, e] * z[a0, e] + f1 * y[b1, e] * z[a1, e]
                t += TWO
            else:
                if fresh:
                    for e in range(n):
                        y[k, e] = f0 * y[b0, e] * z[a0, e]
                else:
                    for e in range(n):
                        y[k, e] += f0 * y[b0, e] * z[a0, e]
                t += ONE
            last = k
        turn_over(y.T, n, out[e0:].T)


@compiled
def add_products(a, b, left, right, to, values, n, c):  # type: ignore[no-untyped-def]
    for i in range(U(len(c))):
        for e in range(n):
            c[i, e] = 0
    for t in range(U(len(values))):
        i, j, k, f = left[t], right[t], to[t], values[t]
        for e in range(n):
            c[k, e] += f * a[i, e] * b[j, e]


@compiled
def recurse_back(x, y, g, left, right, to, values, pairs, form, mu2, unit, below, out):  # type: ignore[no-untyped-def]
    kind = x.dtype
    a, b = np.empty((below, WIDTH), kind), np.empty((g.shape[1], WIDTH), kind)
    z, c, d = (
        np.empty((x.shape[1], WIDTH), kind),
        np.empty((x.shape[1], WIDTH), kind),
        np.empty((x.shape[1], WIDTH), kind),
    )
    s, r, q = np.empty(POINTS, kind), np.empty(POINTS, kind), np.empty(POINTS, kind)
    zero, tiny = kind.type(0), np.finfo(kind).tiny
    for begin in range(0, x.shape[0], POINTS):
        e0, n = U(begin), U(min(POINTS, x.shape[0] - begin))
        turn_over(y[e0:], n, a)
        turn_over(g[e0:], n, b)
        add_products(a, b, left, right, to, values, n, c)
        if unit:  # (c - M x (c . x) slope / s) / s
            turn_over(x[e0:], n, z)
            squares(z, pairs, form, n, s)
            inverse_lengths(s, mu2, n, r)
            for e in range(n):
                q[e] = 0
            for i in range(U(len(z))):
                for e in range(n):
                    q[e] += c[i, e] * z[i, e]
                    d[i, e] = 0
            for p in range(U(len(form))):
                i, j, f = pairs[p, ZERO], pairs[p, ONE], form[p]
                for e in range(n):
                    d[i, e] += f * z[j, e]
            if mu2 > 0:
                for e in range(n):  # apart, so that no order of factors leaves the dtype
                    s[e] *= r[e] * r[e]
                for e in range(n):
                    q[e] *= s[e] * r[e] * r[e]
            else:
                for e in range(n):
                    v = s[e]
                    q[e] *= zero if v <= tiny else r[e] * r[e]
            for i in range(U(len(z))):
                for e in range(n):
                    c[i, e] = (c[i, e] - d[i, e] * q[e]) * r[e]
        turn_over(c.T, n, out[e0:].T)


@compiled
def bilinear(p, q, left, right, to, values, out):  # type: ignore[no-untyped-def]
    """out[:, to] += value p[:, left] q[:, right], in blocks turned to rows."""
    kind = p.dtype
    a, b = np.empty((p.shape[1], WIDTH), kind), np.empty((q.shape[1], WIDTH), kind)
    c = np.empty((out.shape[1], WIDTH), kind)
    for begin in range(0, p.shape[0], POINTS):
        e0, n = U(begin), U(min(POINTS, p.shape[0] - begin))
        turn_over(p[e0:], n, a)
        turn_over(q[e0:], n, b)
        add_products(a, b, left, right, to, values, n, c)
        turn_over(c.T, n, out[e0:].T)


@compiled
def bilinear_rows(p, q, left, right, to, values, out):  # type: ignore[no-untyped-def]
    """out[to] += value p[left] q[right]."""
    for begin in range(0, p.shape[1], BLOCK):
        e0, n = U(begin), U(min(BLOCK, p.shape[1] - begin))
        for t in range(U(len(values))):
            i, j, k, f = left[t], right[t], to[t], values[t]
            for e in range(n):
                out[k, e0 + e] += f * p[i, e0 + e] * q[j, e0 + e]


def recursion(x: Tensor, tables: list[Tensor], size: int, start: float, mu: float, unit: bool) -> Tensor:
    v = _array(x)
    out = np.empty((len(v), size), v.dtype)
    terms, values, pairs, form = (table.numpy() for table in tables)
    kind = v.dtype.type
    numbers = values.astype(kind), _unsigned(pairs), form.astype(kind)
    recurse(v, _unsigned(terms), *numbers, kind(start), kind(mu**2), unit, out)
    return torch.from_numpy(out)


def recursion_gradient(x: Tensor, y: Tensor, g: Tensor, tables: list[Tensor], mu: float, unit: bool) -> Tensor:
    v = _array(x)
    out = np.empty_like(v)
    terms, values, pairs, form = (table.numpy() for table in tables)
    kind, below = v.dtype.type, int(terms[:, 0].max(initial=-1)) + 1
    numbers = values.astype(kind), _unsigned(pairs), form.astype(kind)
    recurse_back(v, _array(y), _array(g), *map(_unsigned, terms.T), *numbers, kind(mu**2), unit, below, out)
    return torch.from_numpy(out)


def form(
    a: Tensor, b: Tensor, left: Tensor, right: Tensor, to: Tensor, values: Tensor, size: int, rows: bool
) -> Tensor:
    p, q = _array(a), _array(b)
    out = np.zeros((size, p.shape[1]), p.dtype) if rows else np.empty((len(p), size), p.dtype)
    run = bilinear_rows if rows else bilinear
    places = (_unsigned(index.numpy()) for index in (left, right, to))
    run(p, q, *places, values.numpy().astype(p.dtype), out)
    return torch.from_numpy(out)


@compiled
def align(r, planes, last, lines, values, out):  # type: ignore[no-untyped-def]
    kind, top, steps = r.dtype, U(last.shape[1]), U(len(planes))
    x, s = np.empty((r.shape[1], POINTS), kind), np.empty((len(planes), max(3, last.shape[1]), POINTS), kind)
    y, z = np.empty((len(last), POINTS), kind), np.empty((len(last), POINTS), kind)
    tiny = np.finfo(kind).tiny
    for begin in range(0, len(r), POINTS):
        e0, n = U(begin), U(min(POINTS, len(r) - begin))
        turn_over(r[e0:], n, x)
        for p in range(steps):  # one component after the other is turned away
            a, b = planes[p, ZERO], planes[p, ONE]
            for e in range(n):
                rest = np.hypot(x[a, e], x[b, e])
                none = rest <= tiny  # not NaN, which has to come through
                s[p, ZERO, e] = 1
                s[p, ONE, e] = kind.type(1) if none else x[a, e] / rest
                s[p, TWO, e] = kind.type(0) if none else x[b, e] / rest
                x[a, e], x[b, e] = rest, 0
            for m in range(THREE, top, TWO):
                for e in range(n):
                    cos, sin, c, d = s[p, ONE, e], s[p, TWO, e], s[p, m - TWO, e], s[p, m - ONE, e]
                    s[p, m, e], s[p, m + ONE, e] = c * cos - d * sin, d * cos + c * sin
        for k in range(U(len(last))):
            for e in range(n):
                y[k, e] = 0
            for m in range(top):
                f = last[k, m]
                if f != 0:
                    for e in range(n):
                        y[k, e] += f * s[steps - ONE, m, e]
        for p in range(1, len(planes)):
            number = len(planes) - 1 - p
            for k in range(U(len(last))):
                for e in range(n):
                    z[k, e], y[k, e] = y[k, e], 0
            for t in range(U(len(values))):
                if lines[t, ZERO] == number:
                    f, m = values[t], lines[t, FOUR]
                    for i in range(lines[t, THREE]):
                        to, at = lines[t, ONE] + i, lines[t, TWO] + i
                        for e in range(n):
                            y[to, e] += f * s[number, m, e] * z[at, e]
        for k in range(U(len(last))):
            for e in range(n):
                out[k, e0 + e] = y[k, e]


def frames(r: Tensor, tables: list[Tensor]) -> Tensor:
    v = _array(r)
    planes, last, lines, values = (table.numpy() for table in tables)
    out = np.empty((len(last), len(v)), v.dtype)
    align(v, _unsigned(planes), last.astype(v.dtype), _unsigned(lines), values.astype(v.dtype), out)
    return torch.from_numpy(out)
