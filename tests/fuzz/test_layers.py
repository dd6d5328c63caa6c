"""Random groups, reps, precisions, layouts and sizes through every layer: equivariant, finite and right, or refused by name.

`EQLIB_FUZZ=20000 pytest tests/fuzz` runs that many examples of each test; the default is a few seconds, the same ones each time.
"""

import functools

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from eqlib import groups, harmonics, nn
from tests.fuzz.settings import examples

LIMIT = {torch.float32: 2e-3, torch.float64: 1e-8}


@functools.cache
def made(kind, *numbers):
    """A group; the caches of equal ones are shared."""
    if kind == "permutations":
        rng = np.random.default_rng(numbers[1])
        return groups.Finite([rng.permutation(numbers[0]).tolist() for _ in range(2)])
    if kind == "turns":
        angle = 2 * np.pi / numbers[0]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return groups.Finite([turn, np.diag([1.0, -1.0])] if numbers[1] else [turn])
    if kind == "product":
        small = [groups.Cyclic(3), groups.Dihedral(2), groups.SO2(), groups.SU(2), groups.Symmetric(3)]
        return groups.Product(small[numbers[0]], small[numbers[1]])
    if kind == "generated":
        return groups.from_generators(10.0 ** numbers[0] * groups.SO3().rep("1+2").generators())[0].group
    return getattr(groups, kind)(*numbers)


GROUPS = st.one_of(
    st.tuples(st.just("Cyclic"), st.integers(1, 9)),
    st.tuples(st.just("Dihedral"), st.integers(1, 6)),
    st.sampled_from(["SO2", "O2", "SO3", "O3", "SL2C", "Lorentz", "G2", "Icosahedral"]).map(lambda name: (name,)),
    st.just(("Lorentz", True)),
    st.tuples(st.just("Octahedral"), st.booleans()),
    st.tuples(st.just("Simple"), st.sampled_from(["A1", "A2", "B2"])),
    st.tuples(st.just("permutations"), st.integers(1, 4), st.integers(0, 9)),
    st.tuples(st.just("turns"), st.integers(1, 7), st.booleans()),
    st.tuples(st.just("product"), st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("generated"), st.sampled_from([-9, -4, 0, 6])),
).map(lambda kind: made(*kind))


@functools.cache
def small(group):
    found = []
    for number, a in enumerate(group.irreps()):
        if number == 6:
            break
        if a.dim <= 9:
            found.append(a)
    return found


@st.composite
def reps(draw, group=None, most=4):
    """A rep: empty, with repeated blocks, with multiplicity 0."""
    group = draw(GROUPS) if group is None else group
    blocks = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(small(group))), max_size=most))
    return group.rep(blocks)


def other(draw, rep):
    return draw(reps(rep.group))


LAYERS = {
    "Linear": lambda draw, rep: nn.Linear(rep, other(draw, rep), bias=draw(st.booleans())),
    "NormActivation": lambda draw, rep: nn.NormActivation(rep),
    "Gate": lambda draw, rep: nn.Gate(rep),
    "BatchNorm": lambda draw, rep: nn.BatchNorm(rep).train(draw(st.booleans())),
    "LayerNorm": lambda draw, rep: nn.LayerNorm(rep),
    "Invariants": lambda draw, rep: nn.Invariants(rep),
    "Dropout": lambda draw, rep: nn.Dropout(rep).eval(),
    "TensorProduct": lambda draw, rep: Squared(
        rep[:2], rep.group.rep([(1, a) for a in small(rep.group)[:3]]), draw(st.sampled_from(["shared", None]))
    ),
}


class Squared(torch.nn.Module):
    """x (x) x."""

    def __init__(self, rep, out, weights):
        super().__init__()
        self.product = nn.TensorProduct(rep, rep, out, weights=weights)
        self.rep_in, self.rep_out = rep, self.product.rep_out

    def forward(self, x):
        return self.product(x, x)


def laid_out(x, layout):
    """The same numbers elsewhere in memory."""
    if layout == "transposed":
        return x.T.contiguous().T
    if layout == "strided":
        wide = torch.zeros(x.shape[0], 2 * x.shape[1] + 1, dtype=x.dtype)
        wide[:, 1::2] = x
        return wide[:, 1::2]
    if layout == "expanded":
        return x[:1].expand(3, -1)
    return x


