"""Clusters of sequences that are relatives: families made here, by changing letters of an ancestor."""

import os
from itertools import chain

import numpy as np
import pytest

from eqlib import data

LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def ancestor(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(LETTERS), length))


def descendant(rng: np.random.Generator, sequence: str, changed: float) -> str:
    """So large a share of letters is another one."""
    letters = np.array(list(sequence))
    where = rng.permutation(len(letters))[: round(changed * len(letters))]
    letters[where] = [rng.choice([c for c in LETTERS if c != old]) for old in letters[where]]
    return "".join(letters)


@pytest.mark.parametrize("seed", range(3))
def test_families_are_found(seed: int) -> None:
    """Four families of three, of 60 to 400 letters, that share half of their letters, and eight that are nobody's relatives."""
    rng = np.random.default_rng(seed)
    first = {f: ancestor(rng, int(rng.integers(60, 400))) for f in "ABCD"}
    families = {f"{f}{k}": descendant(rng, one, 0.25) for f, one in first.items() for k in range(3)}
    alone = {f"x{k}": ancestor(rng, int(rng.integers(40, 600))) for k in range(8)}
    names = rng.permutation([*families, *alone]).tolist()
    sequences = {name: [ancestor(rng, 100), (families | alone)[name]] for name in names}  # and one that is its own
    found = data.sequence_clusters(sequences)
    assert {frozenset(c) for c in found} == {
        *(frozenset(f"{f}{k}" for k in range(3)) for f in "ABCD"),
        *(frozenset([name]) for name in alone),
    }
    assert [len(c) for c in found] == sorted((len(c) for c in found), reverse=True)


def test_relatives_of_relatives_are_one_cluster() -> None:
    """And either partner may be the relative; two proteins of one complex are no matter."""
    rng = np.random.default_rng(0)
    a, b, c = (ancestor(rng, 120) for _ in range(3))
    linked = {"one": [a, b], "two": [descendant(rng, b, 0.4), c], "three": [descendant(rng, c, 0.4)]}
    linked["four"] = [ancestor(rng, 90)] * 2
    assert data.sequence_clusters(linked) == [["one", "two", "three"], ["four"]]
    assert data.sequence_clusters({}) == []


def test_the_share_of_letters_is_what_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    a = ancestor(rng, 300)
    pair = {"a": [a], "b": [descendant(rng, a, 0.5)]}
    assert data.sequence_clusters(pair, 0.45) == [["a", "b"]] and data.sequence_clusters(pair, 0.6) == [["a"], ["b"]]


def test_a_short_sequence_is_no_relative_of_every_long_one() -> None:
    """Its letters are all there, in order, with gaps: more than 0.3 of them are shared."""
    rng = np.random.default_rng(2)
    names = {f"{k}": [ancestor(rng, 900 if k else 50)] for k in range(6)}
    assert len(data.sequence_clusters(names)) == 6


@pytest.mark.parametrize("wrong", ["", "ACD1", "acd", "A-C"])
def test_letters_that_are_no_amino_acids(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"sequences: got .* of b, expected capital letters"):
        data.sequence_clusters({"a": ["ACD"], "b": [wrong]})


def test_folds_keep_clusters_together() -> None:
    rng = np.random.default_rng(3)
    clusters = [[f"{k}.{n}" for n in range(size)] for k, size in enumerate(rng.integers(1, 8, 30))]
    found = data.folds(clusters, 5)
    assert sorted(chain(*found)) == sorted(chain(*clusters))
    assert all(len({k for k, fold in enumerate(found) if set(c) & set(fold)}) == 1 for c in clusters)
    assert max(map(len, found)) - min(map(len, found)) <= 2


@pytest.mark.skipif(
    "EQLIB_COMPLEXES" not in os.environ, reason="EQLIB_COMPLEXES names no folder of Docking Benchmark 5"
)
def test_the_families_of_the_benchmark() -> None:
    """Antibodies, small GTPases and serine proteases, each together."""
    folder = os.environ["EQLIB_COMPLEXES"]
    found = data.sequence_clusters(data.benchmark_sequences(folder))
    of = {name: k for k, cluster in enumerate(found) for name in cluster}
    families = ["1AHW 1E6J 1FSK 1JPS 1NCA 2JEL 2VXT 9QFW 4G6M", "1WQ1 1HE1 1I4D 1A2K 2FJU", "1AVX 1CGI 1D6R 1EAW"]
    for family in families:
        assert len({of[name] for name in family.split()}) == 1
    assert len({of[family[:4]] for family in families}) == 3 and len(found) > 60
