"""Top tagging: the networks that are compared, jets as each of them takes them, boosted or turned, and their training."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eqlib import data, groups, models, training

TAGGERS = ("lorentz", "linear", "invariants", "particlenet", "particlenet-augmented")
PARTICLES = 50  # of a jet, the hardest


def make_tagger(model: str, seed: int) -> torch.nn.Module:
    """A network of `TAGGERS` with seeded initial weights; ValueError for another name."""
    if model not in TAGGERS:
        raise ValueError(f"model must be one of {TAGGERS}, got {model!r}")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        if model.startswith("particlenet"):
            return models.ParticleNet()
        # Widths that give every model 24,000 to 26,400 parameters.
        options: dict[str, Any] = {
            "lorentz": {"channels": (4, 6, 6, 4), "scalars": 24, "hidden": 24},
            "linear": {"channels": (4, 6, 6, 4), "scalars": 28, "hidden": 28, "products": False},
            "invariants": {"irreps": (), "scalars": 31, "hidden": 31},
        }[model]
        return models.LorentzGroupNetwork(groups.Lorentz(), **options)


class JetBatches:
    """Jets as a tagger takes them, moved by a Lorentz transformation first if one is given.

    momenta: (n, p, 4), raw (E, px, py, pz) in GeV, float64. model: of `TAGGERS`; ParticleNet takes raw momenta, the others
    components of `groups.Lorentz().vector`, formed in float64 after the transformation. moved: an Element for each jet.
    """

    def __init__(
        self,
        jets: data.Jets,
        model: str,
        moved: groups.Element | None = None,
        particles: int = PARTICLES,
    ) -> None:
        momenta, mask = jets.momenta(particles)
        if moved is not None:
            momenta = momenta @ groups.Lorentz().matrix(moved).swapaxes(1, 2)
        if not model.startswith("particlenet"):
            momenta, mask = data.network_input(momenta, mask)
        self.momenta, self.mask = momenta.astype("float32"), mask
        self.labels: Any = jets.labels

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, ...]:
        return self.momenta[indices], self.mask[indices], self.labels[indices]


def boost(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Augmentation: each jet of the batch turned at random, then boosted into a random direction by gamma = 1 ... 10."""
    momenta, mask, labels = batch
    rapidity = np.arccosh(10.0) * torch.rand(len(momenta), generator=generator, dtype=torch.float64).numpy()
    seed = int(torch.randint(2**31, (1,), generator=generator))
    moved = random_boosts(len(momenta), np.cosh(rapidity), seed) * random_turns(len(momenta), seed + 1)
    matrices = torch.as_tensor(groups.Lorentz().matrix(moved)).to(momenta.dtype)
    return momenta @ matrices.mT, mask, labels


def random_boosts(number: int, gamma: float | NDArray[np.float64], seed: int) -> groups.Element:
    """So many boosts, each into a direction of its own, by a Lorentz factor gamma >= 1: one, or (number,) of them."""
    factors = np.broadcast_to(np.asarray(gamma, dtype=np.float64), (number,))
    if not (factors >= 1).all():
        raise ValueError(f"gamma must be at least 1, got {factors.min()}")
    direction = np.random.default_rng(seed).normal(size=(number, 3))
    rapidity = np.arccosh(factors)[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return groups.Lorentz().element(np.concatenate([np.zeros((number, 3)), rapidity], axis=1))


def random_turns(number: int, seed: int) -> groups.Element:
    """So many random rotations of space, uniform."""
    turns = Rotation.random(number, np.random.default_rng(seed)).as_rotvec()
    return groups.Lorentz().element(np.concatenate([turns, np.zeros((number, 3))], axis=1))


def scores(net: torch.nn.Module, jets: JetBatches, batch_size: int = 100) -> NDArray[np.float64]:
    """Probability of a top for each jet, (n,), in eval mode."""
    net.eval()
    with torch.no_grad():
        parts = [
            torch.softmax(net(torch.as_tensor(x), torch.as_tensor(mask)).double(), dim=-1)[:, 1]
            for x, mask, _ in (
                jets.batch(i) for i in np.split(np.arange(len(jets)), range(batch_size, len(jets), batch_size))
            )
        ]
    return torch.cat(parts).numpy()


def jets(
    model: str,
    number: int,
    seed: int,
    epochs: int = 10,
    batch_size: int = 50,
    lr: float = 3e-3,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train a tagger on the first `number` training jets, keep the epoch that is best on the valid ones, test on 3,000."""
    net = make_tagger(model, seed)
    train, valid, test = (
        JetBatches(data.jets(split, number=number if split == "train" else None), model)
        for split in ("train", "valid", "test")
    )
    start = time.perf_counter()
    training.fit(
        net,
        training.cross_entropy,
        train,
        valid,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=torch.optim.AdamW,
        lr=lr,
        weight_decay=1e-2,
        schedule=training.warm_cosine,
        clip=1.0,
        metric=training.accuracy,
        best="max",
        augment=boost if model.endswith("-augmented") else None,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    report = {
        "model": model,
        "jets": len(train),
        "seed": seed,
        "epochs": epochs,
        "parameters": training.count_parameters(net),
        "test_jets": len(test),
        "test_accuracy": training.evaluate(net, test, training.accuracy),
        "seconds": round(time.perf_counter() - start, 1),
    }
    return net, report
