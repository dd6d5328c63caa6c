"""The measures of equivariance on the grid: at any angle, and by cause. What they cannot see they must not pass."""

import numpy as np
import pytest
import torch

from eqlib import groups, nn, testing

O2, SO2, C8 = groups.O2(), groups.SO2(), groups.Cyclic(8)
ANGLES = np.deg2rad([10, 30, 45, 70])


def network(rep, activation, kernel_size=5, mask=33):
    """Three layers on one trivial channel; the stride and the border play no part."""
    layers, before = [], rep.group.rep([(1, rep.group.trivial)])
    for _ in range(3):
        act = activation(rep)
        inside = getattr(act, "rep_in", act.rep)
        layers += [nn.CircularMask(mask)] if mask else []
        layers += [nn.GridConv(before, inside, kernel_size), act]
        before = act.rep
    return torch.nn.Sequential(*layers)


def gate(rep):
    return nn.Gate(rep, axis=1)


def fourier(rep):
    return nn.FourierActivation(rep, 16, axis=1, activation=torch.nn.functional.elu)


@pytest.mark.parametrize(
    ("rep", "activation", "kernel_size"),
    [
        (O2.rep("4x0e+4x1+4x2"), gate, 7),
        (SO2.rep("4x0+4x1+4x2"), fourier, 5),
        (SO2.rep("4x0+4x1+4x2"), fourier, 7),
    ],
    ids=["O2 gate 7", "SO2 fourier 5", "SO2 fourier 7"],
)
def test_three_layers_are_off_by_less_than_a_per_cent_at_every_angle(rep, activation, kernel_size):
    """Random weights, sums of Gaussians of 3 pixels on 33 x 33, within radius 12."""
    net = network(rep, activation, kernel_size)
    image = rep.group.rep([(1, rep.group.trivial)])
    error = [testing.grid_equivariance_error(net, image, rep, ANGLES, seed=s) for s in (0, 1)]
    assert np.mean(error) < 0.01
    plain = torch.nn.Sequential(
        torch.nn.Conv2d(1, rep.dim, kernel_size, padding=kernel_size // 2),
        torch.nn.ELU(),
        torch.nn.Conv2d(rep.dim, rep.dim, kernel_size, padding=kernel_size // 2),
        torch.nn.ELU(),
    )
    scalars = rep.group.rep([(rep.dim, rep.group.trivial)])
    assert testing.grid_equivariance_error(plain, image, scalars, ANGLES) > 0.3


def test_zero_at_the_identity_and_at_quarter_turns():
    rep = O2.rep("2x0e+2x1+2")
    net = network(rep, gate)
    for turns in range(5):
        assert testing.grid_equivariance_error(net, O2.rep("0e"), rep, [turns * np.pi / 2], size=33) < 1e-9, turns


def test_a_wrong_action_is_seen():
    """A filter that turns is off by much where its output is read as scalars, or turned the other way."""
    conv = nn.GridConv(SO2.rep("0"), SO2.rep("1"), 5)
    right = testing.grid_equivariance_error(conv, SO2.rep("0"), SO2.rep("1"), ANGLES)
    scalars = testing.grid_equivariance_error(conv, SO2.rep("0"), SO2.rep("2x0"), ANGLES)
    other_way = testing.grid_equivariance_error(
        lambda x: conv.double()(x)[:, [1, 0]], SO2.rep("0"), SO2.rep("1"), ANGLES
    )
    assert right < 0.01 < 0.3 < min(scalars, other_way)


def test_smaller_outputs_are_compared_where_their_pixels_are():
    rep = SO2.rep("0+1")
    strided = torch.nn.Sequential(nn.GridConv(SO2.rep("0"), rep, 5, stride=2))
    pooled = torch.nn.Sequential(nn.GridConv(SO2.rep("0"), rep, 5), nn.GridPool())
    for net in (strided, pooled):
        assert testing.grid_equivariance_error(net, SO2.rep("0"), rep, ANGLES) < 0.01
    shifted = torch.nn.Sequential(nn.GridConv(SO2.rep("0"), rep, 5), torch.nn.AvgPool2d(2))  # 32 of 33 pixels
    assert testing.grid_equivariance_error(shifted, SO2.rep("0"), rep, ANGLES) > 0.1


def test_volumes():
    rep = groups.SO3().rep("0+1+2")
    conv = nn.GridConv(groups.SO3().rep("0"), rep, 5)
    assert testing.grid_equivariance_error(conv, conv.rep_in, rep, ANGLES[1:2], size=17, samples=1, inside=4) < 0.01
    plain = torch.nn.Conv3d(1, 3, 5, padding=2)
    image, scalars = groups.SO3().rep("0"), groups.SO3().rep("3x0")
    assert testing.grid_equivariance_error(plain, image, scalars, ANGLES[1:2], size=17, samples=1, inside=4) > 0.1


def test_the_induced_action_is_an_action():
    """(g t)(h s) = gh with the shift t + g s, on fields."""
    for group, text in ((O2, "0e+0o+1+2"), (groups.O3(), "0e+1o+1e+2e")):
        rep = group.rep(text)
        g, h = group.sample(1, seed=1), group.sample(1, seed=2)
        rng = np.random.default_rng(0)
        t, s, x = rng.normal(size=(3, rep.group.vector.dim))
        field = testing.blobs(rep, 3.0)
        twice = testing.induced(rep, g, t, testing.induced(rep, h, s, field))
        once = testing.induced(rep, g * h, t + group.matrix(g)[0] @ s, field)
        assert np.abs(twice(x[None]) - once(x[None])).max() < 1e-12
        # Pixels: the action that moves them is the same one.
        quarter = testing.grid_symmetries(group)[1]
        size, v = 9, group.vector.dim
        moved = testing.sample_field(testing.induced(rep, quarter, np.zeros(v), field), size, v)
        assert (moved - testing.act_on_grid(rep, quarter, testing.sample_field(field, size, v))).abs().max() < 1e-12


def test_causes_are_told_apart():
    rep = SO2.rep("2x0+2x1")
    layers = {
        "fine": nn.GridConv(rep, rep, 7),
        "activation": torch.nn.ReLU(),
        "coarse": nn.FourierActivation(rep, 4, axis=1),
        "grid": nn.GridConv(SO2.rep("0"), SO2.rep("2x0"), 3),
        "boundary": torch.nn.ZeroPad2d(-3),
    }
    plain = torch.nn.Conv2d(6, 6, 3, padding=1, bias=False)
    found = {name: testing.causes([f], rep, ANGLES[1])[0] for name, f in layers.items() if name != "boundary"}
    assert max(found["fine"].activation, found["fine"].grid, found["fine"].stride) < 0.01
    assert found["activation"].activation > 0.1
    assert found["coarse"].activation > 0.02
    assert found["grid"].activation < 1e-12
    assert testing.causes([plain], rep, ANGLES[1])[0].grid > 0.05

    class Every(torch.nn.Module):
        def forward(self, x):
            return x[..., ::2, ::2]

    class Edge(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.conv2d(x, torch.ones(6, 1, 15, 15).to(x) / 225, padding=7, groups=6)

    even = testing.causes([Every()], rep, ANGLES[1], size=32)[0]
    assert even.stride > 0.05 > even.grid
    assert testing.causes([Every()], rep, ANGLES[1], size=33)[0].stride < 0.01
    edge = testing.causes([Edge()], rep, ANGLES[1])[0]
    assert edge.boundary > edge.grid
    masked = testing.causes([nn.CircularMask(33)], rep, ANGLES[1])[0]
    assert max(masked.activation, masked.grid, masked.boundary, masked.stride) < 0.01


def test_causes_follow_the_reps():
    layers = [nn.GridConv(C8.rep("0"), C8.rep("2x1+0"), 5), nn.GridPool(), nn.NormActivation(C8.rep("2x1+0"), axis=1)]
    assert [c.layer for c in testing.causes(layers, C8.rep("0"), np.pi / 4)] == [
        "GridConv",
        "GridPool",
        "NormActivation",
    ]
    with pytest.raises(ValueError, match=r"no element of Cyclic\(8\)"):
        testing.causes(layers, C8.rep("0"), 0.3)


def test_the_mode_and_old_statistics_play_no_part_in_an_error_at_angles():
    """Weights are drawn anew: statistics of the old ones must not count, those of the module itself must stay."""
    gate = nn.Gate(SO2.rep("2x0+2x1"), axis=1)
    norm = nn.BatchNorm(gate.rep_in, axis=1)
    net = torch.nn.Sequential(nn.GridConv(SO2.rep("0"), gate.rep_in, 5), norm, gate, nn.Dropout(gate.rep, 0.5, axis=1))

    def errors():
        whole = testing.grid_equivariance_error(net, SO2.rep("0"), gate.rep, [0.5])
        return [whole, *(c.grid for c in testing.causes(net, SO2.rep("0"), 0.5))]

    first = errors()
    assert max(first) < 0.01
    net.eval()
    assert errors() == first
    norm.running_square.mul_(1e-4)
    norm.running_mean.add_(3.0)
    assert errors() == first
    assert net.train().training
    assert bool((norm.running_mean == 3.0).all())
    old = testing.equivariance.settled  # torch's own layers too
    plain = old(torch.nn.BatchNorm2d(2).double(), torch.full((2, 2, 3, 3), 5.0).double())
    assert plain.running_mean.tolist() == [5.0, 5.0]


def test_squares_on_few_pixels_are_the_measures_error_not_the_scores():
    """Spline of squares against the mean over pixels, which needs none."""
    torch.manual_seed(0)
    rep, layers = SO2.rep("0"), []
    for hidden in ("6x0+4x1+4x2", "8x0+6x1+6x2"):
        gate = nn.Gate(SO2.rep(hidden), axis=1)
        layers += [nn.GridConv(rep, gate.rep_in, 5, bias=False), nn.BatchNorm(gate.rep_in, axis=1), gate, nn.GridPool()]
        rep = gate.rep
    squares = nn.Invariants(rep, axis=1)
    body = torch.nn.Sequential(*layers)
    testing.equivariance.settled(
        body.double(),
        torch.cat([testing.sample_field(testing.blobs(SO2.rep("0"), 12.0, seed=s), 33) for s in range(4)]),
    )
    before = testing.grid_equivariance_error(lambda x: body(x), SO2.rep("0"), rep, [0.5])
    behind = testing.grid_equivariance_error(lambda x: squares(body(x)), SO2.rep("0"), squares.rep_out, [0.5])
    mean = testing.grid_equivariance_error(
        lambda x: squares(body(x)).mean((-2, -1), keepdim=True), SO2.rep("0"), squares.rep_out, [0.5]
    )
    assert mean < before < 0.12 < behind
