"""Use cases of governance."""

from etm_graph.features.governance.service.audit import Exported, export_audit
from etm_graph.features.governance.service.grants import GrantScope, grant_role, note_users, revoke_role
from etm_graph.features.governance.service.keys import NewKey, end_key, make_key, rotate_key

__all__ = [
    "Exported",
    "GrantScope",
    "NewKey",
    "end_key",
    "export_audit",
    "grant_role",
    "make_key",
    "note_users",
    "revoke_role",
    "rotate_key",
]
