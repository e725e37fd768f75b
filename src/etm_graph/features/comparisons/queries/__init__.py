"""Reading what comparisons are made of."""

from etm_graph.features.comparisons.queries.structures import load_structures, names_in, read_later

__all__ = ["load_structures", "names_in", "read_later"]
