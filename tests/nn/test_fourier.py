"""Pointwise functions in Fourier space: exact for finite groups, sampled for continuous ones."""

import copy

import numpy as np
import pytest
import torch

from eqlib import groups, nn, testing

FINITE = [
    groups.Cyclic(1),
    groups.Cyclic(4),
    groups.Cyclic(5),
    groups.Cyclic(8),
    groups.Dihedral(1),
    groups.Dihedral(4),
    groups.Dihedral(5),
    groups.Symmetric(4),
    groups.Octahedral(),
    groups.Finite([[1, 4, 3, 6, 5, 0, 7, 2], [2, 7, 4, 1, 6, 3, 0, 5]], name="Q8"),  # a quaternionic irrep
]
finite = pytest.mark.parametrize("group", FINITE, ids=[g.name for g in FINITE])
both = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
CONTINUOUS = [
    (groups.SO2(), "4x0+4x1+4x2"),
    (groups.O2(), "3x0e+3x1+3x2"),  # functions on the circle
    (groups.O2(), "3x0e+3x0o+6x1+6x2"),  # functions on O(2)
]


@finite
@both
def test_equivariant_for_every_pointwise_function(group, dtype, tolerance):
    rep = groups.fields(groups.regular(group)[0], 3)
    for function in (torch.relu, torch.nn.functional.elu, torch.sin, torch.abs):
        f = nn.FourierActivation(rep, activation=function)
        assert (f.channels, f.samples) == (3, group.components)
        assert testing.equivariance_error(f, rep, rep, dtype=dtype) < tolerance
    pool = nn.GroupPool(rep)
    assert testing.equivariance_error(pool, rep, pool.rep_out, dtype=dtype) < tolerance


@finite
def test_is_the_pointwise_function_in_the_regular_basis(group):
    rep, q = groups.regular(group)
    q = torch.tensor(q)
    x = torch.randn(7, rep.dim, dtype=torch.float64)
    merged = groups.fields(rep, 1)
    f = nn.FourierActivation(merged).double()
    assert (f(x) - torch.relu(x @ q.T) @ q).abs().max() < 1e-12
    assert (nn.GroupPool(merged).double()(x)[:, 0] - (x @ q.T).amax(1)).abs().max() < 1e-12


@finite
def test_copies_belong_to_channels_one_after_the_other(group):
    """Three channels at once are the three by themselves."""
    rep = groups.regular(group)[0]
    one, three = groups.fields(rep, 1), groups.fields(rep, 3)
    x = torch.randn(3, 5, one.dim, dtype=torch.float64)
    alone = nn.FourierActivation(one).double()(x)

    def joined(parts):
        blocks = [[p[:, s] for p in parts] for s in one.slices]
        return torch.cat([torch.cat(block, dim=1) for block in blocks], dim=1)

    assert (nn.FourierActivation(three).double()(joined(x)) - joined(alone)).abs().max() < 1e-12


def test_quotients_of_a_finite_group_take_each_value_once():
    """0e + 1 + 2e is the permutation rep of D4 on the four corners of a square."""
    group = groups.Dihedral(4)
    rep, q = groups.induce(groups.Dihedral(1).rep("0e"), group)
    merged = groups.fields(rep, 1)
    assert merged.dim == 4
    f = nn.FourierActivation(merged).double()
    assert f.samples == 4
    assert testing.equivariance_error(f, merged, merged) < 1e-12
    x = torch.randn(6, 4, dtype=torch.float64)
    values = (x @ f.synthesis.T).sort(1).values
    places = [s for _, a in merged.blocks for s in [rep.slices[[b for _, b in rep.blocks].index(a)]]]
    columns = np.concatenate([q[:, s] for s in places], axis=1)
    assert (values - (x @ torch.tensor(columns).T).sort(1).values).abs().max() < 1e-12


@pytest.mark.parametrize(("group", "text"), CONTINUOUS)
def test_more_samples_come_nearer(group, text):
    rep = group.rep(text)
    error = [testing.equivariance_error(nn.FourierActivation(rep, n), rep, rep) for n in (16, 32, 64, 256)]
    assert error[0] < 0.15
    assert error[-1] < 2e-3
    assert error == sorted(error, reverse=True)
    polynomial = nn.FourierActivation(rep, 32, activation=torch.square)  # frequency 4 times 2: nothing is folded back
    assert testing.equivariance_error(polynomial, rep, rep) < 1e-12


@pytest.mark.parametrize(("group", "text"), CONTINUOUS)
@both
def test_quarter_turns_and_flips_are_exact(group, text, dtype, tolerance):
    rep = group.rep(text)
    for layer in (nn.FourierActivation(rep, axis=1), nn.GroupPool(rep, axis=1)):
        out = getattr(layer, "rep_out", rep)
        assert testing.grid_equivariance_error(layer, rep, out, dtype=dtype) < tolerance


def test_components_come_back_unchanged_from_the_identity():
    for group, text in CONTINUOUS:
        f = nn.FourierActivation(group.rep(text), activation=torch.nn.Identity()).double()
        x = torch.randn(4, f.rep.dim, dtype=torch.float64)
        assert (f(x) - x).abs().max() < 1e-12


def test_values_have_the_variance_of_components():
    for group in FINITE:
        f = nn.FourierActivation(groups.fields(groups.regular(group)[0], 200)).double()
        values = f.values(torch.randn(50, f.rep.dim, dtype=torch.float64))
        assert abs(float(values.square().mean()) - 1) < 0.1


@pytest.mark.filterwarnings("ignore")  # of torch.compile's own imports
def test_compiles_and_exports():
    torch._dynamo.reset()
    rep = groups.fields(groups.regular(groups.Dihedral(4))[0], 2)
    x = torch.randn(2, rep.dim, 5, 5)
    for f in (nn.FourierActivation(rep, axis=1), nn.GroupPool(rep, axis=1)):
        compiled = torch.compile(copy.deepcopy(f), fullgraph=True, backend="aot_eager")
        assert torch.allclose(compiled(x), f(x), atol=1e-5)
        assert torch.allclose(torch.export.export(copy.deepcopy(f), (x,)).module()(x), f(x), atol=1e-5)
    assert nn.FourierActivation(rep)(torch.zeros(0, rep.dim)).shape == (0, rep.dim)


def test_gradients_reach_every_component():
    rep = groups.fields(groups.regular(groups.Cyclic(4))[0], 2)
    x = torch.randn(3, rep.dim, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(nn.FourierActivation(rep, activation=torch.tanh).double(), (x,))
