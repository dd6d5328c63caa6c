"""Files that a page reads beside its code: logs of the long runs, and trained weights.

An installed eqlib carries them as `eqlib/_results` and `eqlib/_checkpoints`. In a checkout they are benchmarks/results and
checkpoints, beside the package. A page finds them from whichever folder it runs in.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def results(name: str) -> Path:
    """The log of a benchmark.

    >>> results("jets.json").name
    'jets.json'

    Raises FileNotFoundError, with the names that there are, for any other.
    """
    return _find(name, PACKAGE / "_results", PACKAGE.parent / "benchmarks" / "results", ".json")


def checkpoint(name: str) -> Path:
    """Weights of a trained network, for `training.load_weights`.

    >>> checkpoint("jets-lorentz.pt").name
    'jets-lorentz.pt'

    Raises FileNotFoundError, with the names that there are, for any other.
    """
    return _find(name, PACKAGE / "_checkpoints", PACKAGE.parent / "checkpoints", ".pt")


def _find(name: str, installed: Path, checkout: Path, ending: str) -> Path:
    """The file of this name in `installed`, or in `checkout` where the package was not installed."""
    folder = installed if installed.is_dir() else checkout
    names = sorted(path.name for path in folder.glob(f"*{ending}"))
    if name not in names:
        raise FileNotFoundError(f"name: got {name!r}, expected one of {', '.join(names) or 'none'} in {folder}")
    return folder / name
