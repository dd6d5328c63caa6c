"""Frames: elements that take the axis to a direction, in every irrep, and their gradient without a pole."""

import numpy as np
import pytest
import torch

from eqlib import groups, kernels, products
from eqlib.kernels import Alignment, alignment

L = 10


@pytest.fixture(params=products.available(), autouse=True)
def engine(request):
    """Everything here, once with each engine."""
    with products.using(request.param):
        yield request.param


GROUPS = [groups.SO2(), groups.O2(), groups.SO3(), groups.O3()]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)
LABELS = {
    "SO2": [str(m) for m in range(L + 1)],
    "O2": ["0e", "0o", *(str(m) for m in range(1, L + 1))],
    "SO3": [str(l) for l in range(L + 1)],
    "O3": [f"{l}{p}" for l in range(L + 1) for p in "eo"],
}


def irreps(group, top=L):
    return [group.irrep(label) for label in LABELS[group.name] if int(label.rstrip("eo")) <= top]


def axis(group):
    return group.coordinates @ group.ambient.coordinates.T @ group.ambient.axis


def directions(group):
    """Generic ones, both poles, half turns of each, the coordinate axes, and close to a pole."""
    v, pole = group.vector.dim, axis(group)
    rng = np.random.default_rng(0)
    some = [*rng.normal(size=(20, v)), *np.eye(v), *-np.eye(v), pole, -pole]
    some += [pole + 1e-7 * rng.normal(size=v), -pole + 1e-7 * rng.normal(size=v), pole + 1e-200 * np.ones(v)]
    return torch.tensor(np.array(some))


def matrices(frames, group, r):
    """{irrep: (E, d, d)}, those that are the identity as well."""
    D, found = frames(r), {}
    for a, first in frames.first.items():
        one = torch.eye(a.dim, dtype=r.dtype).expand(len(r), -1, -1)
        found[a] = one if first < 0 else D[first : first + a.dim**2].T.unflatten(1, (a.dim, a.dim))
    return found


@every_group
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_one_element_in_every_irrep_that_takes_the_axis_to_the_direction(group, dtype, tolerance):
    ((_, vector),) = group.vector.blocks
    frames = Alignment(group, irreps(group))
    r = directions(group).to(dtype)
    found = matrices(frames, group, r)
    turned = found[vector] @ torch.tensor(axis(group)).to(dtype)
    assert (turned - r / r.norm(dim=1, keepdim=True)).abs().max() < tolerance
    # Which element it is, the vector says; float32's own matrix is only a rotation to 1e-7.
    precise = matrices(Alignment(group, [vector]), group, r.double())[vector]
    g = group.from_matrix(np.linalg.inv(group.coordinates) @ precise.numpy() @ group.coordinates)
    for a, D in found.items():
        assert D.dtype == dtype
        assert (D.double() - torch.tensor(a(g))).abs().max() < tolerance, a
        assert (D @ D.mT - torch.eye(a.dim, dtype=dtype)).abs().max() < 2 * tolerance


@every_group
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_length_does_not_count(group, dtype):
    """From the smallest that a number is normal at to the largest."""
    frames = Alignment(group, irreps(group, 3))
    r = directions(group)[:20].to(dtype)
    r = r / r.abs().amax(dim=1, keepdim=True)
    info = torch.finfo(dtype)
    for scale in (info.max / 4, info.max**0.75, 1e10, 1e-10, info.tiny * 1e5):
        assert (frames(r * scale) - frames(r)).abs().max() < 100 * info.eps


@every_group
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_vector_of_length_zero(group, dtype):
    frames = Alignment(group, irreps(group, 3))
    v = group.vector.dim
    r = torch.zeros(2, v, dtype=dtype)
    for a, D in matrices(frames, group, r).items():
        assert (D - torch.eye(a.dim, dtype=dtype)).abs().max() < 4 * torch.finfo(dtype).eps, a
    r.requires_grad_()
    (first,) = torch.autograd.grad(frames(r).square().sum() + frames(r).sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), r)
    assert not first.any()
    assert second.isfinite().all()
    tiny = torch.full((1, v), torch.finfo(dtype).tiny ** 0.5 / 8, dtype=dtype).requires_grad_()
    frames(tiny).sum().backward()
    assert tiny.grad.isfinite().all()


@every_group
def test_none(group):
    frames = Alignment(group, irreps(group, 2))
    assert frames(torch.zeros(0, group.vector.dim)).shape == (frames.rows, 0)
    empty = Alignment(group, [group.trivial])
    r = torch.ones(3, group.vector.dim, requires_grad=True)
    assert empty(r).shape == (0, 3)
    empty(r).sum().backward()
    assert not r.grad.any()


@every_group
def test_not_a_number_comes_through(group):
    frames = Alignment(group, irreps(group, 2))
    for place in range(group.vector.dim):
        r = torch.ones(3, group.vector.dim)
        r[1, place] = float("nan")
        D = frames(r)
        assert D[:, [0, 2]].isfinite().all()
        for a, first in frames.first.items():
            assert first < 0 or D[first : first + a.dim**2, 1].isnan().any(), (place, a)


