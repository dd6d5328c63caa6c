"""Rep: a direct sum of irreps with multiplicities, such as "8x0e + 4x1o"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg

from eqlib.groups.element import Array, Element
from eqlib.groups.irrep import Irrep


class Rep:
    """A direct sum of irreps. Immutable; one flat axis of length `dim`, block after block, `mul` x `irrep.dim` inside.

    Attributes:
        group: the group.
        blocks: ((mul, irrep), ...), in the order given.
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
                raise ValueError(f"rep {blocks} belongs to {blocks.group}, not to {group}")
            return blocks
        if isinstance(blocks, Irrep):
            blocks = [(1, blocks)]
        if isinstance(blocks, str):
            # A sign inside parentheses would belong to a label.
            terms = re.split(r"\+(?![^(]*\))", blocks) if blocks.strip() else []
            blocks = [_term(group, blocks, term.strip()) for term in terms]
        parsed = []
        for block in blocks:
            if not (isinstance(block, tuple) and len(block) == 2 and isinstance(block[0], int | np.integer)):
                raise ValueError(f"a block of a rep of {group} is (multiplicity, irrep), got {block!r}")
            if block[0] < 0:
                raise ValueError(f"multiplicity in a rep of {group} must not be negative, got {block[0]}")
            parsed.append((int(block[0]), group.irrep(block[1])))
        return cls(group, tuple(parsed))

    @property
    def dim(self) -> int:
        """Length of the flat axis."""
        return sum(mul * a.dim for mul, a in self.blocks)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each block lies on the flat axis."""
        ends = np.cumsum([0, *(mul * a.dim for mul, a in self.blocks)]).tolist()
        return tuple(slice(start, stop) for start, stop in zip(ends[:-1], ends[1:], strict=True))

    @property
    def copies(self) -> int:
        """Number of irreps, multiplicities counted."""
        return sum(mul for mul, _ in self.blocks)

    def multiplicity(self, irrep: str | Irrep) -> int:
        """How often the irrep occurs, over all blocks."""
        a = self.group.irrep(irrep)
        return sum(mul for mul, b in self.blocks if b == a)

    def __add__(self, other: Rep) -> Rep:
        if not isinstance(other, Rep):
            return NotImplemented
        if other.group != self.group:
            raise ValueError(f"cannot add a rep of {other.group} to a rep of {self.group}")
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
        """Block-diagonal matrices, (n, dim, dim)."""
        result = np.zeros((len(g), self.dim, self.dim))
        for (mul, a), where in zip(self.blocks, self.slices, strict=True):
            d = a(g)
            for copy in range(mul):
                here = slice(where.start + copy * a.dim, where.start + (copy + 1) * a.dim)
                result[:, here, here] = d
        return result

    def generators(self) -> Array:
        """(group.dim, dim, dim) block-diagonal generators."""
        blocks = [a.generators for mul, a in self.blocks for _ in range(mul)]
        rows = [scipy.linalg.block_diag(*(x[i] for x in blocks)) for i in range(self.group.dim)]
        return np.array(rows).reshape(self.group.dim, self.dim, self.dim)

    def discrete(self) -> Array:
        """(components, dim, dim) block-diagonal matrix of each component."""
        blocks = [a.discrete for mul, a in self.blocks for _ in range(mul)]
        rows = [scipy.linalg.block_diag(*(x[i] for x in blocks)) for i in range(self.group.components)]
        return np.array(rows).reshape(self.group.components, self.dim, self.dim)


def fields(rep: Rep, channels: int) -> Rep:
    """So many copies of a rep, with one block for each irrep, in the order in which they occur.

    Copies of an irrep that occurs m times in `rep` are numbered channel by channel: m for the first channel, then m more.
    """
    if channels < 0:
        raise ValueError(f"channels must not be negative, got {channels}")
    irreps = dict.fromkeys(a for _, a in rep.blocks)
    return Rep(rep.group, tuple((channels * rep.multiplicity(a), a) for a in irreps))


def _term(group: Any, text: str, term: str) -> tuple[int, str]:
    """One "8x0e" or "0e" of a rep string."""
    match = re.fullmatch(r"(?:(\d+)\s*x\s*)?(\S.*)", term)
    if match is None:
        raise ValueError(f'rep string {text!r} of {group} is malformed at {term!r}: write "8x0e + 4x1o"')
    return int(match[1] or 1), match[2]
