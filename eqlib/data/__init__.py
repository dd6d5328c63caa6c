"""Data sets: generate, load, check. Arrays in, arrays out; nothing here knows about layers or models."""

from .bodies import Bodies, inertia, rigid_bodies
from .digits import Split, Splits, digits, rotate, shift
from .fetch import DownloadError, cache_folder, fetch
from .graphs import Spins, spins_on_graphs
from .jets import Jets, Observables, jets, network_input, observables, observe
from .mnist import mnist, read_idx, rotated_mnist
from .reference_jets import reference_jets
from .subjettiness import subjettiness

__all__ = [
    "Bodies",
    "DownloadError",
    "Jets",
    "Observables",
    "Spins",
    "Split",
    "Splits",
    "cache_folder",
    "digits",
    "fetch",
    "inertia",
    "jets",
    "mnist",
    "network_input",
    "observables",
    "observe",
    "read_idx",
    "reference_jets",
    "rigid_bodies",
    "rotate",
    "rotated_mnist",
    "shift",
    "spins_on_graphs",
    "subjettiness",
]
