"""Edges between points: who is whose neighbour, in open space and in crystals, and several graphs as one."""

from eqlib.graphs.batches import batch_index, join
from eqlib.graphs.edges import Edges
from eqlib.graphs.pairs import complete_graph, knn_graph, radius_graph
from eqlib.graphs.periodic import neighbours

__all__ = ["Edges", "batch_index", "complete_graph", "join", "knn_graph", "neighbours", "radius_graph"]
