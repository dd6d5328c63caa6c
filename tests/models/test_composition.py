"""Trees on what crystals are made of: features of a known crystal, blindness to structure, and what they learn."""

import numpy as np
import pytest

from eqlib import data
from eqlib.models.composition import KINDS, composition, crystal_trees

F = np.arange(51) * 20.0


def salts(number=30):
    """Rock salt of growing width with one peak, lower where it is wider."""
    rng = np.random.default_rng(0)
    a = rng.uniform(2.5, 3.5, number)
    cells = a[:, None, None] * (1 - np.eye(3))
    positions = np.stack([np.zeros((number, 3)), cells.sum(1) / 2], axis=1).reshape(-1, 3)
    spectra = np.exp(-0.5 * ((F - 1000 / a[:, None]) / 40) ** 2)
    return data.as_crystals([11, 17] * number, positions, cells, [2] * number, frequencies=F, spectra=spectra)


def test_features_of_salt():
    row = composition(salts()[:1])[0]
    assert row[[10, 16]].tolist() == [0.5, 0.5] and row[:118].sum() == 1
    mean = (22.9898 + 35.45) / 2
    assert row[119:].tolist() == pytest.approx([mean / row[118], mean, 22.9898, 35.45])
    assert composition(salts()[:1].repeated([2, 2, 1]))[0].tolist() == pytest.approx(row.tolist())
    assert composition(salts()[:0]).shape == (0, 123)


@pytest.mark.parametrize("kind", KINDS)
def test_they_learn_what_the_density_says(kind):
    known = salts()
    found = crystal_trees(kind, known[:24], known[24:], trees=30)
    off, mean = ((x - known[24:].spectra) ** 2 for x in (found, known[:24].spectra.mean(0)))
    assert off.mean() < mean.mean() / 2
    assert np.array_equal(found, crystal_trees(kind, known[:24], known[24:], trees=30))


def test_what_they_refuse():
    with pytest.raises(ValueError, match="kind: got 'oak', expected one of extra-trees, forest"):
        crystal_trees("oak", salts(), salts())
    with pytest.raises(ValueError, match="train: got crystals without spectra"):
        crystal_trees("forest", salts().strained(np.zeros((3, 3))), salts())
