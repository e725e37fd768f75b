"""Reading what governs access."""

from etm_graph.features.governance.queries.places import Place, members_leading_to, places, record_territories
from etm_graph.features.governance.queries.records import (
    GRANTS,
    KEYS,
    NEWEST,
    AuditFilter,
    GrantFilter,
    audit_after,
    count_audit,
    count_grants,
    count_keys,
    grants_by_id,
    key_by_id,
    list_audit,
    list_grants,
    list_keys,
)

__all__ = [
    "GRANTS",
    "KEYS",
    "NEWEST",
    "AuditFilter",
    "GrantFilter",
    "Place",
    "audit_after",
    "count_audit",
    "count_grants",
    "count_keys",
    "grants_by_id",
    "key_by_id",
    "list_audit",
    "list_grants",
    "list_keys",
    "members_leading_to",
    "places",
    "record_territories",
]
