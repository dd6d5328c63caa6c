"""VolumeCNN: one class for every group of space, exact under the cube's symmetries, close to it at other angles."""

import copy

import numpy as np
import pytest
import torch

from eqlib import data, groups, models, testing

SO3, O3 = groups.SO3(), groups.O3()
CASES = {
    "SO3": (SO3, ["3x0+2x1+1x2", "3x0+2x1+1x2"]),
    "O3": (O3, ["3x0e+2x1o+1x2e", "3x0e+0o+2x1o+1e+1x2e"]),
    "Octahedral": (groups.Octahedral(), None),
    "Octahedral with inversion": (groups.Octahedral(inversion=True), ["2x1a+2a+2x3b", "2x1a+1b+3a+2x3b"]),
}
every_case = pytest.mark.parametrize("name", CASES)


def network(name, **options):
    group, hidden = CASES[name]
    hidden = hidden or [groups.fields(groups.regular(group)[0], 1)] * 2
    return models.VolumeCNN(group, hidden, classes=7, **options)


def error(net, size, dtype=torch.float64, group=None):
    """How far the scores are from invariant under every turn and flip of the cube that the group knows."""
    as_volume = torch.nn.Sequential(net.eval(), torch.nn.Unflatten(1, (7, 1, 1, 1)))
    group = group or net.rep_in.group
    volume, scores = (group.rep([(n, group.trivial)]) for n in (1, 7))
    return testing.grid_equivariance_error(as_volume, volume, scores, size=size, dtype=dtype)


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_invariant_under_the_symmetries_of_the_cube(name, dtype, tolerance):
    assert error(network(name), 9 if dtype == torch.float64 else 8, dtype) < tolerance


def test_mirror_images():
    """O(3) gives a screw and its mirror image the same scores, SO(3) does not. (White noise is its own mirror image.)"""
    drawn = [data.draw_cubes(2.0 * data.tetris()[:1] * sign, [2.0], sign * np.eye(3)[None], size=9) for sign in (1, -1)]
    x = torch.tensor(np.stack(drawn))
    for group, hidden, low, high in ((O3, "3x0e+2x1o+1x2e", 0.0, 1e-12), (SO3, "3x0+2x1+1x2", 1e-6, 1.0)):
        net = testing.randomised(models.VolumeCNN(group, [hidden] * 3, pool=(0,)), 3, torch.float64)
        for layer in net.modules():
            if hasattr(layer, "momentum"):  # running statistics are those of these two
                layer.momentum = 1.0
        with torch.no_grad():
            net.train()(x)
            left, right = net.eval()(x)
        assert low <= (left - right).norm() / left.norm() < high, group


def test_a_plain_network_knows_no_turns():
    assert error(models.PlainCNN(4, 2, 7, dimensions=3, first=5), 9, group=SO3) > 1e-2


def test_gradients_and_modes():
    net = network("O3")
    x = torch.randn(3, 1, 9, 9, 9, requires_grad=True)
    net(x).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert net.eval()(torch.zeros(0, 1, 9, 9, 9)).shape == (0, 7)
    assert net(torch.zeros(1, 1, 9, 9, 9)).isfinite().all()


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_compiles_without_a_graph_break():
    torch._dynamo.reset()
    net = network("O3").eval()
    x = torch.randn(2, 1, 9, 9, 9)
    compiled = torch.compile(copy.deepcopy(net), fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), net(x), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.VolumeCNN(O3, "4x0e"), "hidden: got '4x0e', expected a list of reps, one for each block"),
        (lambda: models.VolumeCNN(O3, []), r"hidden: got \[\], expected a list"),
        (lambda: models.VolumeCNN(groups.O2(), ["0e"]), "group: got O2, which acts on 2 coordinates"),
        (lambda: models.VolumeCNN(O3, ["0e"], kernel_size=4), "kernel_size: got 4, expected an odd number"),
        (lambda: network("O3")(torch.zeros(1, 1, 9, 9)), "expected volumes"),
        (lambda: network("O3")(torch.zeros(1, 2, 9, 9, 9)), "x: got"),
        (lambda: network("O3").eval()(torch.full((1, 1, 9, 9, 9), float("nan"))), "NaN or infinite"),
        (lambda: network("O3")(torch.zeros(1, 1, 9, 8, 9)), "all sizes even or all odd"),
        (lambda: models.PlainCNN(dimensions=4), "dimensions: got 4, expected 2 or 3"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
