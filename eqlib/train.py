"""`python -m eqlib.train TASK ...`: the command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from eqlib import processes, training
from eqlib.tasks.digits import MODELS, digits
from eqlib.tasks.jets import TAGGERS, jets


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m eqlib.train", description="Train one network of the course.")
    tasks = parser.add_subparsers(dest="task", required=True)
    for task in ("digits", "jets"):
        p = tasks.add_parser(task)
        if task == "jets":
            p.add_argument("--model", choices=TAGGERS, default="lorentz")
            p.add_argument("--number", type=int, default=6000, help="of training jets")
            p.add_argument("--epochs", type=int, default=10)
        else:
            p.add_argument("--model", choices=MODELS, default="harmonic")
            p.add_argument("--data", type=Path, dest="data_folder", help="folder with MNIST's idx files")
            p.add_argument("--images", type=int, help="for training: 1,000, of MNIST 12,000")
            p.add_argument("--steps", type=int, help="600, on MNIST 15,000")
            p.add_argument("--batch-size", type=int, help="32, on MNIST 16")
            p.add_argument("--lr", type=float, help="at the start: 0.005, on MNIST 0.01")
            p.add_argument(
                "--double", action="store_true", help="in float64: several processes then end within 1e-6 of one"
            )
        p.add_argument("--seed", type=int, default=0)
        p.add_argument("--checkpoint", type=Path, help="written during training; a second call goes on from it")
        p.add_argument("--weights", type=Path, help="where to save the trained weights")
        p.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    left_out = ("task", "weights", "threads")
    runs: dict[str, Callable[..., tuple[torch.nn.Module | None, dict[str, Any]]]]
    runs = {"digits": digits, "jets": jets}
    net, report = runs[args.task](**{k: v for k, v in vars(args).items() if k not in left_out})
    if args.weights is not None:
        if net is None:
            parser.error("neighbours has no weights to save")
        training.save_weights(net, args.weights, **{k: v for k, v in report.items() if k != "wrong"})
    print(json.dumps(report))


if __name__ == "__main__":
    processes.run(main)
