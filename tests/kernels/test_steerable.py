"""Steerable kernels: sizes from theory, and K(g r) = rho_out K(r) rho_in^-1."""

import numpy as np
import pytest
import torch

from eqlib import groups
from eqlib.kernels import SteerableKernel, level

TABLES = [
    (groups.SO2(), ["0", "1", "2"], [[1, 2, 2], [2, 4, 4], [2, 4, 4]]),
    (groups.O2(), ["0e", "0o", "1", "2"], [[1, 0, 1, 1], [0, 1, 1, 1], [1, 1, 2, 2], [1, 1, 2, 2]]),
    (groups.Cyclic(3), ["0", "1"], [[5, 12], [12, 22]]),
    (groups.Cyclic(4), ["0", "1"], [[5, 8], [8, 18]]),
    (groups.Dihedral(4), ["0e", "0o", "1"], [[3, 2, 4], [2, 3, 4], [4, 4, 9]]),
    (groups.SO3(), ["0", "1", "2", "3"], [[2 * min(i, j) + 1 for j in range(4)] for i in range(4)]),
]


@pytest.mark.parametrize(("group", "labels", "sizes"), TABLES, ids=[t[0].name for t in TABLES])
def test_basis_sizes(group, labels, sizes):
    found = [[SteerableKernel(group.rep(a), group.rep(b), 8).basis_size for b in labels] for a in labels]
    assert found == sizes


@pytest.mark.parametrize(("a", "b", "size"), [("1o", "1o", 2), ("1o", "1e", 1), ("2e", "2e", 3), ("0e", "1e", 0)])
def test_basis_sizes_of_o3(a, b, size):
    group = groups.O3()
    assert SteerableKernel(group.rep(a), group.rep(b), 8).basis_size == size


@pytest.mark.parametrize(("parity", "sizes"), [(False, [1, 2, 1, 0]), (True, [1, 1, 1, 0])])
def test_two_four_vectors(parity, sizes):
    group = groups.Lorentz(parity)
    assert [group.clebsch_gordan("(1,1)", "(1,1)", c).shape[0] for c in ("(0,0)", "(2,0)", "(2,2)", "(1,1)")] == sizes


CASES = [
    *((groups.Cyclic(n), "2x0+" + ("1" if n > 1 else "0"), 6) for n in (1, 2, 3, 4, 8)),
    (groups.Dihedral(1), "2x0e+0o", 5),
    (groups.Dihedral(4), "2x0e+0o+2x1+2e+2o", 8),
    (groups.SO2(), "2x0+2x1+2", 6),
    (groups.O2(), "2x0e+0o+2x1+2", 6),
    (groups.SO3(), "2x0+2x1+2", 4),
    (groups.O3(), "2x0e+0o+1o+1e+2x2e", 4),
    (groups.Lorentz(), "2x(0,0)+(1,1)+(2,0)", 3),
    (groups.Lorentz(parity=True), "(0,0)+(0,0)o+(1,1)+(1,1)o", 3),
    (groups.SL2C(), "(0,0)+2x(1,0)+(1,1)", 2),
    (groups.Octahedral(True), "2x1a+1b+2a+3b", 4),
    (groups.Icosahedral(), "2x1a+3a+3b+5a", 4),
    (groups.Finite([[[0, 0, 1], [1, 0, 0], [0, 1, 0]]], name="C3 about (1, 1, 1)"), "2x1a+2a", 4),
]


@pytest.mark.parametrize(("group", "text", "degree"), CASES, ids=[c[0].name for c in CASES])
@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_kernel_is_steerable(group, text, degree, mu):
    rng = np.random.default_rng(0)
    rep = group.rep(text)
    other = group.rep([(1, a) for a in dict.fromkeys(a for _, a in rep.blocks)])
    kernel = SteerableKernel(rep, other, degree, mu=mu).double()
    r = rng.normal(size=(5, group.vector.dim))
    if not group.compact and mu == 0:
        r[:, 0] = np.sqrt(1 + (r**2).sum(1))
    r = torch.tensor(r @ group.coordinates.T)
    g = group.sample(5, seed=1)
    weights = torch.tensor(rng.normal(size=(5, kernel.basis_size)))
    k = kernel(r, weights)
    assert k.shape == (5, other.dim, rep.dim)
    assert k.abs().max() > 0.1
    moved = kernel(torch.einsum("nij,nj->ni", torch.tensor(group.vector(g)), r), weights)
    expected = torch.tensor(other(g)) @ k @ torch.linalg.inv(torch.tensor(rep(g)))
    assert ((moved - expected).norm(dim=(1, 2)) / expected.norm(dim=(1, 2))).max() < 1e-12


def test_elements_are_independent():
    """As many different kernels as weights: no two do the same."""
    group = groups.SO2()
    kernel = SteerableKernel(group.rep("0+1"), group.rep("1+2"), 6).double()
    r = torch.randn(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    images = torch.stack([kernel(r, w).flatten() for w in torch.eye(kernel.basis_size, dtype=torch.float64)])
    assert torch.linalg.matrix_rank(images) == kernel.basis_size == 2 + 2 + 4 + 4


def test_level_is_the_frequency():
    assert [level(groups.SO2().irrep(str(m))) for m in range(4)] == [0, 1, 2, 3]
    assert [level(groups.O3().irrep(a)) for a in ("0e", "1o", "1e", "2e", "0o")] == [0, 1, 2, 2, 3]
