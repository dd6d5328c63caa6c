"""Which residue of one protein is which of another: by aligning their sequences, as DockQ does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eqlib.doors import affordable

from .structures import Structure

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
MATCH, MISMATCH, OPEN, EXTEND = 5.0, 0.0, -4.0, -0.5
LEAST_PAIRED = 0.5  # of the native's residues


def aligned(one: str, other: str) -> Pairs:
    """Places of equal letters in the best global alignment of two sequences: a match counts 5, a gap -4 and -0.5 for each more.

    Of equally good alignments it is the one that Biopython's aligner, and so DockQ, takes first.

    >>> aligned("MKLVW", "KLVVW")  # MKL-VW and -KLVVW
    (array([1, 2, 3, 4]), array([0, 1, 3, 4]))
    """
    n, m = len(one), len(other)
    if one == other:
        return np.arange(n), np.arange(n)
    affordable(f"aligning sequences of {n} and {m}", 3 * (n + 1) * (m + 1), "take fewer residues")
    a, b = np.frombuffer(one.encode(), np.uint8), np.frombuffer(other.encode(), np.uint8)
    # Best scores of beginnings that end with a pair, with a letter of `one` alone, with one of `other` alone (Gotoh 1982).
    pair, left, right = scores = np.full((3, n + 1, m + 1), -np.inf, dtype=np.float32)  # multiples of 1/2: exact
    pair[0, 0] = 0
    steps = EXTEND * np.arange(m + 1, dtype=np.float32)
    for i in range(n + 1):
        if i:
            pair[i, 1:] = scores[:, i - 1, :-1].max(axis=0) + np.where(b == a[i - 1], MATCH, MISMATCH)
            left[i] = np.maximum(np.maximum(pair[i - 1], right[i - 1]) + OPEN, left[i - 1] + EXTEND)
        best = np.maximum.accumulate(np.maximum(pair[i], left[i]) - steps)
        right[i, 1:] = best[:-1] + steps[:-1] + OPEN
    return _traced(scores, a, b)


def _traced(scores: NDArray[np.float32], a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Pairs:
    """Back from the end; of equally good ways a pair first, then a letter of the first sequence."""
    i, j = len(a), len(b)
    state = int(scores[:, i, j].argmax())
    found: list[tuple[int, int]] = []
    while i or j:
        if state == 0:
            i, j = i - 1, j - 1
            if a[i] == b[j]:
                found.append((i, j))
            state = int(scores[:, i, j].argmax())
        else:
            i, j = (i - 1, j) if state == 1 else (i, j - 1)
            costs = np.full(3, OPEN)
            costs[state] = EXTEND
            state = int((scores[:, i, j] + costs).argmax())
    places = np.array(found[::-1], dtype=np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def paired(name: str, model: Structure, native: Structure) -> Pairs:
    """Residues of a model and of the native that are the same one, (p,) and (p,): chain by chain where the chains have the same
    names, or are as many; else all residues as one chain.

    ValueError, which says `name`, where fewer than half of the native's residues have a partner.
    """
    if model.sequence == native.sequence and np.array_equal(model.chains, native.chains):
        found = aligned(model.sequence, native.sequence)
    else:
        ours, theirs = (list(dict.fromkeys(each.chains.tolist())) for each in (model, native))
        by_chain = (
            [(name, name) for name in theirs] if set(ours) == set(theirs) else list(zip(ours, theirs, strict=False))
        )
        if len(ours) == len(theirs):
            places = [(np.flatnonzero(model.chains == x), np.flatnonzero(native.chains == y)) for x, y in by_chain]
        else:
            places = [(np.arange(len(model)), np.arange(len(native)))]
        letters, native_letters = np.array(list(model.sequence)), np.array(list(native.sequence))
        each = [(p, q, aligned("".join(letters[p]), "".join(native_letters[q]))) for p, q in places]
        found = np.concatenate([p[i] for p, _, (i, _) in each]), np.concatenate([q[j] for _, q, (_, j) in each])
    if len(found[0]) < LEAST_PAIRED * len(native):
        raise ValueError(
            f"{name}: got {len(found[0])} of the native's {len(native)} residues in its sequence, expected at least half"
        )
    return found
