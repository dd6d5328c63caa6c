"""Jets as a detector sees them, and the bars beside them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from eqlib import viz
from eqlib.viz.jets import jet_angles, plot_probabilities

# Two massless particles in the plane of the detector: (pT, eta, phi) = (30, 0.5, 3.0) and (10, 0.5, -3.0), then padding.
POLAR = np.array([[30.0, 0.5, 3.0], [10.0, 0.5, -3.0]])
PT, ETA, PHI = POLAR.T
MOMENTA = np.stack([PT * np.cosh(ETA), PT * np.cos(PHI), PT * np.sin(PHI), PT * np.sinh(ETA)], -1)
JET = np.concatenate([MOMENTA, np.full((1, 4), 7.0)])
MASK = np.array([True, True, False])


def test_places_are_taken_from_the_axis_across_the_seam() -> None:
    """Azimuths 3.0 and -3.0 are 0.28 apart, not 6; the axis lies nearer to the harder particle; padding is left out."""
    places, shares = jet_angles(JET, MASK)
    assert shares == pytest.approx([0.75, 0.25])
    assert places[1, 1] - places[0, 1] == pytest.approx(2 * np.pi - 6)
    assert abs(places[0, 1]) < abs(places[1, 1]) < 0.3
    assert places[:, 0] == pytest.approx([0, 0], abs=0.02)


def dark(image: Any) -> tuple[float, float]:
    """Centre of the blue dots, columns and rows from the middle, as parts of the picture's half."""
    pixels = np.asarray(image).astype(int)
    rows, columns = np.nonzero(pixels[..., 2] - pixels[..., 0] > 60)
    half = image.width / 2
    return columns.mean() / half - 1, rows.mean() / half - 1


def test_a_dot_stands_where_its_particle_went() -> None:
    """Pseudorapidity to the right, azimuth up, and a larger share makes a larger dot."""
    right = np.array([[10 * np.cosh(0.4), 10.0, 0.0, 10 * np.sinh(0.4)]])
    up = np.array([[10.0, 10 * np.cos(0.4), 10 * np.sin(0.4), 0.0]])
    rest = np.array([[1000.0, 1000.0, 0.0, 0.0]])  # holds the axis near the origin
    for particle, (x, y) in ((right, (0.4, 0)), (up, (0, -0.4))):
        together = viz.plot_jet(np.concatenate([rest, particle]), [True, True], size=200)
        alone = viz.plot_jet(rest, [True], size=200)
        new = np.abs(np.asarray(together).astype(int) - np.asarray(alone)).sum(-1) > 150
        new[72:128, 72:128] = False  # the large dot at the axis
        rows, columns = np.nonzero(new)
        assert columns.mean() / 100 - 1 == pytest.approx(x, abs=0.06)
        assert rows.mean() / 100 - 1 == pytest.approx(y, abs=0.06)
    assert dark(viz.plot_jet(rest, [True])) == pytest.approx((0, 0), abs=0.02)


def test_bars_are_as_long_as_the_probabilities() -> None:
    pixels = np.asarray(plot_probabilities({"a": 0.25, "b": 1.0}, size=208)).astype(int)
    blue = (pixels == [0, 114, 178]).all(-1).any(0).nonzero()[0]
    orange = (pixels == [230, 159, 0]).all(-1).any(0).nonzero()[0]
    assert np.ptp(blue) == pytest.approx(0.25 * 192, abs=3)
    assert np.ptp(orange) == pytest.approx(192, abs=3)


def test_a_boosted_jet_is_drawn_in_time() -> None:
    """The slider has 100 ms for networks and picture; the picture takes a small part of it."""
    rng = np.random.default_rng(0)
    three = rng.normal([50.0, 0.0, 0.0], size=(50, 3))
    jet = np.concatenate([np.linalg.norm(three, axis=1, keepdims=True), three], axis=1)
    seconds = []
    for value in (0.1, 0.5, 0.9):
        start = time.perf_counter()
        image = viz.plot_boosted_jet(jet, np.ones(50, dtype=bool), {"one": value, "two": 0.5})
        assert viz.png(image)
        seconds.append(time.perf_counter() - start)
    assert image.width > 2 * image.height * 0.8
    assert min(seconds) < 0.1


def test_the_network_is_drawn_from_left_to_right() -> None:
    texts = {text.get_text(): text.get_position()[0] for text in viz.plot_lorentz_network().axes[0].texts}
    stages = [texts[name] for name in ("decompose", "mix", "multiply", "split", "read out")]
    assert stages == sorted(stages)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: viz.plot_jet(JET, [False] * 3),
            r"momenta must have shape \(particles, 4\) and not be empty, got \(0, 4\)",
        ),
        (lambda: viz.plot_jet(JET[:, :3], MASK), r"momenta must have shape .* got \(2, 3\)"),
        (lambda: viz.plot_jet(JET, MASK, limit=0), "limit must be positive, got 0"),
        (lambda: plot_probabilities({"a": 1.5}), "found must hold probabilities, got {'a': 1.5}"),
        (lambda: plot_probabilities({}), "found must hold probabilities"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
