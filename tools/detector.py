"""A fast detector in numpy: stable particles in, tracks, photons and neutral hadrons (energy flow) out.

The numbers (field, efficiencies, resolutions, cells, thresholds) are those published in the Delphes ATLAS card,
`delphes_card_ATLAS.tcl`, with which the reference top-tagging set was made (de Favereau et al., JHEP 02 (2014) 057); the
code is not Delphes's. Simplified: every particle starts at the origin; there is no identification of electrons,
muons and photons, no isolation and no jet energy scale; forward cells are regular; what leaves the cells (|eta| > 2.98 in
the ECAL, 5 in the HCAL) is lost.

Arrays are flat over all particles of many events, `event` says which one each belongs to. pT and energies in GeV, angles
in radians, lengths in metres. A particle or flow object without a mass is massless: E = pT cosh(eta).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib.data.jet_file import KINDS

Array = NDArray[np.float64]
Index = NDArray[np.int64]

FIELD, RADIUS, HALF_LENGTH = 2.0, 1.15, 3.51  # tesla, m, m: the solenoid that the tracker sits in

#: Charges of what is stable when particles with c tau above 10 mm are; antiparticles have the opposite one.
CHARGES = {11: -1, 13: -1, 211: 1, 321: 1, 2212: 1, 3222: 1, 3112: -1, 3312: -1, 3334: -1} | dict.fromkeys(
    (12, 14, 16, 22, 130, 310, 2112, 3122, 3322), 0
)
INVISIBLE, ELECTRON, MUON, PHOTON = (12, 14, 16), 11, 13, 22

#: |eta| at most 0.5, 1.5, 2.5: tracks' relative resolution is a (+) b pT, squares added.
RESOLUTION = {
    "hadron": ((0.06, 1.3e-3), (0.10, 1.7e-3), (0.25, 3.1e-3)),
    "electron": ((0.03, 1.3e-3), (0.05, 1.7e-3), (0.15, 3.1e-3)),
    "muon": ((0.01, 1.0e-4), (0.015, 1.5e-4), (0.025, 3.5e-4)),
}
#: |eta| at most 1.5, 2.5: the part of tracks found at pT of 0.1-1, 1-100 and more than 100 GeV.
EFFICIENCY = {
    "hadron": ((0.70, 0.95, 0.95), (0.60, 0.85, 0.85)),
    "electron": ((0.73, 0.95, 0.99), (0.50, 0.83, 0.90)),
    "muon": ((0.75, 0.99, 0.99), (0.70, 0.98, 0.98)),
}


@dataclass(frozen=True)
class Flow:
    """Massless objects: event (n,), pt (n,) GeV, eta (n,), phi (n,) in [-pi, pi); of what kind (n,), numbers of KINDS."""

    event: Index
    pt: Array
    eta: Array
    phi: Array
    kind: Index | None = None

    def take(self, chosen: NDArray[Any]) -> Flow:
        """Those objects: indices or bools."""
        kind = None if self.kind is None else self.kind[chosen]
        return Flow(self.event[chosen], self.pt[chosen], self.eta[chosen], self.phi[chosen], kind)


@dataclass(frozen=True)
class Calorimeter:
    """Cells of eta x phi that reach |eta| = edge, the cells' number in phi, the thresholds, and terms of the resolution.

    terms: for each region up to |eta| = limit, (limit, a, b, c): sigma^2 = (a E)^2 + b^2 E + c^2, GeV.
    """

    step: float
    divisions: int
    edge: float
    least: float
    significance: float
    terms: tuple[tuple[float, float, float, float], ...]

    def sigma(self, energy: Array, eta: Array) -> Array:
        """Resolution in GeV at these energies and pseudorapidities; arrays of one shape."""
        limits = [limit for limit, *_ in self.terms]
        region = np.minimum(np.searchsorted(limits, np.abs(eta)), len(limits) - 1)
        a, b, c = np.array([term[1:] for term in self.terms])[region].T
        return np.sqrt((a * energy) ** 2 + b**2 * energy + c**2)


ECAL = Calorimeter(0.0174, 360, 2.958, 0.5, 2.0, ((3.2, 0.0017, 0.101, 0.0),))
HCAL = Calorimeter(
    0.1, 36, 4.9, 1.0, 2.0, ((1.7, 0.0302, 0.5205, 1.59), (3.2, 0.05, 0.706, 0.0), (4.9, 0.0942, 1.0, 0.0))
)


def charge(pdg: Index) -> Index:
    """Charges (n,) of particles with these PDG codes (n,). ValueError for one that should have decayed."""
    kinds, which = np.unique(pdg, return_inverse=True)
    unknown = [int(k) for k in kinds if abs(int(k)) not in CHARGES]
    if unknown:
        raise ValueError(f"pdg: got codes {unknown}, expected particles that live longer than 10 mm / c: {[*CHARGES]}")
    return np.array([np.sign(k) * CHARGES[abs(int(k))] for k in kinds], dtype=np.int64)[which]


def propagate(pt: Array, eta: Array, phi: Array, charges: Index) -> tuple[Array, Array]:
    """Where particles from the origin leave the solenoid: (eta, phi) of that point, seen from the origin.

    The field points along +z, so a positive particle turns towards smaller phi. The path in the transverse plane is a
    circle of radius pT / (0.2998 q B); one that is too small to reach the wall curls up until it leaves by an end.
    """
    reach = HALF_LENGTH / np.maximum(np.abs(np.sinh(eta)), 1e-9)  # transverse path length to an end
    bent = charges != 0
    radius = np.where(bent, pt, 1.0) / (0.299792458 * FIELD * np.where(bent, np.abs(charges), 1))
    turn = 2 * np.arcsin(np.minimum(RADIUS / (2 * radius), 1.0))
    to_wall = np.where(radius > RADIUS / 2, radius * turn, np.inf)
    path = np.minimum(to_wall, reach)
    half = path / (2 * radius)
    distance = 2 * radius * np.sin(half)  # signed: after more than half a circle it points the other way
    out = np.arcsinh(path * np.sinh(eta) / np.maximum(np.abs(distance), 1e-9))
    moved = phi - np.sign(charges) * half + np.where(distance < 0, np.pi, 0.0)
    return np.where(bent, out, eta), np.where(bent, wrap(moved), wrap(phi))


def wrap(phi: Array) -> Array:
    """Angles in [-pi, pi)."""
    return (phi + np.pi) % (2 * np.pi) - np.pi


def tracks(pdg: Index, pt: Array, eta: Array, random: np.random.RandomState) -> tuple[NDArray[np.bool_], Array, Array]:
    """Which charged particles leave a track, (n,) bool; its pT (n,) and its relative resolution (n,)."""
    code = np.abs(pdg)
    inside, barrel = np.abs(eta), np.searchsorted([1.5], np.abs(eta))
    slow = np.searchsorted([1.0, 100.0], pt)
    chance, relative = np.zeros(len(pt)), np.zeros(len(pt))
    for kind, chosen in (
        ("electron", code == ELECTRON),
        ("muon", code == MUON),
        ("hadron", (code != ELECTRON) & (code != MUON)),
    ):
        a, b = np.array(RESOLUTION[kind])[np.minimum(np.searchsorted([0.5, 1.5], inside), 2)].T
        chance = np.where(chosen, np.array(EFFICIENCY[kind])[barrel, slow], chance)
        relative = np.where(chosen, np.hypot(a, b * pt), relative)
    chance[(charge(pdg) == 0) | (pt <= 0.1) | (inside > 2.5)] = 0.0
    found = random.uniform(size=len(pt)) < chance
    return found, lognormal(pt, relative * pt, random), relative


def lognormal(mean: Array, sigma: Array, random: np.random.RandomState) -> Array:
    """Positive random numbers of these means and standard deviations; where the mean is 0 they are 0."""
    safe = np.where(mean > 0, mean, 1.0)
    width = np.sqrt(np.log1p((sigma / safe) ** 2))
    return np.where(mean > 0, safe * np.exp(width * random.standard_normal(len(safe)) - width**2 / 2), 0.0)


def measure(
    calorimeter: Calorimeter, hits: Flow, expected: Array, error: Array, random: np.random.RandomState
) -> tuple[Flow, Array]:
    """Fill the cells, smear them and take out the energy of the tracks that point to them.

    hits: what enters the cells; its `pt` is the energy deposited. expected, error: (n,) GeV, the energy that each hit's
    track announces and its standard deviation; 0 for a hit without a track.
    Returns the neutral objects, and a factor for each track (n,): where the cell's excess over its tracks is not
    significant, tracks and cell are two measurements of one energy, and the tracks are scaled to their weighted mean.
    """
    width, rows = 2 * np.pi / calorimeter.divisions, int(calorimeter.edge / calorimeter.step) + 1
    row = np.floor(hits.eta / calorimeter.step).astype(np.int64) + rows
    column = np.floor((hits.phi + np.pi) / width).astype(np.int64) % calorimeter.divisions
    inside = (row >= 0) & (row < 2 * rows)
    cells, which = np.unique(
        ((hits.event * 2 * rows + row) * calorimeter.divisions + column)[inside], return_inverse=True
    )
    sums = (hits.pt, expected, error**2)
    true, charged, variance = (np.bincount(which, v[inside], len(cells)).astype(np.float64) for v in sums)
    event, rest = np.divmod(cells, 2 * rows * calorimeter.divisions)
    low, sector = rest // calorimeter.divisions - rows, rest % calorimeter.divisions

    centre = (low + 0.5) * calorimeter.step
    energy = lognormal(true, calorimeter.sigma(true, centre), random)
    sigma = calorimeter.sigma(energy, centre)
    energy[(energy < calorimeter.least) | (energy < calorimeter.significance * sigma)] = 0.0
    excess = np.maximum(energy - charged, 0.0)
    neutral = (excess > calorimeter.least) & (excess > calorimeter.significance * np.sqrt(sigma**2 + variance))
    eta = (low + random.uniform(size=len(cells))) * calorimeter.step  # anywhere in the cell
    phi = (sector + random.uniform(size=len(cells))) * width - np.pi

    both = ~neutral & (charged > 0) & (energy > 0)
    weight_track, weight_cell = 1 / np.where(both, variance, 1.0), 1 / np.where(both, sigma**2, 1.0)
    best = (weight_track * charged + weight_cell * energy) / (weight_track + weight_cell)
    factor = np.ones(len(hits.event))
    factor[inside] = np.where(both, best / np.where(both, charged, 1.0), 1.0)[which]
    return Flow(event, excess / np.cosh(eta), eta, phi).take(neutral), factor


def energy_flow(
    event: Index, pdg: Index, pt: Array, eta: Array, phi: Array, energy: Array, random: np.random.RandomState
) -> Flow:
    """What the detector makes of stable particles: tracks, ECAL photons and HCAL neutral hadrons, event by event.

    event, pdg (n,) integers; pt, energy (n,) GeV, eta, phi (n,). random: draws efficiencies, smearing and positions.
    """
    q, code = charge(pdg), np.abs(pdg)
    eta_out, phi_out = propagate(pt, eta, phi, q)
    found, track_pt, relative = tracks(pdg, pt, eta, random)
    # Electrons and photons stop in the ECAL, hadrons in the HCAL, K0S and Lambda give 30 % to the ECAL; muons pass.
    in_ecal = np.select([(code == ELECTRON) | (code == PHOTON), (code == 310) | (code == 3122)], [1.0, 0.3], 0.0)
    in_hcal = np.where(np.isin(code, (MUON, *INVISIBLE)), 0.0, 1.0 - in_ecal)
    announced = np.where(found, track_pt * np.cosh(eta), 0.0)
    flows = []
    for calorimeter, share in ((ECAL, in_ecal), (HCAL, in_hcal)):
        hit = share > 0
        hits = Flow(event, share * energy, eta_out, phi_out).take(hit)
        expected = (share * announced)[hit]
        flow, factor = measure(calorimeter, hits, expected, relative[hit] * expected, random)
        track_pt[hit] *= factor
        flows.append(flow)
    flows.append(Flow(event[found], track_pt[found], eta[found], wrap(phi[found])))
    kinds = [
        np.full(len(flow.event), KINDS.index(name)) for flow, name in zip(flows[:2], ("photon", "neutral"), strict=True)
    ]
    kinds.append(np.where(q[found] > 0, KINDS.index("positive"), KINDS.index("negative")))
    columns = ([getattr(flow, name) for flow in flows] for name in ("event", "pt", "eta", "phi"))
    joined = Flow(*map(np.concatenate, (*columns, kinds)))
    return joined.take(np.argsort(joined.event, kind="stable"))
