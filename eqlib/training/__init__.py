"""One training loop for every task: seeded, checkpointed, resumed bit by bit; weights on disk; how good a result is."""

from eqlib.training.checkpoint import count_parameters, load_weights, save_weights
from eqlib.training.fit import Data, History, evaluate, fit
from eqlib.training.metrics import accuracy, auc, bootstrap, cross_entropy, rejection, roc
from eqlib.training.optimisers import cosine, lbfgs, warm_cosine

__all__ = [
    "Data",
    "History",
    "accuracy",
    "auc",
    "bootstrap",
    "cosine",
    "count_parameters",
    "cross_entropy",
    "evaluate",
    "fit",
    "lbfgs",
    "load_weights",
    "rejection",
    "roc",
    "save_weights",
    "warm_cosine",
]
