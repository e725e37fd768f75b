"""Use cases of assignment rules."""

from etm_graph.features.rules.service.links import copy_rules, link_rule, unlink_rule
from etm_graph.features.rules.service.rules import (
    create_rule,
    delete_rule,
    refuse_field_in_use,
    unlink_deleted,
    update_rule,
)
from etm_graph.features.rules.service.writing import write_links, write_rules

__all__ = [
    "copy_rules",
    "create_rule",
    "delete_rule",
    "link_rule",
    "refuse_field_in_use",
    "unlink_deleted",
    "unlink_rule",
    "update_rule",
    "write_links",
    "write_rules",
]
