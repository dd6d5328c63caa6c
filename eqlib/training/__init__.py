"""One training loop for every task: seeded, checkpointed, resumed bit by bit; weights on disk; how good a result is."""

from eqlib.training import runs
from eqlib.training.batches import Data, Metric, Source
from eqlib.training.devices import device
from eqlib.training.evaluation import evaluate, predict
from eqlib.training.loop import fit
from eqlib.training.metrics import (
    accuracy,
    auc,
    bootstrap,
    bootstrap_rejection,
    cross_entropy,
    paired,
    paired_auc,
    rejection,
    roc,
)
from eqlib.training.optimisers import cosine, lbfgs, warm_cosine
from eqlib.training.recipe import Recipe
from eqlib.training.state import History
from eqlib.training.weights import Trained, count_parameters, load, load_weights, save_weights

__all__ = [
    "Data",
    "History",
    "Metric",
    "Recipe",
    "Source",
    "Trained",
    "accuracy",
    "auc",
    "bootstrap",
    "bootstrap_rejection",
    "cosine",
    "count_parameters",
    "cross_entropy",
    "device",
    "evaluate",
    "fit",
    "lbfgs",
    "load",
    "load_weights",
    "paired",
    "paired_auc",
    "predict",
    "rejection",
    "roc",
    "runs",
    "save_weights",
    "warm_cosine",
]
