"""Use cases of governance."""

from etm_graph.features.governance.service.grants import GrantScope, grant_role, note_users, revoke_role

__all__ = ["GrantScope", "grant_role", "note_users", "revoke_role"]
