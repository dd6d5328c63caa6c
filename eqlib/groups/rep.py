"""Rep: a direct sum of irreps with multiplicities, such as "8x0e + 4x1o"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, overload

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from eqlib import doors
from eqlib.doors import Natural, typed
from eqlib.groups.content import title
from eqlib.groups.element import Array, Element, no_element
from eqlib.groups.irrep import Irrep


class Sorted(NamedTuple):
    """A rep with its blocks in another order, as `Rep.sort` gives it.

    Attributes:
        rep: the sorted rep.
        p: the new place of each old block.
        inv: the old place of each new block.

    >>> from eqlib import groups
    >>> rep = groups.SO3().rep("1 + 2x0")
    >>> features = np.array([[1.0, 2.0, 3.0, 10.0, 20.0]])
    >>> features[..., rep.sort().places], rep.sort().rep
    (array([[10., 20.,  1.,  2.,  3.]]), SO3: 2x0+1x1)
    """

    rep: Rep
    p: tuple[int, ...]
    inv: tuple[int, ...]

    @property
    def places(self) -> NDArray[np.int64]:
        """(dim,) where each component stood: x[..., places] are features of the sorted rep, for features x of the old one."""
        starts = np.cumsum([0, *(mul * a.dim for mul, a in (self.rep[n] for n in self.p))])
        return np.concatenate([np.arange(0), *(np.arange(starts[n], starts[n + 1]) for n in self.inv)])


class Rep:
    """A direct sum of irreps. Immutable; one flat axis of length `dim`, block after block, `mul` x `irrep.dim` inside.

    Like a tuple of its blocks (mul, irrep) it has a length and can be walked through; an empty rep is false.

    Attributes:
        group: the `Group`.
        blocks: ((mul, irrep), ...), in the order given.

    >>> from eqlib import groups
    >>> rep = groups.O3().rep("8x0e + 4x1o")
    >>> rep
    O3: 8x0e+4x1o
    >>> rep.dim, rep.slices
    (20, (slice(0, 8, None), slice(8, 20, None)))
    >>> [(mul, a.label, a.dim) for mul, a in rep]
    [(8, '0e', 1), (4, '1o', 3)]
    >>> 2 * rep + groups.O3().rep("2e")
    O3: 8x0e+4x1o+8x0e+4x1o+1x2e
    """

    __slots__ = ("blocks", "group")
    group: Any
    blocks: tuple[tuple[int, Irrep], ...]

    def __init__(self, group: Any, blocks: tuple[tuple[int, Irrep], ...]) -> None:
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "blocks", blocks)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Rep is immutable")

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Rep, (self.group, self.blocks)

    @classmethod
    def of(cls, group: Any, blocks: str | Rep | Irrep | Sequence[tuple[int, str | Irrep]]) -> Rep:
        """See `Group.rep`. ValueError names the malformed part."""
        if isinstance(blocks, Rep):
            if blocks.group != group:
                raise ValueError(f"rep {blocks} belongs to {title(blocks.group, group)}, not to {group}")
            return blocks
        if isinstance(blocks, Irrep):
            blocks = [(1, blocks)]
        if isinstance(blocks, str):
            # A sign inside parentheses would belong to a label.
            terms = re.split(r"\+(?![^(]*\))", blocks) if blocks.strip() else []
            blocks = [_term(group, blocks, term.strip()) for term in terms]
        if not isinstance(blocks, Iterable):
            raise ValueError(f'rep of {group}: got {blocks!r}, expected a string such as "8x0e + 4x1o", or blocks')
        parsed = []
        for block in blocks:
            if not (isinstance(block, tuple) and len(block) == 2):
                raise ValueError(f"block of a rep of {group}: got {block!r}, expected (multiplicity, irrep)")
            mul = doors.count(f"multiplicity in a rep of {group}", block[0])
            parsed.append((mul, group.irrep(block[1])))
        return cls(group, tuple(parsed))

    @property
    def dim(self) -> int:
        """Length of the flat axis."""
        return sum(mul * a.dim for mul, a in self.blocks)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each block lies on the flat axis."""
        ends = list(accumulate((mul * a.dim for mul, a in self.blocks), initial=0))
        return tuple(slice(start, stop) for start, stop in zip(ends[:-1], ends[1:], strict=True))

    @property
    def copies(self) -> int:
        """Number of irreps, multiplicities counted.

        >>> from eqlib import groups
        >>> groups.O3().rep("8x0e + 4x1o").copies
        12
        """
        return sum(mul for mul, _ in self.blocks)

    def multiplicity(self, irrep: str | Irrep) -> int:
        """How often the irrep occurs, over all blocks.

        >>> from eqlib import groups
        >>> groups.O3().rep("2x0e + 1o + 0e").multiplicity("0e")
        3
        """
        a = self.group.irrep(irrep)
        return sum(mul for mul, b in self.blocks if b == a)

    def __iter__(self) -> Iterator[tuple[int, Irrep]]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    @overload
    def __getitem__(self, index: int) -> tuple[int, Irrep]: ...

    @overload
    def __getitem__(self, index: slice) -> Rep: ...

    def __getitem__(self, index: int | slice) -> tuple[int, Irrep] | Rep:
        """A block (mul, irrep), or for a slice the rep of those blocks."""
        return Rep(self.group, self.blocks[index]) if isinstance(index, slice) else self.blocks[index]

    def __contains__(self, irrep: object) -> bool:
        """Whether an irrep, or the one with this label, occurs at least once."""
        return self.multiplicity(self.group.irrep(irrep)) > 0

    def simplify(self) -> Rep:
        """The same with neighbouring blocks of one irrep joined, and without empty ones; the flat axis stays as it is.

        >>> from eqlib import groups
        >>> groups.O3().rep("2x0e + 0x2e + 0e + 1o + 0e").simplify()
        O3: 3x0e+1x1o+1x0e
        """
        joined: list[tuple[int, Irrep]] = []
        for mul, a in self.blocks:
            if mul and joined and joined[-1][1] == a:
                joined[-1] = joined[-1][0] + mul, a
            elif mul:
                joined.append((mul, a))
        return Rep(self.group, tuple(joined))

    def sort(self) -> Sorted:
        """Blocks in the order of `group.irreps()`, those of one irrep as they stood; with the permutation that leads there.

        >>> from eqlib import groups
        >>> rep, p, inv = groups.O3().rep("1o + 2x0e + 0o").sort()
        >>> rep, p, inv
        (O3: 2x0e+1x0o+1x1o, (2, 0, 1), (1, 2, 0))
        >>> groups.O3().rep("1o + 2x0e + 0o").sort().places  # of the features
        array([3, 4, 5, 0, 1, 2])
        """
        missing, order = {a.label for _, a in self.blocks}, dict[str, int]()
        labels = self.group.labels()
        while missing:
            label = next(labels)
            order[label] = len(order)
            missing.discard(label)
        inv = sorted(range(len(self)), key=lambda n: order[self.blocks[n][1].label])
        p = sorted(range(len(self)), key=inv.__getitem__)
        return Sorted(Rep(self.group, tuple(self.blocks[n] for n in inv)), tuple(p), tuple(inv))

    def __mul__(self, times: int) -> Rep:
        """The rep so many times, one after the other."""
        if not isinstance(times, int | np.integer):
            return NotImplemented
        return Rep(self.group, self.blocks * doors.count("times", times))

    __rmul__ = __mul__
    __array_ufunc__ = None  # leaves numpy's integers times a rep to __rmul__

    def __add__(self, other: Rep) -> Rep:
        if not isinstance(other, Rep):
            return NotImplemented
        if other.group != self.group:
            raise ValueError(f"cannot add a rep of {title(other.group, self.group)} to a rep of {self.group}")
        return Rep(self.group, self.blocks + other.blocks)

    def __str__(self) -> str:
        return "+".join(f"{mul}x{a.label}" for mul, a in self.blocks)

    def __repr__(self) -> str:
        return f"{self.group}: {self}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rep) and (self.group, self.blocks) == (other.group, other.blocks)

    def __hash__(self) -> int:
        return hash((self.group, self.blocks))

    def __call__(self, g: Element) -> Array:
        """Block-diagonal matrices, (n, dim, dim).

        >>> from eqlib import groups
        >>> rep = groups.O3().rep("2x0e + 1o")
        >>> rep(groups.O3().sample(7)).shape
        (7, 5, 5)
        """
        if not isinstance(g, Element):
            raise no_element(g)
        doors.affordable(f"matrices of {self.group}'s rep of dimension {self.dim}", len(g) * self.dim**2)
        result = np.zeros((len(g), self.dim, self.dim))
        for (mul, a), where in zip(self.blocks, self.slices, strict=True):
            d = a(g)
            for copy in range(mul):
                here = slice(where.start + copy * a.dim, where.start + (copy + 1) * a.dim)
                result[:, here, here] = d
        return result

    def generators(self) -> Array:
        """(group.dim, dim, dim) block-diagonal generators.

        >>> from eqlib import groups
        >>> groups.SO2().rep("0 + 2").generators()
        array([[[ 0.,  0.,  0.],
                [ 0.,  0., -2.],
                [ 0.,  2.,  0.]]])
        """
        doors.affordable(f"generators of {self.group}'s rep of dimension {self.dim}", self.group.dim * self.dim**2)
        blocks = [a.generators for mul, a in self.blocks for _ in range(mul)]
        rows = [scipy.linalg.block_diag(*(x[i] for x in blocks)) for i in range(self.group.dim)]
        return np.array(rows).reshape(self.group.dim, self.dim, self.dim)

    def discrete(self) -> Array:
        """(components, dim, dim) block-diagonal matrix of each component.

        >>> from eqlib import groups
        >>> groups.O3().rep("2x0e + 1o").discrete()[1].diagonal()
        array([ 1.,  1., -1., -1., -1.])
        """
        doors.affordable(
            f"components of {self.group}'s rep of dimension {self.dim}", self.group.components * self.dim**2
        )
        blocks = [a.discrete for mul, a in self.blocks for _ in range(mul)]
        rows = [scipy.linalg.block_diag(*(x[i] for x in blocks)) for i in range(self.group.components)]
        return np.array(rows).reshape(self.group.components, self.dim, self.dim)


