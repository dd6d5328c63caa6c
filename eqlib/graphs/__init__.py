"""Edges between points: who is whose neighbour."""

from eqlib.graphs.neighbours import complete_graph, knn_graph, radius_graph

__all__ = ["complete_graph", "knn_graph", "radius_graph"]
