"""Use cases of comparisons."""

from etm_graph.features.comparisons.service.books import Books
from etm_graph.features.comparisons.service.comparing import Comparand, Comparison, Side, compare
from etm_graph.features.comparisons.service.filtering import DifferenceFilter, names_within, select_differences
from etm_graph.features.comparisons.service.impacts import Impact, ImpactFilter, Impacts
from etm_graph.features.comparisons.service.live import Live, Look, Moment
from etm_graph.features.comparisons.service.visibility import KINDS, rights_of, visible_structure

__all__ = [
    "KINDS",
    "Books",
    "Comparand",
    "Comparison",
    "DifferenceFilter",
    "Impact",
    "ImpactFilter",
    "Impacts",
    "Live",
    "Look",
    "Moment",
    "Side",
    "compare",
    "names_within",
    "rights_of",
    "select_differences",
    "visible_structure",
]