def same_group(**reps: Rep) -> None:
    """ValueError unless all are reps, and of one group."""
    for name, rep in reps.items():
        if not isinstance(rep, Rep):
            hint = f": G.rep({rep!r})" if isinstance(rep, str) else ", as G.rep(...) makes it"
            raise ValueError(f"{name}: got {rep!r}, expected a Rep{hint}")
    group, *others = [rep.group for rep in reps.values()]
    if any(other != group for other in others):
        listed = ", ".join([str(group), *(str(g) if g == group else title(g, group) for g in others)])
        raise ValueError(f"{', '.join(reps)}: got reps of {listed}, expected reps of one group")


@typed
def fields(rep: Rep, channels: Natural) -> Rep:
    """So many copies of a rep, with one block for each irrep, in the order in which they occur.

    Copies of an irrep that occurs m times in `rep` are numbered channel by channel: m for the first channel, then m more.

    >>> from eqlib import groups
    >>> fields(groups.Dihedral(4).rep("0e + 2x1"), channels=8)
    Dihedral(4): 8x0e+16x1
    """
    channels = doors.count("channels", channels)
    irreps = dict.fromkeys(a for _, a in rep.blocks)
    return Rep(rep.group, tuple((channels * rep.multiplicity(a), a) for a in irreps))


def _term(group: Any, text: str, term: str) -> tuple[int, str]:
    """One "8x0e" or "0e" of a rep string."""
    match = re.fullmatch(r"(?:(\d+)\s*x\s*)?(\S.*)", term, re.ASCII)
    if match is None:
        raise ValueError(f'rep string {text!r} of {group} is malformed at {term!r}: write "8x0e + 4x1o"')
    return int(match[1] or 1), match[2]
