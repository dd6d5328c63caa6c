"""escnn's networks for rotated MNIST on the protocol of benchmarks/rotated_mnist.py, into the same log.

    PYTHONPATH=. rival/bin/python benchmarks/digits_escnn.py FOLDER --only C8-augmented   # grid_conv.py makes `rival`; 19 minutes

FOLDER holds MNIST's idx files. The networks have the form of escnn's own MNIST examples (six convolutions; C8: regular fields,
ReLU, the largest value over the group; SO2: functions up to frequency 3, FourierELU on 16 samples, an invariant map), a sixth to
a twelfth as wide, but the last layer, whose invariants are all that the head sees, half as wide: about 40 thousand parameters.
(All layers a seventh as wide, C8 had 9 invariants in the end and was wrong on 1.71 % of the test, augmented, after 14 epochs.)
Same images, same turns, same optimizer, batch and schedule as `eqlib.train.digits`; the number of epochs is what 19 minutes of
processor time on one thread allow, from the time of the first 30 steps. Nothing else is tuned, for they are not ours. One seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import runlog
import torch

from eqlib import data, train, training

RESULTS = Path(__file__).parent / "results" / "rotated_mnist.json"
NAMES = ("C8", "SO2", "C8-augmented", "SO2-augmented")
WIDTHS = {"C8": (4, 6, 6, 8, 8, 32), "SO2": (4, 6, 6, 10, 10, 32)}  # the example's: 24, 48, 48, 96, 96, 64
MINUTES, BATCH, LR, STEPS = 19.0, 16, 1e-2, 30


class Rival(torch.nn.Module):
    """Images (batch, 1, 28, 28) -> class scores (batch, 10), invariant under C8 or SO(2)."""

    def __init__(self, group: str) -> None:
        super().__init__()
        from escnn import gspaces, nn

        space = gspaces.rot2dOnR2(8) if group == "C8" else gspaces.rot2dOnR2(-1, maximum_frequency=3)
        kind = nn.FieldType(space, [space.trivial_repr])
        self.wrap = lambda x, first=kind: nn.GeometricTensor(x, first)
        layers: list[torch.nn.Module] = [nn.MaskModule(kind, 29, margin=1)]
        for i, width in enumerate(WIDTHS[group]):
            if group == "C8":
                act = nn.ReLU(nn.FieldType(space, width * [space.regular_repr]))
                norm = nn.InnerBatchNorm(act.in_type)
            else:
                act = nn.FourierELU(space, width, [(m,) for m in range(4)], N=16)
                norm = nn.IIDBatchNorm2d(act.in_type)
            size, padding = (7, 1) if i == 0 else (5, 1 if i == 5 else 2)
            layers += [nn.R2Conv(kind, act.in_type, size, padding=padding, bias=False), norm, act]
            kind = act.out_type
            if i % 2 == 1:  # two halvings; what is left in the end is one pixel
                more: dict[str, Any] = {"stride": 2} if i < 5 else {"stride": 1, "padding": 0}
                layers.append(nn.PointwiseAvgPoolAntialiased(kind, sigma=0.66, **more))
        if group == "C8":
            layers.append(nn.GroupPooling(kind))
            count = layers[-1].out_type.size
        else:
            count = WIDTHS[group][-1]
            layers.append(nn.R2Conv(kind, nn.FieldType(space, count * [space.trivial_repr]), 1, bias=False))
        self.features = nn.SequentialModule(*layers)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(count, 64), torch.nn.BatchNorm1d(64), torch.nn.ELU(), torch.nn.Linear(64, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # 29 pixels, so that strides of two keep the centre.
        y = self.features(self.wrap(torch.nn.functional.pad(x, (0, 1, 0, 1)))).tensor
        return self.head(y.mean((-2, -1)))


def fit(net: torch.nn.Module, split: data.Split, augmented: bool, epochs: int, checkpoint: Path | None) -> None:
    """The training of `eqlib.train.digits`."""
    training.fit(
        net,
        training.cross_entropy,
        split,
        epochs=epochs,
        batch_size=BATCH,
        lr=LR,
        **train.RECIPE,
        augment=train.turn if augmented else None,
        seed=0,
        checkpoint=checkpoint,
        progress=False,
    )


def run(name: str, folder: Path, minutes: float) -> dict[str, Any]:
    """One line of the log. A run that is cut off goes on from its checkpoint."""
    group, augmented = name.split("-")[0], name.endswith("-augmented")
    splits = data.rotated_mnist(folder, train=12_000, seed=0)
    start = time.perf_counter()
    first = slice(0, BATCH * STEPS)
    few = data.Split(*(part[first] for part in (splits.train.images, splits.train.labels, splits.train.angles)), "")
    torch.manual_seed(0)
    trial = Rival(group)
    fit(trial, few, augmented, 1, None)  # the first epoch makes what is made once
    begin = time.process_time()
    fit(trial, few, augmented, 1, None)
    step = (time.process_time() - begin) / STEPS
    steps = -(-len(splits.train) // BATCH)
    epochs = max(1, round(60 * minutes / (step * steps)))
    torch.manual_seed(0)
    net = Rival(group)
    begin = time.process_time()
    checkpoint = Path(tempfile.gettempdir()) / f"escnn-{name}-{minutes:g}.pt"
    fit(net, splits.train, augmented, epochs, checkpoint)
    cpu = time.process_time() - begin
    checkpoint.unlink()
    wrong = train.wrong_labels(net, splits.test)
    return {
        "command": f"python benchmarks/digits_escnn.py FOLDER --only {name}",
        "model": f"escnn-{name}",
        "images": len(splits.train),
        "seed": 0,
        "epochs": epochs,
        "batch_size": BATCH,
        "lr": LR,
        "parameters": training.count_parameters(net),
        "test": splits.test.source,
        "test_images": len(splits.test),
        "test_accuracy": 1 - len(wrong) / len(splits.test),
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(cpu, 1),
        "wrong": " ".join(map(str, wrong)),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--minutes", type=float, default=MINUTES, help="another number is printed and not logged")
    args = parser.parse_args()
    torch.set_num_threads(1)
    commit = runlog.commit()
    known = {r["model"] for r in runlog.lines(RESULTS)}
    for name in args.only:
        if f"escnn-{name}" in known:
            continue
        new = run(name, args.folder, args.minutes)
        print(f"{name:14s} {100 * (1 - new['test_accuracy']):.2f} % in {new['cpu_seconds']} s: {new}", flush=True)
        if args.minutes == MINUTES:
            runlog.add(RESULTS, new | {"commit": commit})


if __name__ == "__main__":
    main()
