"""Lorentz = SO+(1,3), with parity on request, and its double cover SL2C.

Metric (+,-,-,-), raw coordinates (E, px, py, pz). The complex irrep (k,n) = Sym^k (x) conj Sym^n acts on (k+1) x (n+1)
matrices M by M -> S_k M S_n^dagger (Gelfand, Minlos, Shapiro 1963; labels as in Bogatskiy et al. 2020). (k,k) is real on
hermitian M; k != n stands for (k,n) + (n,k), the complex matrices as a real space. The boost along z is diagonal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups.element import Array, Element
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import span
from eqlib.groups.planar import turn
from eqlib.groups.spatial import spin_matrices, su2_clebsch_gordan

Complex = NDArray[np.complex128]
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
MOST_ROUNDING = 1e-2  # of a matrix's entries, above which it is not known which turn it holds
LIGHT_CONE = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, np.sqrt(2), 0, 0], [0, 0, np.sqrt(2), 0]]) / np.sqrt(2)


def _spins(label: str) -> tuple[int, int]:
    k, n = re.findall(r"\d+", label)
    return int(k), int(n)


def _hermitian(d: int) -> Complex:
    """(d*d, d, d) orthonormal basis of hermitian matrices: diagonal, then for each pair the real and the imaginary one."""
    basis = []
    for i in range(d):
        basis.append(np.zeros((d, d), dtype=complex))
        basis[-1][i, i] = 1.0
    for i in range(d):
        for j in range(i + 1, d):
            for value in (1.0, -1j):
                basis.append(np.zeros((d, d), dtype=complex))
                basis[-1][i, j], basis[-1][j, i] = value / np.sqrt(2), np.conj(value) / np.sqrt(2)
    return np.array(basis)


class SL2C(Group):
    """SL(2,C), the double cover: irreps (k,n), k >= n, k + n of either parity. Generators: rotations x y z, boosts x y z.

    >>> from eqlib import groups
    >>> spinor = groups.SL2C().irrep("(1,0)")  # Weyl's, with two complex components
    >>> spinor.dim, spinor.endo
    (4, 2)
    >>> full_turn = groups.SL2C().element([0, 0, 2 * np.pi, 0, 0, 0])
    >>> np.round(spinor(full_turn)[0].diagonal())
    array([-1., -1., -1., -1.])
    """

    name, dim = "SL2C", 6
    axis = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2)

    def parse(self, label: str) -> str:
        match = re.fullmatch(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", label)
        if match is None or int(match[1]) < int(match[2]):
            raise self.bad_label(label, "(k,n) with k >= n, such as (0,0), (1,0), (1,1)")
        return f"({int(match[1])},{int(match[2])})"

    def labels(self) -> Iterator[str]:
        yield from (f"({k},{n})" for k, n in _ascending(odd=True))

    def _basis(self, label: str) -> Complex:
        """The real space inside the complex matrices: (dim, k+1, n+1), an orthonormal basis over R."""
        k, n = _spins(label)
        if k == n:
            return _hermitian(k + 1)
        units = np.eye((k + 1) * (n + 1)).reshape(-1, k + 1, n + 1)
        return np.concatenate([units, 1j * units])

    def matrices(self, label: str) -> tuple[Array, Array]:
        k, n = _spins(label)
        basis = self._basis(label)
        left, right = spin_matrices(k), spin_matrices(n)
        moved = []
        for factor in (-1j, 1.0):  # rotations exp(-i theta J), boosts exp(eta J)
            for s, t in zip(factor * left, factor * right, strict=True):
                moved.append(s @ basis + basis @ t.conj().T)
        flat = basis.reshape(len(basis), -1)
        generators = np.einsum("bi,aci->abc", flat.conj(), np.array(moved).reshape(6, len(basis), -1)).real
        return generators, np.eye(len(basis))[None]

    def dimension_of(self, label: str) -> int:
        k, n = _spins(label)
        return (k + 1) * (n + 1) * (1 if k == n else 2)

    @property
    def generating(self) -> Sequence[int]:
        return 0, 2, 5  # turns about x and z, the boost along z

    def vector_rep(self) -> str:
        return "(1,1)"

    def coordinate_map(self) -> Array:
        return LIGHT_CONE

    def harmonic(self, degree: int) -> str:
        return f"({degree},{degree})"

    def endomorphism_basis(self, a: Irrep) -> Array:
        k, n = _spins(a.label)
        return (
            np.eye(a.dim)[None]
            if k == n
            else np.array([np.eye(a.dim), np.kron(turn(np.pi / 2).round(), np.eye(a.dim // 2))])
        )

    def _constituents(self, a: Irrep) -> list[tuple[int, int, Complex]]:
        """Irreps of a's complexification: (k, n, map from real components to complex matrices (a.dim, k+1, n+1))."""
        k, n = _spins(a.label)
        basis = self._basis(a.label)
        return [(k, n, basis)] if k == n else [(k, n, basis), (n, k, basis.conj().swapaxes(1, 2))]

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        found: dict[str, int] = {}
        for k1, n1, _ in self._constituents(a):
            for k2, n2, _ in self._constituents(b):
                for k in range(abs(k1 - k2), k1 + k2 + 1, 2):
                    for n in range(abs(n1 - n2), n1 + n2 + 1, 2):
                        if k >= n:  # (k,n) and its conjugate come in pairs: count one of them
                            found[f"({k},{n})"] = found.get(f"({k},{n})", 0) + 1
        return found

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Array:
        doors.affordable("Clebsch-Gordan tensor", 4 * a.dim * b.dim * c.dim)
        k3, n3, basis = self._constituents(c)[0]
        rows = []
        for k1, n1, u in self._constituents(a):
            for k2, n2, v in self._constituents(b):
                left, right = su2_clebsch_gordan(k1, k2, k3), su2_clebsch_gordan(n1, n2, n3)
                if left.any() and right.any():
                    # sum over u_akm v_bln left_klp right_mnq conj(basis_cpq), one factor after the other
                    t = np.tensordot(np.tensordot(u, left, (1, 0)), v, (2, 1))
                    t = np.tensordot(np.tensordot(t, right, ((1, 4), (0, 1))), basis.conj(), ((1, 3), (1, 2)))
                    if k3 != n3:  # components of c are Re and Im: i times a map is another map
                        half = t[:, :, : c.dim // 2]
                        rows += [
                            np.concatenate([half.real, half.imag], -1),
                            np.concatenate([-half.imag, half.real], -1),
                        ]
                    else:
                        rows += [t.real, t.imag]
        return np.array(rows)

    def element_of(self, matrices: Array) -> Element:
        if (matrices[:, 0, 0] < 0).any():
            raise ValueError(f"matrix of {self} must not reverse time: its (0, 0) entry is negative")
        gamma = matrices[:, 0, 0].max(initial=1.0)
        with np.errstate(over="ignore"):
            digits = np.float32 if (matrices.astype(np.float32) == matrices).all() else np.float64
        rounding = 16 * float(np.finfo(digits).eps) * gamma
        if rounding > MOST_ROUNDING:
            raise ValueError(
                f"matrix of {self} has gamma {gamma:.2g}: of the turn in it {np.dtype(digits)} keeps no digits; expected at "
                f"most {MOST_ROUNDING / rounding * gamma:.0e}"
            )
        # L = h B R. The boost is read off where L sends the time axis. To undo it would subtract numbers of gamma^2 and lose as
        # many digits, so the turn is what is left of the block of space without B's share, (gamma - 1) n (R^-1 n)^T.
        down, across = matrices[:, 1:, 0], matrices[:, 0, 1:]
        space = matrices[:, 1:, 1:] - down[:, :, None] * across[:, None] / (matrices[:, :1, :1] + 1)
        flipped = np.linalg.det(space) < 0
        sign = np.where(flipped, -1.0, 1.0)[:, None]
        u, _, vt = np.linalg.svd(sign[:, :, None] * space)
        # It takes R^-1 n to n. Both directions are known to all digits, what was left of the block to those that gamma leaves.
        momentum = sign * down
        size = np.linalg.norm(momentum, axis=1, keepdims=True)
        better = _least_turn((u @ vt @ across[:, :, None])[:, :, 0], momentum)
        turn = np.where(size[:, :, None] > 1, better, np.eye(3)) @ u @ vt
        again = np.zeros_like(matrices)
        again[:, :1, :1] = np.sqrt(1 + size**2)[:, :, None]
        again[:, 1:, 0], again[:, 0, 1:] = momentum, (momentum[:, None] @ turn)[:, 0]
        again[:, 1:, 1:] = turn + momentum[:, :, None] * again[:, :1, 1:] / (again[:, :1, :1] + 1)
        worst = np.abs(np.where(flipped[:, None, None], METRIC @ again, again) - matrices).max(initial=0.0)
        if not worst <= max(1e-5, rounding):
            raise ValueError(
                f"matrix of {self} must preserve the metric (+,-,-,-): it differs by {worst:.2g} from the boost and turn in it"
            )
        if flipped.any() and self.components == 1:
            raise ValueError(f"matrix of {self} must have determinant +1: parity needs Lorentz(parity=True)")
        rapidity = np.arcsinh(size) * momentum / np.maximum(size, 1e-300)
        boost = self.element(np.concatenate([np.zeros_like(rapidity), rapidity], axis=1), flipped.astype(np.int64))
        rotvec = Rotation.from_matrix(turn).as_rotvec()
        return boost * self.element(np.concatenate([rotvec, np.zeros_like(rotvec)], axis=1))


@typed
class Lorentz(SL2C):
    """SO+(1,3), irreps (k,n) with k >= n and k + n even; with parity also component 1, (E, p) -> (E, -p).

    With parity, (k,k) comes twice, (k,k)e, a true tensor, and (k,k)o, a pseudo-tensor; "(k,k)" is read as (k,k)e.

    >>> from eqlib import groups
    >>> group = groups.Lorentz()
    >>> boost = group.element([0, 0, 0, 0, 0, np.arcsinh(3.0)])  # along z
    >>> np.round(group.matrix(boost) @ [1.0, 0, 0, 0], 6)[0, [0, 3]]  # energy and pz of a particle at rest, of mass 1
    array([3.162278, 3.      ])
    >>> group.tensor_product("(1,1)", "(1,1)")  # the metric, a traceless symmetric tensor, and tensors such as F
    {Lorentz:(0,0): 1, Lorentz:(2,0): 1, Lorentz:(2,2): 1}
    """

    def __init__(self, parity: bool = False) -> None:
        super().__init__()
        self.parity = parity
        self.name, self.components = ("Lorentz(parity=True)", 2) if parity else ("Lorentz", 1)

    def parse(self, label: str) -> str:
        match = re.fullmatch(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)([eo]?)", label)
        grammar = "(k,n) with k >= n and k + n even, such as (0,0), (1,1), (2,0)"
        grammar += "; (k,k)e and (k,k)o with parity" if self.parity else ""
        if match is None or int(match[1]) < int(match[2]):
            raise self.bad_label(label, grammar)
        k, n = int(match[1]), int(match[2])
        if (k + n) % 2:
            raise self.bad_label(label, f"{grammar}; odd k + n belongs to the double cover SL2C")
        if match[3] and not (self.parity and k == n):
            raise self.bad_label(label, grammar)
        return f"({k},{n})" + ((match[3] or "e") if self.parity and k == n else "")

    def labels(self) -> Iterator[str]:
        for k, n in _ascending(odd=False):
            yield from (f"({k},{n}){p}" for p in ("eo" if self.parity and k == n else [""]))

    def matrices(self, label: str) -> tuple[Array, Array]:
        generators, discrete = super().matrices(label)
        if not self.parity:
            return generators, discrete
        k, n = _spins(label)
        basis = self._basis(label)
        # P: M -> eps conj(M) eps^-1 turns S into S^{-dagger}: boosts change sign, rotations do not.
        left, right = (np.fliplr(np.diag((-1.0) ** np.arange(d + 1))) for d in (k, n))
        moved = left @ basis.conj() @ np.linalg.inv(right)
        p = np.einsum("bij,cij->bc", basis.conj(), moved).real * (-1.0 if label[-1] == "o" else 1.0)
        return generators, np.concatenate([discrete, p.round()[None]])

    def harmonic(self, degree: int) -> str:
        return f"({degree},{degree})" + ("e" if self.parity else "")

    def endomorphism_basis(self, a: Irrep) -> Array:
        return np.eye(a.dim)[None] if self.parity else super().endomorphism_basis(a)

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        found = super().product_multiplicities(a, b)
        if not self.parity:
            return found
        split: dict[str, int] = {}
        for label, n in found.items():
            k1, k2 = _spins(label)
            for name in [label] if k1 != k2 else [f"{label}e", f"{label}o"]:
                if k1 == k2:
                    rows = self.clebsch_gordan_span(a, b, self.irrep(name))
                    n = len(span(rows.reshape(len(rows), -1)))
                if n:
                    split[name] = n
        return split

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Array:
        rows = super().clebsch_gordan_span(a, b, c)
        if not self.parity:
            return rows
        reflected = np.einsum("kijm,il,jp,mn->klpn", rows, a.discrete[1], b.discrete[1], c.discrete[1], optimize=True)
        return (rows + reflected) / 2


def _least_turn(start: Array, end: Array) -> Array:
    """The smallest rotations (n, 3, 3) that take the directions of start to those of end, (n, 3), which are close; 1 at zero."""
    sizes = [np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300) for x in (start, end)]
    a, b = start / sizes[0], end / sizes[1]
    axis = np.cross(a, b)
    size = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(size, (a * b).sum(1, keepdims=True))
    return Rotation.from_rotvec(np.where(size > 0, axis / np.maximum(size, 1e-300) * angle, 0.0)).as_matrix()


def _ascending(odd: bool) -> Iterator[tuple[int, int]]:
    """(k, n) by real dimension, then k; every total dimension is reached at finite k."""
    for dim in count(1):
        for k in range(dim):
            if dim == (k + 1) ** 2:
                yield k, k
            if (
                dim % 2 == 0
                and dim // 2 % (k + 1) == 0
                and (n := dim // 2 // (k + 1) - 1) < k
                and (odd or (k + n) % 2 == 0)
            ):
                yield k, n
