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


def from_e3nn_weights(product: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(order, factors) that make the weights of a "uvu" `e3nn.o3.TensorProduct` those of a depthwise `nn.PointConv`.

    ours = theirs[..., order] * factors. The product is features times spherical harmonics of all degrees up to the layer's (one
    copy each, "component"), with every path, and the layer has mu = 0 and neighbours = 1. Theirs is wigner_3j, whose square sums
    to 1, times `path_weight`; ours sqrt(2 l_out + 1) times it, with harmonics of length 1.

    ValueError for another kind of product, and where paths are missing or given twice.

    >>> from e3nn import o3
    >>> from eqlib import convert
    >>> paths = [(0, 0, 0, "uvu", True), (0, 1, 1, "uvu", True), (1, 0, 1, "uvu", True), (1, 1, 0, "uvu", True)]
    >>> options = {"shared_weights": False, "internal_weights": False}
    >>> product = o3.TensorProduct("2x0e+2x1o", "0e+1o", "2x0e+2x1o", paths, **options)
    >>> order, factors = convert.from_e3nn_weights(product)
    >>> order.tolist()  # by output, then input, then degree, then channel
    [0, 1, 6, 7, 2, 3, 4, 5]
    """
    found = [ins for ins in product.instructions if ins.has_weight]
    if len(found) != len(product.instructions) or any(ins.connection_mode != "uvu" for ins in found):
        modes = sorted({ins.connection_mode for ins in product.instructions})
        raise ValueError(f"product: got paths {modes}, expected 'uvu' with weights alone")
    degrees = [block.ir.l for block in product.irreps_in2]
    if degrees != list(range(len(degrees))) or any(b.mul != 1 or b.ir.p != (-1) ** b.ir.l for b in product.irreps_in2):
        raise ValueError(f"product: got a second factor {product.irreps_in2}, expected spherical harmonics 0e+1o+2e...")
    starts = np.cumsum([0] + [product.irreps_in1[ins.i_in1].mul for ins in found])
    places = {(ins.i_out, ins.i_in1, ins.i_in2): n for n, ins in enumerate(found)}
    expected = [
        (k, i, j)
        for k, out in enumerate(product.irreps_out)
        for i, into in enumerate(product.irreps_in1)
        for j, h in enumerate(product.irreps_in2)
        if out.mul == into.mul and out.ir in into.ir * h.ir
    ]
    if sorted(expected) != sorted((ins.i_out, ins.i_in1, ins.i_in2) for ins in found):
        raise ValueError(f"product: got {len(found)} paths, expected each of the {len(expected)} that there are, once")
    order, factors = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for k, i, j in expected:
        n = places[k, i, j]
        order.append(np.arange(starts[n], starts[n + 1]))
        ratio = product.irreps_in2[j].ir.dim / product.irreps_out[k].ir.dim
        factors.append(np.full(len(order[-1]), found[n].path_weight * ratio**0.5))
    return np.concatenate(order), np.concatenate(factors)


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
