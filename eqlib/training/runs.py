"""The log of runs: one line a run in a JSON file, added as it ends; what is there is skipped; lines read, paired, compared."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from eqlib.doubtful import named
from eqlib.training.checkpoint import whole

Line = dict[str, Any]


def read(path: str | Path) -> list[Line]:
    """The lines of a log; none if there is no file yet. ValueError for a file of another form."""
    path = Path(path)
    if not path.exists():
        return []
    with named(path, "a log: {'runs': [...]}"):
        lines = json.loads(path.read_text(encoding="utf-8"))["runs"]
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            raise ValueError(f"runs: {lines!r:.60}")
        return lines


def add(path: str | Path, line: Line) -> None:
    """Append a line. The file is written whole or not at all; two processes that add at once both succeed."""
    path = Path(path)
    with FileLock(f"{path}.lock"):
        write(path, json.dumps({"runs": [*read(path), line]}, indent=1) + "\n")


def write(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def stamp() -> Line:
    """What a line says of the machine: the version of torch, and its threads."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}


def commit(folder: str | Path) -> str:
    """The short name of the commit that stands in a checkout; ask before the runs begin."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def key(line: Line, by: Sequence[str]) -> tuple[Any, ...]:
    """What tells a line from the others of its log; None where it has no such entry."""
    return tuple(line.get(name) for name in by)


def fill(
    path: str | Path,
    points: Iterable[Line],
    run: Callable[..., Line],
    show: str,
    again: bool = False,
) -> None:
    """Run every point that the log lacks, and add its line with the commit.

    points: keywords of `run`, which a line of the log repeats. run: gives the line, with its command, seed and seconds.
    show: the entry to print. again: run the points that the log has as well, print both figures and write nothing.
    """
    path = Path(path)
    torch.set_num_threads(1)
    here = commit(path.parent)
    for point in points:
        by = tuple(point)
        old = next((line for line in read(path) if key(line, by) == key(point, by)), None)
        if old is not None and not again:
            continue
        new = run(**point)
        words = " ".join(str(value) for value in point.values())
        before = f" (log: {old[show]:.4g})" if old is not None else ""
        print(f"{words}: {show} {new[show]:.4g}{before} in {new['seconds']} s", flush=True)
        if not again:
            add(path, new | {"commit": here})


def elsewhere(python: str, script: str | Path, job: Any) -> list[Line]:
    """The lines that `python script --here JOB` prints, for a library that needs an environment of its own; one thread.

    job: what JSON can hold. What the script prints beside JSON objects is dropped. RuntimeError with its last words if it fails.
    """
    root = Path(__file__).resolve().parents[2]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | threads | {"PYTHONPATH": str(root)}
    command = [python, str(script), "--here", json.dumps(job)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{script} with {job} failed: {done.stderr.strip()[-800:]}")
    return [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]


def values(
    path: str | Path, value: str = "test_accuracy", by: Sequence[str] = ("model", "images"), **only: Any
) -> dict[tuple[Any, ...], list[Any]]:
    """What the runs of a log found: what `by` names -> that entry of each line, `value`, in the order of seeds.

    only: entries that a line must have, such as task="spins".
    """
    found: dict[tuple[Any, ...], list[Any]] = {}
    lines = [line for line in read(path) if all(line.get(name) == wanted for name, wanted in only.items())]
    if not lines:
        raise ValueError(f"{path}: got no line with {only or 'anything in it'}")
    for line in sorted(lines, key=lambda line: line["seed"]):
        found.setdefault(key(line, by), []).append(line[value])
    return found


def mistakes(path: str | Path) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Of a log whose lines say which test images got a wrong label: (model, images) -> (seeds, test images), 1 where wrong.

    All runs have the same test images, so the differences of two models make a paired comparison (`training.paired`).
    """
    sizes = values(path, "test_images")
    found = {}
    for name, seeds in values(path, "wrong").items():
        found[name] = np.zeros((len(seeds), sizes[name][0]))
        for row, wrong in zip(found[name], seeds, strict=True):
            row[[int(n) for n in wrong.split()]] = 1
    return found


def bits(right: NDArray[np.bool_]) -> str:
    """Which examples were judged rightly, (n,), as a short text for the log; the other way: `unpacked`."""
    return np.packbits(right).tobytes().hex()


def unpacked(text: str, number: int) -> NDArray[np.bool_]:
    """What `bits` packed, for so many examples."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[:number].astype(bool)


def ranks(scores: NDArray[np.float64]) -> str:
    """The order of scores, (n,), as a text for the log, equal ones as equal; the other way: `unranked`.

    The order is all that an area under the ROC curve asks for, and so two lines give its paired interval
    (`training.paired_auc`). ValueError for more than 65,536 different scores.
    """
    different, places = np.unique(scores, return_inverse=True)
    if len(different) > 1 << 16:
        raise ValueError(f"scores: got {len(different)} different ones, expected at most {1 << 16}")
    return base64.b64encode(places.astype("<u2").tobytes()).decode("ascii")


def unranked(text: str) -> NDArray[np.float64]:
    """What `ranks` packed: scores (n,) in the same order.

    >>> unranked(ranks(np.array([0.7, 0.2, 0.7]))).tolist()
    [1.0, 0.0, 1.0]
    """
    return np.frombuffer(base64.b64decode(text), "<u2").astype(np.float64)
