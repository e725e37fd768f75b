"""Hot reload, and the activation policy: fit files are taken, others named, one operation sees one policy."""

import shutil
from pathlib import Path

import pytest
from tests.access.people import ACCESS, NOW, person

from etm_graph.access.decisions import Access
from etm_graph.access.lint import BadPolicy, lint_activation
from etm_graph.access.snapshot import default_policy_folder, load_snapshot
from etm_graph.access.watching import PolicyWatch
from etm_graph.core.access import Act, Grant, Kind, Role, StateGroup
from etm_graph.core.errors import Forbidden

AUDIT_OF_VIEWERS = "p, viewer, audit, active, read, any, allow\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_policy_folder(), tmp_path / "policies"))


def append(folder: Path, text: str) -> None:
    path = folder / "policy.csv"
    path.write_text(path.read_text() + text)


def reads_audit(access: Access) -> bool:
    return access.allows(person(Grant(Role.VIEWER)), Act.READ, Kind.AUDIT, now=NOW)


def test_a_changed_policy_is_taken_and_what_is_under_way_keeps_the_old_one(folder: Path) -> None:
    access = Access(folder)
    watch = PolicyWatch(access, folder, poll_s=1)
    under_way, before = access.pinned(), access.snapshot.version
    assert watch.look() is False
    append(folder, AUDIT_OF_VIEWERS)
    assert watch.look() is True
    assert (reads_audit(access), reads_audit(under_way)) == (True, False)
    assert access.snapshot.version != before == under_way.snapshot.version


def test_files_that_are_not_fit_leave_the_last_good_policy_and_say_why_until_they_are_mended(folder: Path) -> None:
    access = Access(folder)
    watch = PolicyWatch(access, folder, poll_s=1)
    good = (folder / "policy.csv").read_text()
    before = access.snapshot.version
    append(folder, "p, viewer, audit, active, raed, any, allow\n")
    assert watch.look() is False
    assert access.failure is not None
    assert "'raed' is no act" in access.failure
    assert access.snapshot.version == before
    assert watch.look() is False
    (folder / "policy.csv").unlink()
    assert watch.look() is False
    assert access.snapshot.version == before
    (folder / "policy.csv").write_text(good)
    assert watch.look() is False
    assert (access.failure, access.snapshot.version) == (None, before)


def may_activate(access: Access, state: StateGroup, *, own: bool) -> bool:
    admin = person(Grant(Role.ADMIN))
    return access.allows(admin, Act.ACTIVATE, Kind.MODEL, state=state, model_id=1, own=own, now=NOW)


def test_where_the_activation_policy_says_so_nobody_activates_the_own_draft(folder: Path) -> None:
    (folder / "activation.toml").write_text("owner_may_activate = false\n")
    strict = Access(folder)
    for state in (StateGroup.PLANNING, StateGroup.TRANSITION):
        assert (may_activate(strict, state, own=False), may_activate(strict, state, own=True)) == (True, False)
        assert may_activate(ACCESS, state, own=True)
    with pytest.raises(Forbidden) as caught:
        strict.require(
            person(Grant(Role.ADMIN)),
            Act.ACTIVATE,
            Kind.MODEL,
            state=StateGroup.PLANNING,
            model_id=1,
            own=True,
            now=NOW,
        )
    assert "not what is your own; somebody else with the role admin may" in caught.value.message
    assert strict.snapshot.version != ACCESS.snapshot.version


def test_without_an_activation_policy_the_owner_may(folder: Path) -> None:
    (folder / "activation.toml").unlink()
    assert may_activate(Access(folder), StateGroup.PLANNING, own=True)


@pytest.mark.parametrize(
    "text", ["owner_may_activate = 1", "owner_may_activte = false", "=", 'owner_may_activate = "no"']
)
def test_an_activation_policy_that_says_something_else_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(BadPolicy, match=r"activation\.toml"):
        lint_activation(text)
    (folder / "activation.toml").write_text(text)
    with pytest.raises(BadPolicy):
        load_snapshot(folder)