@examples()
@given(st.data())
def test_layers(data):
    draw = data.draw
    name, dtype = draw(st.sampled_from(sorted(LAYERS))), draw(st.sampled_from([torch.float32, torch.float64]))
    rep = draw(reps())
    torch.manual_seed(draw(st.integers(0, 5)))
    layer = LAYERS[name](draw, rep).to(dtype)
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1 * torch.randn_like(p))
    rep_in, rep_out = getattr(layer, "rep_in", rep), getattr(layer, "rep_out", rep)
    size = 10.0 ** draw(st.sampled_from([-40, -30, -10, -3, 0, 0, 0, 2, 6, 10, 15, 18]))
    number = draw(st.integers(0, 3))
    x = size * torch.randn(number, rep_in.dim, dtype=torch.float64)
    if draw(st.booleans()) and number:
        x[0] = 0
    x = laid_out(x.to(dtype), draw(st.sampled_from(["plain", "transposed", "strided"])) if number else "plain")
    with torch.no_grad():
        y = layer(x)
        assert y.shape == (number, rep_out.dim) and y.dtype == dtype
        same = layer(x.contiguous().clone())
        assert torch.equal(y, same) or torch.allclose(y, same, rtol=1e-5, atol=0, equal_nan=True)
        product = name in ("TensorProduct", "Invariants") and dtype == torch.float32
        if product and size > 1e15:  # squares may leave the dtype: that shows
            return
        assert y.isfinite().all(), (name, rep, size)
        g = rep.group.sample(1, seed=draw(st.integers(0, 9)), scale=0.5)
        before, after = (torch.tensor(r(g)[0]).to(dtype) for r in (rep_in, rep_out))
        moved = layer(x @ before.T)
        wanted = y @ after.T
        scale = float(torch.maximum(moved.abs().max(), wanted.abs().max())) if y.numel() else 0.0
        floor = torch.finfo(dtype).tiny * 1e6  # beside denormal numbers nothing has digits
        assert float((moved - wanted).abs().max() if y.numel() else 0.0) <= LIMIT[dtype] * scale + floor, (
            name,
            rep,
            size,
        )


@examples()
@given(st.data())
def test_numbers_that_are_none_do_not_vanish(data):
    """NaN comes out as NaN, an infinite number as no plausible one."""
    draw = data.draw
    name, rep = draw(st.sampled_from(["Linear", "NormActivation", "Gate", "LayerNorm", "Invariants"])), draw(reps())
    layer = LAYERS[name](lambda strategy: draw(strategy), rep)
    rep_in = getattr(layer, "rep_in", rep)
    if name == "Linear" or rep_in.dim == 0:
        layer, rep_in = nn.NormActivation(rep), rep
    if rep_in.dim == 0:
        return
    x = torch.randn(2, rep_in.dim)
    at = draw(st.integers(0, rep_in.dim - 1))
    x[0, at] = draw(st.sampled_from([torch.nan, torch.inf, -torch.inf, 1e38]))
    try:
        y = layer(x)
    except ValueError as error:
        assert "x" in str(error)
        return
    assert y[1].isfinite().all()
    if x[0, at].isnan() and y.shape[1]:  # an irrep may have no invariant
        assert y[0].isnan().any()


@examples()
@given(st.data())
def test_harmonics(data):
    draw = data.draw
    group = draw(st.sampled_from([("SO2",), ("O2",), ("SO3",), ("O3",), ("Lorentz",), ("Cyclic", 4), ("Octahedral",)]))
    group, degree = made(*group), draw(st.integers(0, 4))
    normalize = draw(st.booleans())
    mu = draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3])) if group.compact else 1.0
    layer = harmonics.Harmonics(group, degree, normalize=normalize, mu=mu).double()
    power = (
        draw(st.sampled_from([-150, -30, -3, 0, 0, 0, 3, 30, 70])) if normalize else draw(st.sampled_from([-3, 0, 2]))
    )
    x = 10.0**power * torch.randn(draw(st.integers(0, 4)), layer.size, dtype=torch.float64)
    y = layer(x)
    assert y.isfinite().all()
    g = group.sample(1, seed=draw(st.integers(0, 9)), scale=0.5)
    v, d = (torch.tensor(r(g)[0]) for r in (group.vector, layer.rep))
    moved = layer(x @ v.T)
    scale = float(moved.abs().max()) if y.numel() else 0.0
    assert y.numel() == 0 or float((moved - y @ d.T).abs().max()) <= 1e-8 * scale + 1e-290, (group, degree, power, mu)
