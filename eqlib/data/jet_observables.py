"""What taggers used before networks: a jet's mass, pT, multiplicity and ratios of N-subjettiness."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .jet_sets import Jets
from .light_cone import network_input
from .nsubjettiness import padded, subjettiness

Array = NDArray[np.float64]


class Observables(NamedTuple):
    """What taggers used before networks, each (n,), float64; 0 for a jet without constituents.

    mass and pt in GeV; multiplicity: number of constituents; tau21 = tau_2 / tau_1 and tau32 = tau_3 / tau_2.

    >>> from eqlib import data
    >>> seen = observables(data.jets("test", number=2))
    >>> Observables._fields, seen.multiplicity.shape
    (('mass', 'pt', 'multiplicity', 'tau21', 'tau32'), (2,))
    """

    mass: Array
    pt: Array
    multiplicity: Array
    tau21: Array
    tau32: Array


def observables(jets: Jets) -> Observables:
    """Mass, pT, multiplicity, tau21 and tau32 of each jet, from its `most` hardest particles, in float64.

    Where the jets do not bring their `taus` along, `subjettiness` computes them: about 5 ms a jet.

    >>> from eqlib import data
    >>> observables(data.jets("test", number=3)).mass.round(1).tolist()
    [155.9, 63.8, 63.6]
    """
    momenta, mask = jets.momenta()
    taus = subjettiness(momenta, mask) if jets.taus is None else jets.taus
    return observe(momenta, mask, taus, jets.masses())


def observe(momenta: ArrayLike, mask: ArrayLike, taus: Array, mass: ArrayLike = 0.0) -> Observables:
    """`observables` of raw momenta (n, particles, 4), GeV, boosted or not, with their mask and `subjettiness` (n, 3).

    mass: of the particles, one number or (n, particles), GeV.

    >>> momenta, mask = [[[5.0, 3, 0, 4], [5.0, -3, 0, 4]]], [[True, True]]
    >>> observe(momenta, mask, subjettiness(momenta, mask)).mass.round(6).tolist()
    [6.0]
    """
    momenta, mask = padded(momenta, mask)
    inputs, _ = network_input(momenta, mask, mass=mass)
    plus, minus, x, y = inputs.sum(1).T
    total = momenta.sum(1)
    ratios = [np.where(taus[:, n] > 0, taus[:, n + 1] / np.where(taus[:, n] > 0, taus[:, n], 1), 0.0) for n in (0, 1)]
    whole = np.sqrt(np.maximum(2 * plus * minus - x**2 - y**2, 0.0))
    return Observables(whole, np.hypot(total[:, 1], total[:, 2]), mask.sum(1).astype(np.float64), *ratios)
