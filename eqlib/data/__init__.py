"""Data sets: generate, load, check. Arrays in, arrays out; nothing here knows about groups, layers or models."""

from .digits import Split, Splits, digits, rotate
from .fetch import DownloadError, cache_folder, fetch
from .jets import Jets, Observables, jets, network_input, observables
from .mnist import mnist, read_idx, rotated_mnist
from .reference_jets import reference_jets
from .subjettiness import subjettiness

__all__ = [
    "DownloadError",
    "Jets",
    "Observables",
    "Split",
    "Splits",
    "cache_folder",
    "digits",
    "fetch",
    "jets",
    "mnist",
    "network_input",
    "observables",
    "read_idx",
    "reference_jets",
    "rotate",
    "rotated_mnist",
    "subjettiness",
]
