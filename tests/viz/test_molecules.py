"""Molecules as scenes: balls by element, bonds by distance, arrows."""

import numpy as np
import pytest

from eqlib import viz

WATER = [8, 1, 1], [[0.0, 0, 1], [0.76, 0, 1.59], [-0.76, 0, 1.59]]


def kinds(scene):
    return [type(piece).__name__ for piece in scene]


def test_bonds_are_between_atoms_that_touch():
    scene = viz.molecule(*WATER)
    assert kinds(scene) == ["Points", "Points", "Sticks"]
    sticks = scene[2]
    assert np.linalg.norm(np.subtract(sticks.starts, sticks.ends), axis=1) == pytest.approx([np.hypot(0.76, 0.59)] * 2)
    assert kinds(viz.molecule([2, 2], [[0, 0, 0], [0, 0, 4]])) == ["Points"]
    centre = np.concatenate([piece.where for piece in scene[:2]]).mean(0)
    assert centre == pytest.approx([0, 0, 0])


def test_arrows_of_atoms_and_of_the_whole():
    forces = np.array([[0.0, 0, 2], [0, 0, 0], [1, 0, 0]])
    arrows = viz.molecule(*WATER, forces, scale=0.5)[-1]
    assert arrows.vectors.tolist() == [[0, 0, 1], [0.5, 0, 0]]  # none for what has no length
    assert viz.molecule(*WATER, [0, 0, 3.0])[-1].starts.tolist() == [[0, 0, 0]]
    assert kinds(viz.molecule(*WATER, np.zeros(3))) == kinds(viz.molecule(*WATER))
    assert viz.plot_scene(viz.molecule(*WATER, forces), size=80).size == (80, 80)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([8, 1], WATER[1]), "numbers: got"),
        ((*WATER, np.ones((2, 3))), "vectors: got"),
        ((WATER[0], [[0, 0, np.nan]] * 3), "positions: got NaN"),
    ],
)
def test_bad_input_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        viz.molecule(*given)