@every_group
def test_the_gradient_is_right_for_what_does_not_depend_on_the_frame(group):
    """h = sum over irreps of |D a . b|^2 with a left alone by turns about the axis, poles included; three orders."""
    y = {a: at_the_axis(group, a) for a in irreps(group, 3)}
    frames = Alignment(group, [a for a in y if y[a] is not None])
    rng = torch.Generator().manual_seed(0)
    seeds = {a: torch.randn(a.dim, generator=rng, dtype=torch.float64) for a in frames.first}

    def h(r):
        found = matrices(frames, group, r)
        return sum((found[a] @ y[a] @ seeds[a]) for a in found)

    pole = torch.tensor(axis(group))
    r = torch.stack([pole, -2 * pole, *directions(group)[:3]]).requires_grad_()
    assert torch.autograd.gradcheck(h, r)
    assert torch.autograd.gradgradcheck(h, r, fast_mode=True)

    def slope(r):
        return torch.autograd.grad(h(r).sin().sum(), r, create_graph=True)[0]

    assert torch.autograd.gradgradcheck(slope, r, fast_mode=True)


def at_the_axis(group, a):
    """A vector of the irrep that is the same in all frames; None where there is none."""
    if group.dim == 1:
        return torch.eye(a.dim, dtype=torch.float64)[0]  # turns of the plane leave no freedom
    values, vectors = np.linalg.eigh(-a.generators[1] @ a.generators[1])
    return torch.tensor(vectors[:, 0]) if abs(values[0]) < 1e-9 else None


def test_irreps_that_differ_by_parity_share_a_frame():
    group = groups.O3()
    frames = Alignment(group, [group.irrep(label) for label in ("0e", "0o", "1o", "1e", "2e", "1o")])
    assert frames.rows == 9 + 25
    assert frames.first[group.irrep("1o")] == frames.first[group.irrep("1e")]
    assert frames.first[group.irrep("0o")] == frames.first[group.irrep("0e")] == -1


def test_refused_without_an_alignment():
    for group in (groups.Dihedral(4), groups.Octahedral(), groups.Lorentz(), groups.G2()):
        assert not group.alignment
        with pytest.raises(ValueError, match=r"group: got .*, expected one with an alignment"):
            Alignment(group, [group.trivial])

    class Bare(groups.O3):
        """Space, from somebody who knows of no alignment."""

        alignment = ()

    with pytest.raises(ValueError, match="group: got O3, expected one with an alignment"):
        Alignment(Bare(), [Bare().irrep("1o")])


def test_a_readers_own_group_has_frames_of_its_own():
    """z is the axis, away from it about y, then about z: the key of what layers share tells it from O3."""

    class Upright(groups.O3):
        axis = np.array([0.0, 0.0, 1.0])
        alignment = (2, 1)

    mine, theirs = Upright(), groups.O3()
    r = torch.tensor(np.random.default_rng(0).normal(size=(5, 3)))
    frames = Alignment(mine, [mine.irrep("1o")])
    D = frames(r).T.view(5, 3, 3)
    assert (D[:, :, 2] - r / r.norm(dim=1, keepdim=True)).abs().max() < 1e-12
    assert frames.key != Alignment(theirs, [theirs.irrep("1o")]).key
    assert frames.key == Alignment(Upright(), [Upright().irrep("1o")]).key


def test_refused_where_the_alignment_does_not_lead_to_the_axis():
    for numbers in ((2, 0), (0, 1), (1,), (1, 0, 2)):

        class Crooked(groups.O3):
            alignment = numbers

        group = Crooked()
        with pytest.raises(
            ValueError, match=r"group: got O3 with alignment \(.*\), expected generators that turn its axis"
        ):
            Alignment(group, [group.irrep("1o")])


def test_the_alignment_is_part_of_what_a_group_is():
    class One(groups.O3):
        pass

    class Other(groups.O3):
        alignment = (0, 1)

    Other.__qualname__ = One.__qualname__
    assert One() == One()
    assert One().fingerprint != Other().fingerprint
    assert One() != Other()


def test_refused_generators():
    with pytest.raises(ValueError, match=r"generator: got .*, expected one that turns a single plane"):
        alignment.plane(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"generator: got .*, expected one that turns a single plane"):
        alignment.plane(groups.O3().irrep("2e").generators[0])
    with pytest.raises(ValueError, match=r"generator: got frequencies .*, expected integers"):
        alignment.harmonic_terms(0.5 * groups.O3().irrep("1o").generators[0])


def test_terms_are_the_exponential():
    from scipy.linalg import expm

    for a in irreps(groups.SO3(), 6):
        for generator in a.generators:
            terms, t = kernels.alignment.harmonic_terms(generator), 0.7
            top = terms.shape[-1] // 2
            functions = np.array([1.0, *(f(m * t) for m in range(1, top + 1) for f in (np.cos, np.sin))])
            assert np.abs(terms @ functions - expm(t * generator)).max() < 1e-12
