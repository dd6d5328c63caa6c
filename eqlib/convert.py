"""To and from e3nn and scipy: the same numbers under other names. See docs/conventions.md."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eqlib.groups import O3, SO3, Element, Rep
from eqlib.groups.spatial import real_basis


def to_e3nn(rep: Rep) -> Any:
    """`e3nn.o3.Irreps` of an O(3) rep: same labels, order and basis, so features need no change. Needs e3nn.

    >>> from eqlib import convert, groups
    >>> convert.to_e3nn(groups.O3().rep("8x0e+4x1o"))
    8x0e+4x1o
    """
    from e3nn import o3

    if rep.group != O3():
        raise ValueError(f"rep: got a rep of {rep.group}, expected one of O3: e3nn knows no other group")
    return o3.Irreps(str(rep))


def from_e3nn(irreps: Any) -> Rep:
    """The O(3) rep of `e3nn.o3.Irreps`.

    >>> from e3nn import o3
    >>> from eqlib import convert
    >>> convert.from_e3nn(o3.Irreps("8x0e+4x1o"))
    O3: 8x0e+4x1o
    """
    return O3().rep([(block.mul, str(block.ir)) for block in irreps])


def to_scipy(g: Element) -> Rotation:
    """scipy's Rotation of elements of SO3; elements of O3 that reflect are a ValueError.

    >>> import numpy as np
    >>> from eqlib import convert, groups
    >>> quarter = groups.SO3().element([[0.0, 0.0, np.pi / 2]])  # about z
    >>> convert.to_scipy(quarter).as_euler("xyz", degrees=True).round(6).tolist()
    [[0.0, 0.0, 90.0]]
    """
    if g.group not in (SO3(), O3()):
        raise ValueError(f"g: got an element of {g.group}, expected one of SO3 or O3")
    matrices = g.group.matrix(g)
    if (np.linalg.det(matrices) < 0).any():
        raise ValueError("g: got a reflection, expected rotations: scipy's Rotation has determinant +1")
    return Rotation.from_matrix(matrices)


def from_scipy(rotation: Rotation) -> Element:
    """Elements of SO3 from scipy's Rotation.

    >>> from scipy.spatial.transform import Rotation
    >>> from eqlib import convert, groups
    >>> g = convert.from_scipy(Rotation.from_euler("z", 90, degrees=True))
    >>> groups.SO3().matrix(g).round(6).astype(int).tolist()
    [[[0, -1, 0], [1, 0, 0], [0, 0, 1]]]
    """
    return SO3().from_matrix(rotation.as_matrix())


def from_scipy_harmonics(degree: int) -> NDArray[np.complex128]:
    """U (2l+1, 2l+1) with: our Y_l(x) ("integral") = U @ [scipy.special.sph_harm_y(l, m, theta, phi)], m = -l ... l.

    theta is the angle from our polar axis y, and phi is measured from z towards x: theta = arccos(y / |x|), phi = atan2(x, z).

    >>> import numpy as np
    >>> from eqlib import convert
    >>> U = convert.from_scipy_harmonics(2)
    >>> U.shape, bool(np.abs(U @ U.conj().T - np.eye(5)).max() < 1e-12)
    ((5, 5), True)
    """
    # Kets move like conj(Y_lm), and `real_basis` lists them from m = l down and carries (-i)^l.
    return (1j**degree * real_basis(degree)).conj()[:, ::-1]
