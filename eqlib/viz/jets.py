"""Jets as a detector sees them, the scores of taggers beside them, and the Lorentz group network as a diagram."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from eqlib.viz.pictures import PALETTE, font, tile
from eqlib.viz.stages import plot_stages

FINE = 2  # drawn this many times as large, then reduced, so that circles have smooth edges


def jet_angles(momenta: ArrayLike, mask: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (n, 2) about the jet's axis, pseudorapidity and azimuth, and shares (n,) of its pT, of the particles there.

    momenta: (particles, 4), (E, px, py, pz) of one jet. mask: (particles,), bool.
    """
    p = np.asarray(momenta, dtype=np.float64)[np.asarray(mask, dtype=bool)]
    if p.ndim != 2 or p.shape[-1] != 4 or not len(p):
        raise ValueError(f"momenta must have shape (particles, 4) and not be empty, got {p.shape}")

    def polar(v: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        pt = np.maximum(np.hypot(v[..., 1], v[..., 2]), 1e-12)
        return pt, np.arcsinh(v[..., 3] / pt), np.arctan2(v[..., 2], v[..., 1])

    (pt, eta, phi), (_, eta_jet, phi_jet) = polar(p), polar(p.sum(0))
    turn = (phi - phi_jet + np.pi) % (2 * np.pi) - np.pi
    return np.stack([eta - eta_jet, turn], -1), pt / pt.sum()


def plot_jet(momenta: ArrayLike, mask: ArrayLike, limit: float = 1.0, size: int = 240) -> Image.Image:
    """One jet in the plane of pseudorapidity (to the right) and azimuth (up) about its axis, `limit` to either side.

    A dot's area is its share of the jet's pT; the circle has the radius 0.8 of the jets' clustering.
    """
    places, shares = jet_angles(momenta, mask)
    if limit <= 0:
        raise ValueError(f"limit must be positive, got {limit}")
    side = FINE * size
    sheet = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(sheet, "RGBA")
    scale, middle = side / (2 * limit), side / 2
    draw.line((0, middle, side, middle), "#dddddd", FINE)
    draw.line((middle, 0, middle, side), "#dddddd", FINE)
    ring = 0.8 * scale
    draw.ellipse((middle - ring, middle - ring, middle + ring, middle + ring), None, "#bbbbbb", FINE)
    for (eta, phi), share in sorted(zip(places.tolist(), shares.tolist(), strict=True), key=lambda found: -found[1]):
        x, y = middle + scale * eta, middle - scale * phi
        radius = side * (0.006 + 0.11 * share**0.5)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (0, 114, 178, 110), (0, 60, 100, 255), FINE)
    draw.rectangle((0, 0, side - 1, side - 1), None, "#888888", FINE)
    return sheet.resize((size, size), Image.Resampling.BOX)


def plot_probabilities(found: Mapping[str, float], size: int = 240) -> Image.Image:
    """A bar from 0 to 1 for each name, with the number beside it, in a square of `size` pixels."""
    if not found or not all(0 <= value <= 1 for value in found.values()):
        raise ValueError(f"found must hold probabilities, got {dict(found)}")
    sheet = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(sheet)
    left, right, high = 8, size - 8, min(34, size // (3 * len(found)))
    for number, (name, value) in enumerate(found.items()):
        top = round((number + 0.55) * size / (len(found) + 0.3))
        draw.text((left, top - 5), f"{name}: {value:.2f}", fill="black", font=font(14), anchor="ls")
        draw.rectangle((left, top, right, top + high), "#eeeeee", "#888888")
        end = left + round(value * (right - left))
        draw.rectangle((left, top, end, top + high), PALETTE[number % len(PALETTE)], "#444444")
    middle = (left + right) // 2
    draw.line((middle, 8, middle, size - 20), "#888888")
    draw.text((middle, size - 4), "0.5", fill="#444444", font=font(11), anchor="ms")
    return sheet


def plot_boosted_jet(
    momenta: ArrayLike, mask: ArrayLike, probabilities: Mapping[str, float], limit: float = 1.6, size: int = 250
) -> Image.Image:
    """One jet as a detector sees it, beside the probability of a top that each network gives it."""
    names = ["η to the right, φ up", "probability of a top"]
    return tile([plot_jet(momenta, mask, limit, size), plot_probabilities(probabilities, size)], names)


def plot_lorentz_network() -> Figure:
    """The network of the review's Fig. 5 from left to right: decompose, then mix and multiply in turn, then invariants."""
    stages = [
        ("particles", ["p₁ ... pₙ", "scalars"], "input"),
        ("decompose", ["(0,0)", "(1,1)"], "irreps"),
        ("mix", ["W₀ (0,0)", "W₁ (1,1)", "W₂ (2,0)", "W₃ (2,2)"], "Schur: copies\nof one irrep"),
        ("multiply", ["F ⊗ F", "Σ f (pᵢ − pⱼ) ⊗ Fⱼ"], "Clebsch-Gordan,\nwithin and over pairs"),
        ("split", ["(0,0) → MLP", "(1,1)", "(2,0)", "(2,2)"], "irreps again"),
        ("read out", ["Σ (0,0)", "→ MLP"], "invariant"),
    ]
    return plot_stages(stages, repeat=(4, 2))
