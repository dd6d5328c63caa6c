"""The field of moving charges: rivals of one size, tests that are boosted, a reader's own charges."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch

from eqlib import data, groups, training
from eqlib.tasks import fields


def test_rivals_are_of_one_size() -> None:
    sizes = {name: training.count_parameters(fields.make(name)) for name in fields.MODELS}
    assert sizes["time-apart"] == sizes["time-apart-boosted"] == pytest.approx(sizes["poincare"], rel=0.01)
    assert sizes["poincare-gaussians"] == 32 and sizes["poincare-deep"] < sizes["poincare"]


def test_the_test_is_boosted_as_a_whole() -> None:
    """The same systems, each by the rapidity that is said, in directions of their own; and none of them is in training."""
    still, moved = fields.held_out(0), fields.held_out(2)
    train = data.moving_charges(fields.SYSTEMS, rapidity=fields.RAPIDITY, seed=0)
    assert len(still) == fields.TEST and not set(still.charges) & set(train.charges)
    group = groups.Lorentz()
    first = np.cumsum(still.sizes) - still.sizes
    energies = []
    for i, start in enumerate(first[:20]):
        events = np.concatenate([still.events[start : start + 3], still.at[4 * i : 4 * i + 4]])
        after = np.concatenate([moved.events[start : start + 3], moved.at[4 * i : 4 * i + 4]])
        L = np.linalg.lstsq(events, after, rcond=None)[0].T
        assert np.abs(group.matrix(group.from_matrix(L))[0] - L).max() < 1e-9
        energies.append(L[0, 0])
        assert (
            np.abs(data.electric_magnetic(L @ data.field_tensor(still.fields[4 * i]) @ L.T) - moved.fields[4 * i]).max()
            < 1e-9
        )
    assert np.arccosh(energies) == pytest.approx(np.full(20, 2.0), abs=1e-6)
    copies = fields.boosted(train, 2.0, seed=5, up_to=True)
    gamma = copies.velocities[:, 0] / train.velocities[:, 0]
    assert gamma.min() < 1 and 5 < gamma.max() < np.exp(2.0)  # at most e^2 for any velocity


def test_error_is_relative() -> None:
    class Twice(torch.nn.Linear):
        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return 1.25 * self.target

    systems = data.moving_charges(5, seed=0)
    net = Twice(1, 1)
    net.target = torch.as_tensor(systems.batch(np.arange(5))[-1])
    assert fields.error(net, systems) == pytest.approx(0.25)
    target = torch.tensor([[3.0, 0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0, 0]])
    assert float(fields.loss(target + 1, target)) == pytest.approx(1000)
    assert float(fields.relative(target + 1, target)) == pytest.approx(500 * (6 / 9.1 + 60))


def test_a_boost_costs_poincare_nothing() -> None:
    """Two epochs teach it something, and that is as good in every frame; the same two epochs of the rival are not."""
    _, report = fields.run("poincare-gaussians", systems=50, epochs=2, progress=False)
    errors = np.array([report["test_error"], *report["boosted"].values()])
    assert list(report["boosted"]) == ["1", "2"] and errors.max() < 0.2
    assert np.ptp(errors) < 0.1 * errors.min()
    _, rival = fields.run("time-apart", systems=50, epochs=2, progress=False)
    assert rival["boosted"]["2"] > 2 * rival["test_error"]
    _, copied = fields.run("time-apart-boosted", systems=10, epochs=1, progress=False)
    assert copied["batch_size"] == 50  # each system and four copies


def raw(n: int = 2, x: float = 1.0) -> tuple[list[float], list[list[float]], list[list[float]], list[list[float]]]:
    """Charges in the origin and 1 m beside it, at rest, and the event x away."""
    return [1.0] * n, [[0.0, 0, float(i), 0] for i in range(n)], [[1.0, 0, 0, 0]] * n, [[0.0, x, 0, 0]]


@pytest.mark.parametrize("model", fields.MODELS)
def test_prepare_takes_a_system_and_warns_of_what_was_never_trained(model: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = fields.prepare(model, raw())
        assert fields.make(model)(*inputs).shape == (1, 6)
        fields.prepare(model, ([], np.zeros((0, 4)), np.zeros((0, 4)), np.zeros((2, 4))))
    assert [tuple(x.shape) for x in inputs] == [(2, 5), (2, 4), (2, 4), (1, 4), (2, 2), (2, 2)]
    for far in (0.3, 4.2):
        with pytest.warns(
            UserWarning, match=r"^at: got [12] pairs of a charge and an event that are time-like, or not 0.5 to 4"
        ) as said:
            fields.prepare(model, raw(x=far))
        assert said[0].filename == __file__


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones(4), "raw: got ndarray, expected (charges (n,), events (n, 4)"),
        (raw()[:3], "raw: got 3 arrays, expected (charges"),
        ((*raw()[:3], [0.0, 1, 0, 0]), "at: got shape (4,), expected (m, 4)"),
        ((raw()[0], raw()[1], [[1.0, 1, 0, 0]] * 2, raw()[3]), "velocities: got u.u = 0"),
        (raw(x=0.0), "at: got an event on the world line"),
    ],
)
def test_prepare_refuses(given: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        fields.prepare("poincare", given)
