"""Intervals that cover, areas that agree with scikit-learn, rejections that are not claimed from a handful of events."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from eqlib import training


def sample(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    return np.round(rng.normal(size=n) + labels, 1), labels  # rounded: many ties


def test_bootstrap_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(300):
        _, low, high = training.bootstrap(rng.random(200) < 0.9, resamples=300, seed=trial)
        hits += low <= 0.9 <= high
    assert 0.90 < hits / 300 < 0.99
    mean, low, high = training.bootstrap(np.r_[np.ones(2790), np.zeros(210)])
    assert mean == pytest.approx(0.93)
    assert high - mean == pytest.approx(1.96 * np.sqrt(0.93 * 0.07 / 3000), rel=0.1)
    assert training.bootstrap([0.5]) == (0.5, 0.5, 0.5)


def test_roc_and_area_equal_scikit_learn():
    x, y = sample()
    assert training.auc(x, y) == pytest.approx(roc_auc_score(y, x), abs=1e-12)
    background, signal, _ = roc_curve(y, x, drop_intermediate=False)
    ours = training.roc(x, y)
    assert np.allclose(ours[0], signal)
    assert np.allclose(ours[1], background)
    assert training.auc(y, y) == 1.0
    assert training.auc(-y, y) == 0.0
    assert training.auc(np.zeros(len(y)), y) == 0.5


def test_paired_intervals_are_those_of_the_differences():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=500)
    a, b = hard + 0.1 * rng.normal(size=500) + 0.02, hard + 0.1 * rng.normal(size=500)
    assert training.paired(a, b) == training.bootstrap(a - b)
    mean, low, high = training.paired(a, b, level=0.9)
    assert mean == pytest.approx((a - b).mean()) and high - low == pytest.approx(
        2 * 1.645 * (a - b).std() / np.sqrt(500), rel=0.1
    )


def two_taggers(n, seed, better=0.0):
    """Scores of two taggers that look at the same jets, with many ties."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(int)
    jet = rng.normal(size=n) + labels
    a, b = (jet + 0.5 * rng.normal(size=n) for _ in range(2))
    return np.round(a + better * labels, 1), np.round(b, 1), labels


def delong(a, b, y):
    """Standard error of the difference of two areas (DeLong, DeLong and Clarke-Pearson 1988)."""
    parts = []
    for s in (a, b):
        wins = (s[y == 1][:, None] > s[y == 0]) + 0.5 * (s[y == 1][:, None] == s[y == 0])
        parts.append((wins.mean(1), wins.mean(0)))
    (a1, a0), (b1, b0) = parts
    return np.sqrt((a1 - b1).var(ddof=1) / len(a1) + (a0 - b0).var(ddof=1) / len(a0))


def test_paired_areas_agree_with_delong_and_cover_as_often_as_they_say():
    a, b, y = two_taggers(1500, 0, better=0.1)
    mean, low, high = training.paired_auc(a, b, y)
    assert mean == roc_auc_score(y, a) - roc_auc_score(y, b)
    assert (low, high) == pytest.approx((mean - 1.96 * delong(a, b, y), mean + 1.96 * delong(a, b, y)), abs=1e-3)
    assert training.paired_auc(a, b, y) == (mean, low, high) != training.paired_auc(a, b, y, seed=1)
    hits = 0
    for trial in range(200):
        _, low, high = training.paired_auc(*two_taggers(200, trial), resamples=200, seed=trial)
        hits += low <= 0 <= high
    assert 0.90 < hits / 200 < 0.99


def test_paired_areas_of_all_jets_take_seconds():
    start = time.process_time()
    training.paired_auc(*two_taggers(6000, 0))
    assert time.process_time() - start < 5


def test_rejection_needs_survivors():
    y = np.r_[np.ones(1000, dtype=int), np.zeros(1000, dtype=int)]
    x = np.r_[np.linspace(0, 1, 1000), np.linspace(-1, 0.2, 1000)]
    # Half of the signal lies above 0.5, no background: nothing can be said. At 90 % the cut is 0.1.
    assert training.rejection(x, y, 0.5) is None
    assert training.rejection(x, y, 0.8) is None
    assert training.rejection(x, y, 0.9) is None  # 83 survive
    assert training.rejection(x, y, 0.95) == pytest.approx(1000 / 125, rel=0.02)


def test_intervals_of_a_rejection_cover_it():
    """Of 60 tests of known taggers, 95 % intervals miss about 3; and one narrows with the square root of the jets."""
    truth = 1 / 0.1587  # signal N(1, 1), background N(0, 1): half of the signal lies above 1
    missed, widths = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = np.repeat([1, 0], [1500, 3000])
        value, low, high = training.bootstrap_rejection(rng.normal(y, 1.0), y, 0.5, resamples=200, seed=seed)
        assert low < value < high
        missed += not low < truth < high
        widths.append(high - low)
    assert missed <= 9
    y = np.repeat([1, 0], [15_000, 30_000])
    _, low, high = training.bootstrap_rejection(np.random.default_rng(0).normal(y, 1.0), y, 0.5, resamples=200)
    assert high - low == pytest.approx(np.mean(widths) / np.sqrt(10), rel=0.3)


def test_no_interval_of_a_rejection_without_survivors():
    y = np.repeat([1, 0], 1000)
    assert training.bootstrap_rejection(y + 0.0, y, 0.5) is None
    x = np.r_[np.ones(1000), np.repeat([1.0, 0.0], [300, 700])]  # equal scores are kept together, by rejection as well
    value, low, high = training.bootstrap_rejection(x, y, 0.3)
    assert value == training.rejection(x, y, 0.3) == pytest.approx(10 / 3) and low < value < high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: training.bootstrap([]), "values must be a row of finite numbers"),
        (lambda: training.bootstrap([1.0], level=1.0), "level must lie between 0 and 1, got 1.0"),
        (lambda: training.roc([0.1, np.nan], [0, 1]), "finite, got (2,)"),
        (lambda: training.roc([0.1, 0.2], [1, 1]), "labels must hold both 0 and 1"),
        (lambda: training.auc([0.1, np.nan], [0, 1]), "finite, got (2,)"),
        (lambda: training.paired([1.0], [1.0, 2.0]), "b: got shape (2,), expected that of a, (1,)"),
        (lambda: training.paired_auc([0.1, 0.2], [0.1], [0, 1]), "rows of one length, finite, got (1,) and (2,)"),
        (lambda: training.paired_auc([0.1, 0.2], [0.1, 0.3], [0, 1], level=2), "level must lie between 0 and 1, got 2"),
        (lambda: training.rejection([0.1, 0.2], [1, 0], 0.0), "efficiency must lie in (0, 1], got 0.0"),
    ],
)
def test_refused_with_the_reason(call, message):
    with pytest.raises(ValueError) as caught:  # the message is looked at whole
        call()
    assert message in str(caught.value)
