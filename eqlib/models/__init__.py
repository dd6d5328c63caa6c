"""The networks of the course, one a file, and what they are compared with."""

from eqlib.models.harmonic import HarmonicNet
from eqlib.models.plain_cnn import PlainCNN

__all__ = ["HarmonicNet", "PlainCNN"]
