"""How good is a classifier, and how sure is that? Accuracy with bootstrap intervals, ROC curves, background rejection."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from eqlib.doors import Many, Natural, Share, typed

SURVIVORS = 100  # fewer background events than this measure no rejection

Array = NDArray[np.float64]


@typed
def bootstrap(
    values: ArrayLike, level: float = 0.95, resamples: Many = 2000, seed: Natural = 0
) -> tuple[float, float, float]:
    """Mean of values (n,) and the ends of its percentile bootstrap interval (Efron and Tibshirani 1993, Ch. 13).

    >>> bootstrap([0.5, 0.5])
    (0.5, 0.5, 0.5)
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or len(v) == 0 or not np.isfinite(v).all():
        raise ValueError(f"values must be a row of finite numbers, got shape {v.shape}")
    rng = np.random.default_rng(seed)
    means = np.array([v[rng.integers(len(v), size=len(v))].mean() for _ in range(resamples)])
    return float(v.mean()), *_interval(means, level)


@typed
def paired(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, resamples: Many = 2000, seed: Natural = 0
) -> tuple[float, float, float]:
    """Mean of a - b and its interval, as `bootstrap`, for values (n,) of two methods on the same examples.

    What makes an example hard for both cancels, so that the interval is narrower than the two methods' own intervals say.

    >>> paired([1.0, 0.0, 1.0], [0.0, -1.0, 0.0])
    (1.0, 1.0, 1.0)
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"b: got shape {other.shape}, expected that of a, {one.shape}")
    return bootstrap(one - other, level, resamples, seed)


@typed
def roc(scores: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    """Signal and background efficiency, each (m,), rising from 0 to 1, for every cut on the scores.

    scores: (n,), larger for signal. labels: (n,), 1 for signal and 0 for background. Equal scores are cut together.

    >>> [efficiency.tolist() for efficiency in roc([0.9, 0.4, 0.4], [1, 1, 0])]
    [[0.0, 0.5, 1.0], [0.0, 0.0, 1.0]]
    """
    from sklearn.metrics import roc_curve  # takes a second to import

    s, y = _checked(scores, labels)
    background, signal, _ = roc_curve(y, s, drop_intermediate=False)
    return signal, background


@typed
def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a signal's score exceeds a background's, ties counted half.

    >>> auc([0.9, 0.4, 0.4], [1, 1, 0])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    s, y = _checked(scores, labels)
    return float(roc_auc_score(y, s))


@typed
def paired_auc(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    labels: ArrayLike,
    level: float = 0.95,
    resamples: Many = 1000,
    seed: Natural = 0,
) -> tuple[float, float, float]:
    """Difference of two taggers' areas on the same examples, auc(a) - auc(b), and its percentile bootstrap interval.

    scores_a, scores_b: (n,). labels: (n,), 1 for signal and 0 for background. Signal and background are drawn each by itself,
    so that both keep their numbers.

    >>> difference, low, high = paired_auc([0.9, 0.8, 0.3, 0.1], [0.1, 0.8, 0.3, 0.9], [1, 1, 0, 0])
    >>> difference, low, high
    (0.75, 0.0, 1.0)
    """
    (a, y), (b, _) = _checked(scores_a, labels), _checked(scores_b, labels)
    rng, of_a, of_b = np.random.default_rng(seed), _tied(a), _tied(b)
    places = [np.flatnonzero(y == kind) for kind in (1, 0)]
    differences = np.zeros(resamples)
    for i in range(resamples):
        times = np.zeros(len(y))  # how often each example is drawn
        for own in places:
            times[own] = np.bincount(rng.integers(len(own), size=len(own)), minlength=len(own))
        differences[i] = _area(times, y, *of_a) - _area(times, y, *of_b)
    return auc(a, y) - auc(b, y), *_interval(differences, level)


@typed
def rejection(scores: ArrayLike, labels: ArrayLike, efficiency: Share) -> float | None:
    """1 / background efficiency where `efficiency` of the signal is kept; None if under 100 background events survive.

    >>> labels = np.arange(1200) % 2
    >>> rejection(np.where(labels, 1.0, np.arange(1200) % 3), labels, 0.5)
    1.5
    >>> rejection(labels, labels, 0.5) is None
    True
    """
    if not 0 < efficiency <= 1:
        raise ValueError(f"efficiency must lie in (0, 1], got {efficiency}")
    signal, background = roc(scores, labels)
    kept = float(background[np.searchsorted(signal, efficiency - 1e-12)])
    survivors = round(kept * int((np.asarray(labels) == 0).sum()))
    return 1 / kept if survivors >= SURVIVORS else None


@typed
def bootstrap_rejection(
    scores: ArrayLike,
    labels: ArrayLike,
    efficiency: Share,
    level: float = 0.95,
    resamples: Many = 500,
    seed: Natural = 0,
) -> tuple[float, float, float] | None:
    """`rejection` and the ends of its percentile bootstrap interval; None where `rejection` is.

    Signal and background are drawn each by itself; the cut is set anew in every draw, so its own uncertainty is in the interval.

    >>> labels = np.arange(1200) % 2
    >>> bootstrap_rejection(np.where(labels, 1.0, np.arange(1200) % 3), labels, 0.5)[0]
    1.5
    """
    s, y = _checked(scores, labels)
    value = rejection(s, y, efficiency)
    if value is None:
        return None
    rng, signal, background = np.random.default_rng(seed), s[y == 1], s[y == 0]
    most = len(signal) - int(np.ceil(efficiency * len(signal) - 1e-9))  # the cut's place among the sorted signal
    found = []
    for _ in range(resamples):
        cut = np.partition(signal[rng.integers(len(signal), size=len(signal))], most)[most]
        kept = int((background[rng.integers(len(background), size=len(background))] >= cut).sum())
        found.append(len(background) / max(kept, 1))
    return value, *_interval(np.array(found), level)


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.int64]]:
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isfinite(s).all():
        raise ValueError(f"scores and labels must be rows of one length, finite, got {s.shape} and {y.shape}")
    if set(np.unique(y).tolist()) != {0, 1}:
        raise ValueError(f"labels must hold both 0 and 1 and nothing else, got {np.unique(y)[:5]}")
    return s, y.astype(np.int64)


def _interval(values: Array, level: float) -> tuple[float, float]:
    """The percentiles between which `level` of the values lie."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _tied(scores: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Examples from the lowest score to the highest, and where each value begins among them."""
    order = np.argsort(scores)
    return order, np.append(0, np.flatnonzero(np.diff(scores[order])) + 1)


def _area(times: Array, labels: NDArray[np.int64], order: NDArray[np.int64], starts: NDArray[np.int64]) -> float:
    """Area under the ROC curve where each example counts so many times: pairs in the right order, ties half."""
    signal, background = (np.add.reduceat((times * (labels == kind))[order], starts) for kind in (1, 0))
    below = np.cumsum(background) - background / 2
    return float(signal @ below / (signal.sum() * background.sum()))


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Share of right answers: output (n, classes), target (n,) with class indices.

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1])).item()
    0.5
    """
    return (output.argmax(-1) == target).double().mean()


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy of scores (n, classes) and class indices (n,), whole numbers or bools; ValueError for others.

    >>> round(cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, 1])).item(), 4)  # log 2
    0.6931
    """
    if isinstance(target, Tensor) and (target.is_floating_point() or target.is_complex()):
        dtype = str(target.dtype).removeprefix("torch.")
        raise ValueError(f"target: got {dtype}, expected class indices (n,), whole numbers from 0 on")
    return torch.nn.functional.cross_entropy(output, target.long() if isinstance(target, Tensor) else target)
