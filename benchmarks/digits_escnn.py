"""escnn's networks for rotated MNIST on the protocol of benchmarks/rotated_mnist.py, into the same log.

    PYTHONPATH=. rival/bin/python benchmarks/digits_escnn.py FOLDER --only C8-augmented   # grid_conv.py makes `rival`; 19 minutes

FOLDER holds MNIST's idx files. The networks have the form of escnn's own MNIST examples (six convolutions; C8: regular fields,
ReLU, the largest value over the group; SO2: functions up to frequency 3, FourierELU on 16 samples, an invariant map), a sixth to
a twelfth as wide, but the last layer, whose invariants are all that the head sees, half as wide: about 40 thousand parameters.
(All layers a seventh as wide, C8 had 9 invariants in the end and was wrong on 1.71 % of the test, augmented, after 14 epochs.)
Same images, same turns, same optimizer, batch and schedule as `eqlib.tasks.digits`; the number of epochs is what 19 minutes of
processor time on one thread allow, from the time of the first 30 steps. Nothing else is tuned, for they are not ours. One seed.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from eqlib import data, training
from eqlib.data.augment import turn_images
from eqlib.tasks import digits

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


def fit(
    net: torch.nn.Module, split: data.Split, augmented: bool, epochs: int, seed: int, checkpoint: Path | None
) -> training.History:
    """The training of `eqlib.tasks.digits`."""
    augment = turn_images if augmented else None
    recipe = training.Recipe(epochs=epochs, batch_size=BATCH, lr=LR, augment=augment, **digits.RECIPE)
    return training.fit(net, training.cross_entropy, split, recipe, seed=seed, checkpoint=checkpoint, progress=False)


def run(folder: Path, minutes: float, model: str, images: int, seed: int) -> dict[str, Any]:
    """One line of the log. A run that is cut off goes on from its checkpoint."""
    name = model.removeprefix("escnn-")
    group, augmented = name.split("-")[0], name.endswith("-augmented")
    splits = data.rotated_mnist(folder, train=images, seed=seed)
    first = slice(0, BATCH * STEPS)
    few = data.Split(*(part[first] for part in (splits.train.images, splits.train.labels, splits.train.angles)), "")
    torch.manual_seed(seed)
    trial = Rival(group)
    fit(trial, few, augmented, 1, seed, None)  # the first epoch makes what is made once
    step = fit(trial, few, augmented, 1, seed, None).total_cpu_seconds / STEPS
    epochs = max(1, round(60 * minutes / (step * -(-images // BATCH))))
    torch.manual_seed(seed)
    net = Rival(group)
    checkpoint = Path(tempfile.gettempdir()) / f"escnn-{name}-{minutes:g}.pt"
    history = fit(net, splits.train, augmented, epochs, seed, checkpoint)
    checkpoint.unlink()
    wrong = digits.wrong_labels(net, splits.test)
    return {
        "command": f"python benchmarks/digits_escnn.py FOLDER --only {name}",
        "model": model,
        "images": images,
        "seed": seed,
        "epochs": epochs,
        "batch_size": BATCH,
        "lr": LR,
        "parameters": training.count_parameters(net),
        "test": splits.test.source,
        "test_images": len(splits.test),
        "test_accuracy": 1 - len(wrong) / len(splits.test),
        "seconds": round(history.total_seconds, 1),
        "cpu_seconds": round(history.total_cpu_seconds, 1),
        "wrong": " ".join(map(str, wrong)),
        **training.runs.stamp(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--minutes", type=float, default=MINUTES, help="another number is printed and not logged")
    args = parser.parse_args()
    points = [{"model": f"escnn-{name}", "images": 12_000, "seed": 0} for name in args.only]
    again = args.minutes != MINUTES
    training.runs.fill(RESULTS, points, partial(run, args.folder, args.minutes), "test_accuracy", again)


if __name__ == "__main__":
    main()
