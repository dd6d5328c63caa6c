"""`python -m eqlib.train TASK --model NAME ...`: the command line of `eqlib.tasks`, and nothing else."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch

from eqlib import data, processes, tasks, training
from eqlib.tasks import task as shape
from eqlib.training.stopping import Terminated, terminable

STOPPED, TERMINATED = 130, 143  # the exit status of a program that Ctrl-C ended, and of one that SIGTERM did
DESCRIPTION = """Train one network of the course, or a baseline it is compared with, and test it.

Without --checkpoint a run keeps one in the cache folder: after Ctrl-C, SIGTERM or a kill, the same command goes on from it."""
EXAMPLES = """examples:
  python -m eqlib.train digits --model harmonic --weights harmonic.pt
  python -m eqlib.train jets --help
  torchrun --nproc-per-node=2 -m eqlib.train digits --model harmonic

Trained weights give their network back: `training.load("harmonic.pt")` in Python."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Ends with one line on stderr, and no traceback, where the input is at fault."""
    parsed, unknown = _parser().parse_known_args(arguments)
    given = vars(parsed)
    found = module(given.pop("task"))
    if unknown:
        _fail(
            found,
            ValueError(f"no such option: {' '.join(unknown)} (python -m eqlib.train {found.TASK} --help lists them)"),
        )
    try:
        with terminable():
            run(found, given)
    except KeyboardInterrupt as error:
        if processes.rank() == 0:
            print(f"\nstopped: {_how_to_go_on(given.get('checkpoint'))}", file=sys.stderr)
        raise SystemExit(TERMINATED if isinstance(error, Terminated) else STOPPED) from None
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        _fail(found, error)


def module(name: str) -> ModuleType:
    """The task of that name."""
    return importlib.import_module(f"eqlib.tasks.{name}")


def run(task: ModuleType, given: dict[str, Any]) -> None:
    """One run: checks what can be checked before it, trains, writes what was asked for, prints a table."""
    threads = given.pop("threads")
    shape.positive(threads=threads)
    if not 0 <= given["seed"] < 2**32:
        raise ValueError(f"seed: got {given['seed']}, expected 0 ... {2**32 - 1}")
    torch.set_num_threads(threads)
    weights, file = given.pop("weights", None), given.pop("json", None)
    for option, path in (("weights", weights), ("json", file), ("checkpoint", given.get("checkpoint"))):
        if path is not None and (path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK)):
            raise ValueError(
                f"{option}: got {str(path)!r}, expected a file in a folder that is there and can be written"
            )
    model = given["model"]
    learns = task.MODELS[model].make is not None
    if weights is not None and not learns:
        raise ValueError(f"weights: got {str(weights)!r}, but the model {model!r} learns nothing and has none to save")
    own = learns and "checkpoint" not in given
    if own:
        given["checkpoint"] = _checkpoint_of(task.TASK, given)
    if "device" in given:
        given["device"] = training.device(given["device"])
    command = shape.command(task.TASK, **given)
    net, report = task.run(**given)
    report = {"command": command, **report, **training.runs.stamp()}
    if weights is not None:
        training.save_weights(net, weights, **{k: v for k, v in report.items() if k != "wrong"})
    if processes.rank():
        return
    if file is not None:
        training.runs.write(file, json.dumps(report, indent=1) + "\n")
    if own and given["checkpoint"] is not None:
        for path in shape.checkpoints(given["checkpoint"]):
            path.unlink(missing_ok=True)
    print(table(report))


def table(report: dict[str, Any]) -> str:
    """A report for people: one line an entry, long lists counted."""
    rows = []
    for name, value in report.items():
        if isinstance(value, float):
            value = f"{value:.5g}"
        elif isinstance(value, dict):
            value = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = f"{len(value)} of them (in --json)"
        if value != "":
            rows.append((name.replace("_", " "), str(value)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m eqlib.train", description=DESCRIPTION, epilog=_models(), formatter_class=raw
    )
    parser.set_defaults(threads=1)
    subparsers = parser.add_subparsers(dest="task", required=True, metavar="TASK", help=", ".join(tasks.TASKS))
    for name in tasks.TASKS:
        task = module(name)
        text = (task.__doc__ or "").strip()
        p = subparsers.add_parser(name, description=text, epilog=_models(name), formatter_class=raw, allow_abbrev=False)
        p.add_argument(
            "--model",
            choices=task.MODELS,
            default=next(iter(task.MODELS)),
            metavar="NAME",
            help="one of the models below (default: %(default)s)",
        )
        task.arguments(p)
        add = partial(p.add_argument, default=argparse.SUPPRESS)
        p.add_argument("--seed", type=int, default=0, help="draws data, initial weights and order (default: 0)")
        add("--device", choices=("cpu", "cuda", "mps"), help="where to train (default: what is there)")
        add("--double", action="store_true", help="train in float64: several processes then end within 1e-6 of one")
        add(
            "--checkpoint",
            type=Path,
            metavar="FILE",
            help="written during training and kept; a second call goes on from it (default: in the cache, removed at the end)",
        )
        add("--weights", type=Path, metavar="FILE", help="where to save the trained weights")
        add("--json", type=Path, metavar="FILE", help="where to save the report, for programs")
        p.add_argument("--threads", type=int, default=1, help="threads of torch on the CPU (default: 1)")
    return parser


def _models(name: str | None = None) -> str:
    """The models of one task or of all, what each is, and how long it takes on one core."""
    lines = []
    for task in tasks.TASKS if name is None else (name,):
        found = module(task)
        title = (
            f"{task}: {(found.__doc__ or '').splitlines()[0]}"
            if name is None
            else "models, and how long each takes on one core:"
        )
        lines += [title, *(f"  {model:22} {m.about} ({m.time})" for model, m in found.MODELS.items()), ""]
    return "\n".join(lines if name else [*lines, EXAMPLES])


def _checkpoint_of(task: str, given: dict[str, Any]) -> Path | None:
    """Where this very command keeps its checkpoint; None where the cache folder cannot be written."""
    digest = hashlib.sha256(json.dumps(given, default=str, sort_keys=True).encode()).hexdigest()[:12]
    folder = data.cache_folder() / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"no checkpoint is kept: {error}", file=sys.stderr)
        return None
    return folder / f"{task}-{given['model']}-{digest}.pt"


def _how_to_go_on(checkpoint: Path | None) -> str:
    if checkpoint is None or not shape.checkpoints(checkpoint):
        return "training had not begun, and nothing was kept"
    return f"the same command goes on from {checkpoint}"


def _fail(task: ModuleType, error: Exception) -> NoReturn:
    """One line on stderr, in terms of the options, and exit status 2. EQLIB_TRACEBACK in the environment: the error itself."""
    if os.environ.get("EQLIB_TRACEBACK"):
        raise error
    name, colon, rest = str(error).partition(":")
    name = getattr(task, "RENAMED", {}).get(name, name)
    own = {
        *inspect.signature(task.run).parameters,
        *inspect.signature(shape.train).parameters,
        "weights",
        "json",
        "threads",
    }
    text = f"--{'data' if name == 'folder' else name.replace('_', '-')}:{rest}" if colon and name in own else str(error)
    print(f"python -m eqlib.train {task.TASK}: error: {' '.join(text.split())}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    processes.run(main)
