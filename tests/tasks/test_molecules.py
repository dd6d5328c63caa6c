"""The task of molecules: what is compared is alike, what is tested was not trained on, a reader's own molecules."""

import re

import numpy as np
import pytest
import torch

from eqlib import data, training
from eqlib.tasks import molecules as task

WATER = [8, 1, 1], [[0.0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]]


def frames(number=20):
    """Frames of water that was shaken, with energies, forces, dipoles and gaps of springs."""
    rng = np.random.default_rng(0)
    x = np.tile(np.array(WATER[1]), (number, 1)) + rng.normal(scale=0.05, size=(3 * number, 3))
    x = x.reshape(number, 3, 3)
    bonds = x[:, 1:] - x[:, :1]
    d = np.linalg.norm(bonds, axis=2)
    pull = (10 * (d - 0.96) / d)[..., None] * bonds
    forces = np.concatenate([pull.sum(1, keepdims=True), -pull], axis=1)
    known = {"energies": 5 * ((d - 0.96) ** 2).sum(1) - 10, "forces": forces.reshape(-1, 3), "gaps": d.sum(1)}
    known["dipoles"] = bonds.sum(1)
    return data.as_molecules(WATER[0] * number, x.reshape(-1, 3), [3] * number, **known)


def test_rivals_are_of_like_size() -> None:
    sizes = {name: training.count_parameters(task.make(name)) for name in task.MODELS}
    assert max(sizes.values()) < 1.1 * min(sizes.values()), sizes


@pytest.mark.parametrize(
    ("model", "output"),
    [*((m, "energy") for m in task.MODELS), ("angles", "dipole"), ("l1", "dipole"), ("l0", "gap"), ("l2", "gap")],
)
def test_every_model_learns_every_output(model, output, monkeypatch) -> None:
    """A hundred steps on eighteen frames: less than a third of the error that their mean has, on two others."""
    known = frames()
    monkeypatch.setattr(data, "glycol", lambda split: known[:18] if split == "train" else known[18:])
    torch.manual_seed(0)
    net, report = task.run(model, output=output, steps=100, lr=1e-2, progress=False)
    true = {"energy": known.forces, "dipole": known.dipoles, "gap": known.gaps}[output]
    assert report["test_error"] < np.std(true, axis=0).mean() / 3, report
    assert (
        report["number"] == 18
        and report["test_number"] == 2
        and report["sizes"] == {"elements": [1, 8], "output": output}
    )
    inputs = task.prepare(model, known[:2], **report["sizes"])
    found = net.eval()(*inputs)
    assert (found[1] if output == "energy" else found).shape == {"energy": (6, 3), "dipole": (2, 3), "gap": (2,)}[
        output
    ]


def test_every_tenth_frame_is_held_out(monkeypatch) -> None:
    known = frames()
    monkeypatch.setattr(data, "acac", lambda folder, without_atoms: known if without_atoms else None)
    train, test = task.splits("acac")
    assert len(train) == 18 and len(test) == 2
    assert test.energies.tolist() == known.energies[[0, 10]].tolist()
    assert not set(train.energies) & set(test.energies)
    some, same = task.splits("acac", 3)
    assert some.energies.tolist() == train.energies[[0, 8, 17]].tolist() and len(same) == 2


def test_settings_are_chosen_by_training_frames_alone(monkeypatch) -> None:
    """Neither "valid" nor "hot" sees a test frame; "hot" keeps the highest energies away."""
    known = frames(40)
    monkeypatch.setattr(data, "acac", lambda folder, without_atoms: known)
    ours, test = task.splits("acac")
    for judge, size in (("valid", 4), ("hot", 3)):
        train, held_out = task.splits("acac", judge=judge)
        assert (len(train), len(held_out)) == (36 - size, size)
        assert {*train.energies, *held_out.energies} == {*ours.energies} and not {*held_out.energies} & {*test.energies}
        assert not {*train.energies} & {*held_out.energies}
    assert held_out.energies.min() > train.energies.max()


def test_a_network_of_other_width_is_made_again_from_its_sizes(monkeypatch) -> None:
    known = frames()
    monkeypatch.setattr(data, "glycol", lambda split: known[:18] if split == "train" else known[18:])
    net, report = task.run("l1", channels=3, steps=2, progress=False)
    assert report["sizes"]["channels"] == 3 and training.count_parameters(net) < training.count_parameters(
        task.make("l1")
    )
    task.make("l1", **report["sizes"]).load_state_dict(net.state_dict())


def test_the_loss_counts_an_energy_by_the_atom() -> None:
    force, energy = torch.zeros(6, 3), torch.zeros(2)
    assert float(task.loss((energy, force + 2.0), (energy, force))) == pytest.approx(4.0)
    assert float(task.loss((energy + 3.0, force), (energy, force))) == pytest.approx(task.ENERGY)  # 3 atoms each
    assert float(task.loss(energy + 2.0, energy)) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: task.run("l2", "benzene"), "molecules: got 'benzene', expected one of glycol, small, acac, ethanol"),
        (lambda: task.run("l4"), "model: got 'l4', expected one of l0, angles"),
        (lambda: task.run("l2", number=0), "number: got 0, expected a number above 0"),
        (lambda: task.run("l2", channels=0), "channels: got 0, expected a number above 0"),
        (lambda: task.splits("glycol", judge="train"), "judge: got 'train', expected one of test, valid, hot"),
        (lambda: task.run("l2", output="charge"), "output: got 'charge', expected one of energy"),
        (lambda: task.prepare("l2", ([8], [[0, 0, np.inf]])), "positions: got NaN or inf"),
        (lambda: task.prepare("l2", 3), "raw: got int, expected data.Molecules, or (numbers, positions) of one"),
        (lambda: data.MoleculeGraphs(frames(2)[:1].without_atoms({1: 0.0, 8: 0.0}), 5.0, "spin"), "output: got 'spin'"),
        (lambda: data.MoleculeGraphs(data.as_molecules(*WATER, [3]), 5.0), "molecules: got none of their energies"),
    ],
)
def test_bad_input_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
