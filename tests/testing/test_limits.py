"""A number beside its limit: what is printed, what is compared, and that a broken limit is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from committed import sanitised

from eqlib.testing import within


@pytest.mark.parametrize(
    ("value", "limit", "unit", "text"),
    [
        (3.21e-16, 1e-12, "", "3.2e-16 < 1e-12"),
        (0.0, 1e-12, "", "0 < 1e-12"),
        (-0.5, 1e-12, "", "-0.5 < 1e-12"),
        (0.304, 1e-12, "", "0.3 > 1e-12"),
        (1e-12, 1e-12, "", "1e-12 > 1e-12"),
        (float("nan"), 1e-12, "", "nan > 1e-12"),
        (float("inf"), 1, "", "inf > 1"),
        (412.6, 700, "MB", "413 MB < 700"),
        (93.28, (93.1, 93.7), "%", "93.3 % in 93.1 ... 93.7"),
        (93.06, (93.1, 93.7), "%", "93.1 % in 93.1 ... 93.7"),
        (93.04, (93.1, 93.7), "%", "93.0 % outside 93.1 ... 93.7"),
        (93.8, (93.1, 93.7), "", "93.8 outside 93.1 ... 93.7"),
        (float("nan"), (0, 1), "", "nan outside 0 ... 1"),
        (-0.31, (-0.5, 1), "", "-0.3 in -0.5 ... 1.0"),
        (2.4e-5, (1e-5, 0.0001), "", "0.00002 in 0.00001 ... 0.00010"),
        (12, (10, 20), "", "12 in 10 ... 20"),
        (-0.03, (-0.7, 0.7), "", "0.0 in -0.7 ... 0.7"),
    ],
)
def test_text(value: float, limit: float | tuple[float, float], unit: str, text: str) -> None:
    assert within(value, limit, unit) == text
    assert (
        within(np.float64(value), limit, unit) == within(torch.tensor(value, dtype=torch.float64), limit, unit) == text
    )


@pytest.mark.parametrize("value", ["a word", [1.0, 2.0], None, 1j, torch.ones(2)])
def test_a_value_is_one_real_number(value: object) -> None:
    with pytest.raises(ValueError, match="value: got"):
        within(value, 1)


@pytest.mark.parametrize("limit", [(1, 1), (2, 1), (1, 2, 3), float("nan"), "1", (float("nan"), 1)])
def test_a_limit_is_a_number_or_a_range(limit: object) -> None:
    with pytest.raises(ValueError, match="limit: got"):
        within(0, limit)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0.0, 4e-16, 1e-15, 9.99e-13, 3.0])
@pytest.mark.parametrize("unit", ["", "%", "GeV²"])
def test_another_rounding_is_the_same_and_a_broken_limit_is_not(number: float, unit: str) -> None:
    """Of an error only its limit is compared: 1e-15 may become 4e-16, and not 1e-6."""
    committed = sanitised(f"error: {within(1e-15, 1e-12, unit)}\n")
    assert (sanitised(f"error: {within(number, 1e-12, unit)}\n") == committed) == (number < 1e-12)
    assert sanitised(f"error: {within(1e-15, 1e-10, unit)}\n") != committed
    assert sanitised(f"error: {within(1e-6, 1e-12, unit)}\n") != committed


def test_a_figure_in_its_range_is_the_same_and_one_outside_is_not() -> None:
    committed = sanitised(f"accuracy {within(93.3, (93.1, 93.7), '%')}, after 3.2 s and 12 ms")
    assert committed == "accuracy # % in 93.1 ... 93.7, after # s and # ms"
    assert sanitised(f"accuracy {within(93.5, (93.1, 93.7), '%')}, after 14 s and 0.8 ms") == committed
    assert sanitised(f"accuracy {within(92.9, (93.1, 93.7), '%')}, after 3.2 s and 12 ms") != committed
    assert sanitised(f"accuracy {within(93.3, (92, 93.7), '%')}, after 3.2 s and 12 ms") != committed


@pytest.mark.parametrize("text", ["14 free numbers", "in 3 of 4 cases", "0.3 > 1e-12", "x < y", "3 in 4", "dim 6, 20"])
def test_nothing_else_is_dropped(text: str) -> None:
    assert sanitised(text) == text
