"""What activation needs: approvals of the structure as it is, by enough people of each role."""

from pathlib import Path

from etm_graph.access.snapshot import default_policy_folder
from etm_graph.core.access import Role
from etm_graph.core.approvals import Approval, ApprovalPolicy, load_policy, missing

POLICY = ApprovalPolicy({Role.MANAGER: 2}, owner_may_approve=False, owner_may_activate=True)


def approval(user_id: int, head: int = 5, *, approved: bool = True, role: Role = Role.MANAGER) -> Approval:
    return Approval(user_id, approved, head, frozenset({role}))


def left(*approvals: Approval, policy: ApprovalPolicy = POLICY, actor_id: int = 9) -> list[str]:
    return missing(policy, approvals, structure_head=5, owner_id=1, actor_id=actor_id)


def test_enough_approvals_of_the_present_structure_let_it_pass() -> None:
    assert left(approval(2), approval(3)) == []


def test_stale_own_and_other_roles_approvals_do_not_count() -> None:
    found = left(approval(2), approval(3, 4), approval(1), approval(4, role=Role.PLANNER))
    assert found == ["1 more approvals by people with the role manager (1 are stale: the structure changed since)"]


def test_requested_changes_of_the_present_structure_block_and_of_a_former_one_do_not() -> None:
    assert left(approval(2), approval(3), approval(4, approved=False)) == [
        "1 reviewers request changes of the structure as it is"
    ]
    assert left(approval(2), approval(3), approval(4, 4, approved=False)) == []


def test_the_creator_may_be_kept_from_activating() -> None:
    strict = ApprovalPolicy({}, owner_may_approve=False, owner_may_activate=False)
    assert left(policy=strict, actor_id=1) == ["somebody else than its creator must activate it"]
    assert left(policy=strict, actor_id=2) == []


def test_the_policy_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "approvals.toml").write_text("[approvals]\nmanager = 1\nadmin = 0\n[owner]\nmay_approve = true\n")
    assert load_policy(tmp_path) == ApprovalPolicy({Role.MANAGER: 1}, owner_may_approve=True, owner_may_activate=True)
    assert load_policy(default_policy_folder()).needed == {}
