"""`equivariance_error` asks the elements that generate a group, whatever its random ones are."""

import numpy as np
import pytest
import torch

from eqlib import groups, nn, testing

C8, SO2, O2, O3, LORENTZ = groups.Cyclic(8), groups.SO2(), groups.O2(), groups.O3(), groups.Lorentz()
GROUPS = [
    *(C8, groups.Cyclic(1), groups.Dihedral(6), groups.Symmetric(4), groups.Icosahedral(), SO2, O2, groups.SO3(), O3),
    *(groups.SU(3), groups.G2(), LORENTZ, groups.Lorentz(parity=True), groups.Product(O2, groups.Cyclic(3))),
]
NEVER = 0  # random elements: those that generate must do alone


def quarter(v):
    """Each pair of components turned by 90 degrees, which a reflection undoes."""
    return torch.stack([-v[..., 1::2], v[..., ::2]], -1).flatten(-2)


def cubed(v):
    """conj(z)^3: a turn by a comes out as one by -3 a, which is a for quarter turns."""
    x, y = v[..., :1], v[..., 1:]
    return torch.cat([x**3 - 3 * x * y**2, y**3 - 3 * x**2 * y], -1)


def energetic(v):
    """A four-momentum times its energy, which turns leave alone and boosts do not."""
    return (v[..., :1] + v[..., 1:2]) * v


REFUSED = {
    "C4, not C8": (cubed, C8.rep("1"), C8.rep("1")),
    "SO(2), not O(2)": (quarter, O2.rep("1"), O2.rep("1")),
    "SO(3), not O(3)": (lambda v: v.norm(dim=-1, keepdim=True) * v, O3.rep("1o"), O3.rep("1e")),
    "turns, not boosts": (energetic, LORENTZ.rep("(1,1)"), LORENTZ.rep("(1,1)")),
    "one of two copies": (lambda v: torch.cat([v[..., :2], quarter(v[..., 2:])], -1), O2.rep("2x1"), O2.rep("2x1")),
    "turns about y": (lambda v: v * torch.tensor([1, 2, 1]).to(v), groups.SO3().rep("1"), groups.SO3().rep("1")),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", REFUSED)
def test_a_map_of_a_subgroup_is_always_refused(name, dtype):
    f, rep_in, rep_out = REFUSED[name]
    for samples in (NEVER, 1, 2):
        for seed in range(100):
            assert testing.equivariance_error(f, rep_in, rep_out, samples, seed=seed, dtype=dtype) > 0.1, (
                samples,
                seed,
            )


@pytest.mark.parametrize("samples", [NEVER, 8])
def test_and_passes_for_the_subgroup(samples):
    for f, rep in ((cubed, groups.Cyclic(4).rep("1")), (quarter, SO2.rep("2x1")), (torch.tanh, O2.rep("2x0o"))):
        assert testing.equivariance_error(f, rep, rep, samples) < 1e-12
    steps = groups.SO3().rep("1")
    assert testing.equivariance_error(lambda v: v.norm(dim=-1, keepdim=True) * v, steps, steps, samples) < 1e-12


def test_whole_steps_of_a_boost_are_not_every_boost():
    """x times a function of log(E + p) with period 1 commutes with the boost of rapidity 1, and with its powers alone."""
    rep, _ = groups.from_generators([[[1.0, 0.0], [0.0, -1.0]]], name="boosts of a line")

    def steps(v):
        return v * (2 + torch.sin(2 * np.pi * v[..., :1].abs().log()))

    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for label in [a.label for _, a in rep]:
        line = rep.group.rep([(1, label)])
        whole = torch.tensor(line(rep.group.element([1.0]))[0])
        assert (steps(x[:, :1] @ whole.T) - steps(x[:, :1]) @ whole.T).abs().max() < 1e-12
        assert testing.equivariance_error(steps, line, line, NEVER) > 0.1


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_each_element_counts_and_together_they_generate(group):
    """What commutes with them in a faithful rep is what commutes with all generators and components."""
    rep = group.rep([(2, a) for a in group.faithful])
    g = testing.equivariance.generating(group)
    assert len(g) == 2 * len(group.generating) + len(group.generating_components)
    small, none = rep(g), np.zeros((0, rep.dim, rep.dim))
    assert len(groups.intertwiners((none, small), (none, small))) == len(
        groups.intertwiners(*2 * [(rep.generators(), rep.discrete())])
    )
    assert testing.equivariance_error(nn.Linear(rep, rep), rep, rep, NEVER if len(g) else 1) < 1e-12


def test_the_scale_bounds_the_boosts():
    for scale in (0.5, 3.0):
        gamma = LORENTZ.matrix(testing.equivariance.generating(LORENTZ, scale))[:, 0, 0]
        assert gamma.max() == pytest.approx(np.cosh(scale))


def test_the_trivial_group_has_nothing_that_generates_it():
    one = groups.Cyclic(1).rep("0")
    with pytest.raises(ValueError, match=r"samples: got 0, expected at least 1 for Cyclic\(1\)"):
        testing.equivariance_error(lambda v: v, one, one, NEVER)


@pytest.mark.parametrize("at_once", [1, 100])
def test_long_features_go_through_in_pieces(at_once, monkeypatch):
    """A piece of one element, or of some, changes nothing; nor is an error in the last piece missed."""
    rep, lengths = O3.rep("2x0e+2x1o"), []

    def last_is_wrong(v):
        lengths.append(len(v))
        return v if len(lengths) < 5 else v + 1e-6

    f = nn.Gate(rep)
    whole = testing.equivariance_error(torch.tanh, rep, rep)
    monkeypatch.setattr(testing.equivariance, "AT_ONCE", at_once)
    assert testing.equivariance_error(torch.tanh, rep, rep) == pytest.approx(whole, rel=1e-12)
    assert testing.equivariance_error(f, f.rep_in, rep) < 1e-12
    assert testing.equivariance_error(last_is_wrong, rep, rep) > 1e-9
    assert max(lengths) == max(1, at_once // 32)
    assert sum(lengths) == 2 * (5 + 8)
    with pytest.raises(ValueError, match=r"f: got values \(\), expected \(\d+, 4, 8\)"):
        testing.equivariance_error(lambda v: v.sum(), rep, rep)
