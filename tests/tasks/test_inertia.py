"""A reader's own bodies: what the networks take of them, and what they are told about."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from eqlib import data, files, training
from eqlib.tasks import inertia


def two(apart: float) -> tuple[list[float], list[list[float]]]:
    return [1.0, 2.0], [[0, 0, 0], [0, 0, apart]]


def test_prepare_warns_of_points_far_apart():
    """Beyond what it was trained on the network is wrong; the warning points at the caller's line."""
    field = training.load(files.checkpoint("inertia-field.pt"))
    for prepare in (field.prepare, lambda raw: inertia.prepare("field", raw)):
        with pytest.warns(UserWarning) as said:
            inputs = prepare(two(3.0))
        assert [str(w.message) for w in said] == ["positions: got points 3 m apart, trained on up to 1.73 m"]
        assert said[0].filename == __file__
    assert [tuple(x.shape) for x in inputs] == [(2, 1), (2, 3), (2, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        field.prepare(two(1.7))
        field.prepare(([], np.zeros((0, 3))))
        trained = data.rigid_bodies(inertia.BODIES, inertia.POINTS, seed=0)
        for i in range(20):
            where = trained.points(np.array([i]))
            field.prepare((trained.masses[where], trained.positions[where]))


@pytest.mark.parametrize(
    ("raw", "came"),
    [
        ([two(1.0), ([1.0, 2.0, 3.0], np.zeros((3, 3)))], "shapes ragged, ragged"),
        ([two(1.0)] * 3, "shapes ragged, ragged, ragged"),
        ((np.ones((4, 5)), np.zeros((4, 5, 3))), "shapes (4, 5), (4, 5, 3)"),
        ((np.ones(5), np.zeros((4, 3))), "shapes (5,), (4, 3)"),
        (two(1.0)[0], "shapes (), ()"),
        (np.ones(5), "ndarray"),
        (data.rigid_bodies(2, 3), "Bodies"),
    ],
)
def test_prepare_takes_one_body(raw, came):
    expected = (
        f"raw: got {came}, expected (masses (n,), positions (n, 3)) of one body; for several call prepare for each"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        inertia.prepare("field", raw)
