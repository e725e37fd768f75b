"""Breadth-first execution of GraphQL operations: a field is resolved once for all parents of its level.

Knows graphql-core and nothing of this project. `Engine` takes a schema and validated documents; `resolutions` says how
fields are read. Data, key order and errors are graphql-core's own; what the engine cannot do is handed to graphql-core.
"""

from etm_graph.graphql.breadth.documents import Bounded
from etm_graph.graphql.breadth.engine import Engine, Outcome, Request, Stream
from etm_graph.graphql.breadth.resolutions import Attribute, Batch, Call, Column, Property, Resolution
from etm_graph.graphql.breadth.selections import Selection

__all__ = [
    "Attribute",
    "Batch",
    "Bounded",
    "Call",
    "Column",
    "Engine",
    "Outcome",
    "Property",
    "Request",
    "Resolution",
    "Selection",
    "Stream",
]
