"""What activation needs beside the right to activate: approvals that saw the structure as it is."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from etm_graph.core.access import Role

FILE = "approvals.toml"


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """How many people of which role must approve, and what the draft's creator may do oneself."""

    needed: Mapping[Role, int]
    owner_may_approve: bool
    owner_may_activate: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's latest word on a draft. approved: False for requested changes. roles: those held there now."""

    user_id: int
    approved: bool
    structure_head: int
    roles: Collection[Role]


def load_policy(folder: Path) -> ApprovalPolicy:
    """Read the policy's file in a folder of policies; without one nothing is needed.

    Raises `ValueError` for what it does not know.
    """
    path = folder / FILE
    found = tomllib.loads(path.read_text()) if path.exists() else {}
    counts = {Role(name): int(count) for name, count in found.get("approvals", {}).items()}
    owner = found.get("owner", {})
    return ApprovalPolicy(
        {role: count for role, count in counts.items() if count > 0},
        owner_may_approve=bool(owner.get("may_approve", False)),
        owner_may_activate=bool(owner.get("may_activate", True)),
    )


def missing(
    policy: ApprovalPolicy, approvals: Collection[Approval], *, structure_head: int, owner_id: int | None, actor_id: int
) -> list[str]:
    """What still stands between a draft and its activation by somebody, for people; empty when nothing does."""
    found = []
    if actor_id == owner_id and not policy.owner_may_activate:
        found.append("somebody else than its creator must activate it")
    current = [approval for approval in approvals if approval.structure_head == structure_head]
    objections = sum(not approval.approved for approval in current)
    if objections:
        found.append(f"{objections} reviewers request changes of the structure as it is")
    for role, count in policy.needed.items():
        counted = {
            approval.user_id
            for approval in current
            if approval.approved
            and role in approval.roles
            and (policy.owner_may_approve or approval.user_id != owner_id)
        }
        if len(counted) < count:
            stale = sum(a.approved and a.structure_head != structure_head and role in a.roles for a in approvals)
            note = f" ({stale} are stale: the structure changed since)" if stale else ""
            found.append(f"{count - len(counted)} more approvals by people with the role {role.value}{note}")
    return found
