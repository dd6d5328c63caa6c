"""Data sets: generate, load, check. Arrays in, arrays out; nothing here knows about groups, layers or models."""

from .digits import Split, Splits, digits, rotate
from .fetch import DownloadError, cache_folder, fetch
from .mnist import mnist, read_idx, rotated_mnist

__all__ = [
    "DownloadError",
    "Split",
    "Splits",
    "cache_folder",
    "digits",
    "fetch",
    "mnist",
    "read_idx",
    "rotate",
    "rotated_mnist",
]
