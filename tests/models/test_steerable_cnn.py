"""Networks of the plane: invariant under what the grid resolves, for every activation, and built in no time."""

import time

import pytest
import torch

from eqlib import groups, models, nn, testing

C4, C8, D4, SO2, O2 = groups.Cyclic(4), groups.Cyclic(8), groups.Dihedral(4), groups.SO2(), groups.O2()


pytestmark = pytest.mark.filterwarnings(
    "ignore:kernel_size . carries degrees"
)  # D8's frequencies; see tests/nn/test_grid.py


def regular(group, channels):
    return groups.fields(groups.regular(group)[0], channels)


def error(net, group, size):
    as_image = torch.nn.Sequential(net.eval(), torch.nn.Unflatten(1, (10, 1, 1)))
    image, scores = group.rep([(1, group.trivial)]), group.rep([(10, group.trivial)])
    return testing.grid_equivariance_error(as_image, image, scores, size=size)


CASES = {
    "C8 regular": (lambda: models.SteerableCNN(C8, [regular(C8, 2)] * 3), C8),
    "D4 regular": (lambda: models.SteerableCNN(D4, [regular(D4, 2)] * 3, invariants=None), D4),
    "D4 quotient": (lambda: models.SteerableCNN(D4, ["3x0e+3x1+3x2e"] * 3), D4),
    "SO2 fourier": (lambda: models.SteerableCNN(SO2, ["2x0+2x1+2x2"] * 3), SO2),
    "O2 gate": (lambda: models.SteerableCNN(O2, ["3x0e+0o+2x1+2"] * 3, activation="gate"), O2),
    "SO2 norm": (lambda: models.SteerableCNN(SO2, ["3x0+2x1+2"] * 3, activation="norm"), SO2),
    "O2, then SO2": (
        lambda: models.SteerableCNN(O2, ["2x0e+2x1"] * 2 + ["2x0+2x1"], restrict={1: SO2}),
        SO2,
    ),
    "D4, then C4": (
        lambda: models.SteerableCNN(D4, [regular(D4, 2)] * 2 + [regular(C4, 2)], restrict={1: C4}),
        C4,
    ),
    "p4": (lambda: models.GroupCNN(C4, (2, 3, 3)), C4),
    "p4m": (lambda: models.GroupCNN(D4, (2, 3, 3)), D4),
    "p4m without norm": (lambda: models.GroupCNN(D4, (2, 3, 3), norm=False), D4),
    "C8": (lambda: models.GroupCNN(C8, (2, 3, 3)), C8),
    "D8": (lambda: models.GroupCNN(groups.Dihedral(8), (1, 2, 2)), groups.Dihedral(8)),
}


@pytest.mark.parametrize("name", CASES)
def test_invariant_under_quarter_turns_and_flips(name):
    make, group = CASES[name]
    for size in (12, 13):
        assert error(make(), group, size) < 1e-10, size


@pytest.mark.parametrize("halve", [(0,), (0, 1)])
def test_halving_is_exact_on_even_images(halve):
    net = models.SteerableCNN(SO2, ["2x0+2x1+2x2"] * 3, pool=(2,), halve=halve)
    assert error(net, SO2, 12) < 1e-10
    odd = 14 if len(halve) == 2 else 13  # the first block, or the second, gets an odd size
    with pytest.warns(UserWarning, match="stride 2 keeps pixels that no turn takes to each other"):
        assert error(net, SO2, odd) > 1e-3


def test_the_larger_group_is_gone_behind_a_restriction():
    make, _ = CASES["D4, then C4"]
    assert error(make(), D4, 12) > 1e-3


def test_mask_makes_the_corners_invisible():
    net = models.SteerableCNN(SO2, ["2x0+2x1"] * 2, mask=13).eval()
    x = torch.randn(2, 1, 13, 13)
    y = x.clone()
    y[..., 0, 0] += 100.0
    assert torch.equal(net(x), net(y))


def test_dropout_only_while_training():
    net = models.SteerableCNN(SO2, ["2x0+2x1"] * 2, dropout=0.5, norm=False)
    x = torch.randn(2, 1, 12, 12)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


def test_ten_layers_are_built_in_less_than_a_second():
    """The goal is a second; ten times that would be a fault of kind, not of load."""
    start = time.process_time()
    models.SteerableCNN(groups.O2(), ["8x0e+4x0o+8x1+4x2+2x3"] * 9, activation="gate")
    assert time.process_time() - start < 10


def test_layers_export_to_plain_convolutions():
    net = models.GroupCNN(C4, (2, 3)).eval()
    x = torch.randn(2, 1, 13, 13)
    plain = torch.nn.Sequential(*[f.export() if isinstance(f, nn.GridConv) else f for f in net.features])
    assert (plain(x) - net.features(x)).abs().max() < 1e-5


@pytest.mark.parametrize("activation", ["fourier", "gate", "norm"])
def test_mixed_precision(activation):
    """Under autocast: about the same scores, statistics in full precision, and no kernel of half precision kept for later."""
    torch.manual_seed(0)
    net = models.SteerableCNN(SO2, ["3x0+3x1+3x2"] * 3, activation=activation)
    x = torch.randn(64, 1, 12, 12) + 3  # a mean that swamps the variance in eight bits
    norm = next(layer for layer in net.features if isinstance(layer, nn.BatchNorm))
    norm.register_forward_hook(lambda _, ins, out: dtypes.extend([ins[0].dtype, out.dtype]))
    dtypes = []
    with torch.autocast("cpu", torch.bfloat16):
        net(x).float().square().mean().backward()
    assert dtypes == [torch.bfloat16] * 2
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())
    plain = models.SteerableCNN(SO2, ["3x0+3x1+3x2"] * 3, activation=activation)
    plain.load_state_dict(net.state_dict())
    net.eval(), plain.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = net(x)
    with torch.no_grad():
        exact = plain(x)
        assert torch.equal(net(x), exact)
    assert half.dtype == torch.bfloat16
    assert (half - exact).norm() < 0.03 * exact.norm()
