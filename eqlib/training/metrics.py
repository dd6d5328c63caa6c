"""How good is a classifier, and how sure is that? Accuracy with bootstrap intervals, ROC curves, background rejection."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

SURVIVORS = 100  # fewer background events than this measure no rejection

Array = NDArray[np.float64]


def bootstrap(
    values: ArrayLike, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of values (n,) and the ends of its percentile bootstrap interval (Efron and Tibshirani 1993, Ch. 13).

    For a comparison on the same examples give the differences: that is the paired bootstrap.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or len(v) == 0 or not np.isfinite(v).all():
        raise ValueError(f"values must be a row of finite numbers, got shape {v.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    rng = np.random.default_rng(seed)
    means = np.array([v[rng.integers(len(v), size=len(v))].mean() for _ in range(resamples)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(v.mean()), float(low), float(high)


def roc(scores: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    """Signal and background efficiency, each (m,), rising from 0 to 1, for every cut on the scores.

    scores: (n,), larger for signal. labels: (n,), 1 for signal and 0 for background. Equal scores are cut together.
    """
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if s.shape != y.shape or s.ndim != 1 or not np.isfinite(s).all():
        raise ValueError(f"scores and labels must be rows of one length, finite, got {s.shape} and {y.shape}")
    if set(np.unique(y).tolist()) != {0, 1}:
        raise ValueError(f"labels must hold both 0 and 1 and nothing else, got {np.unique(y)[:5]}")
    order = np.argsort(-s, kind="stable")
    last = np.append(np.flatnonzero(np.diff(s[order])), len(s) - 1)
    signal = np.cumsum(y[order] == 1)[last] / (y == 1).sum()
    background = np.cumsum(y[order] == 0)[last] / (y == 0).sum()
    return np.append(0.0, signal), np.append(0.0, background)


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a signal's score exceeds a background's, ties counted half."""
    signal, background = roc(scores, labels)
    return float(np.trapezoid(signal, background))


def rejection(scores: ArrayLike, labels: ArrayLike, efficiency: float) -> float | None:
    """1 / background efficiency where `efficiency` of the signal is kept; None if under 100 background events survive."""
    if not 0 < efficiency <= 1:
        raise ValueError(f"efficiency must lie in (0, 1], got {efficiency}")
    signal, background = roc(scores, labels)
    kept = float(background[np.searchsorted(signal, efficiency - 1e-12)])
    survivors = round(kept * int((np.asarray(labels) == 0).sum()))
    return 1 / kept if survivors >= SURVIVORS else None


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Share of right answers: output (n, classes), target (n,) with class indices."""
    return (output.argmax(-1) == target).double().mean()


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy of scores (n, classes) and class indices (n,)."""
    return torch.nn.functional.cross_entropy(output, target)
