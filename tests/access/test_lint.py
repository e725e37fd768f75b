"""Every mistake that Casbin would swallow is refused at load."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from etm_graph.access.decisions import Access
from etm_graph.access.lint import BadPolicy
from etm_graph.access.snapshot import PolicySnapshot, default_policy_folder, load_snapshot

FOLDER = default_policy_folder()
MODEL = (FOLDER / "model.conf").read_text(encoding="utf-8")
POLICY = (FOLDER / "policy.csv").read_text(encoding="utf-8")
DENY = "p, everyone, model, archived, update, any, deny"


def replaced(row: str) -> str:
    assert DENY in POLICY
    return POLICY.replace(DENY, row)


POLICIES = {
    "byte order mark": ("\ufeff" + POLICY, "byte order mark"),
    "misspelt effect": (replaced(DENY.replace("deny", "Deny")), "is no eft"),
    "comment after a row": (replaced(DENY + " # read-only"), "is no eft"),
    "comment line": ("# the policy\n" + POLICY, "line 1"),
    "short row": (replaced("p, everyone, model, archived, update, any"), "six values"),
    "long row": (replaced(DENY + ", x"), "six values"),
    "upper-case type of row": (replaced(DENY.replace("p,", "P,")), "six values"),
    "another type of row": (replaced(DENY.replace("p,", "p9,")), "six values"),
    "role of a role": (POLICY + "g, planner, viewer\n", "roles of roles"),
    "unknown role": (replaced(DENY.replace("everyone", "anyone")), "is no role"),
    "suspended as a role": (replaced(DENY.replace("everyone", "suspended")), "is no role"),
    "unknown kind": (replaced(DENY.replace("model", "territory_model")), "is no kind"),
    "every kind": (replaced(DENY.replace("model", "*")), "is no kind"),
    "unknown state": (replaced(DENY.replace("archived", "ARCHIVED")), "is no state"),
    "unknown act": (replaced(DENY.replace("update", "edit")), "is no act"),
    "unknown condition": (replaced(DENY.replace("any", "mine")), "is no cond"),
    "blank value": (replaced(DENY.replace("update", "")), "is no act"),
    "row twice": (POLICY + DENY + "\n", "says twice"),
    "state of what has none": (POLICY + "p, viewer, crm, planning, read, any, allow\n", "state is always active"),
    "allowed to strangers": (POLICY + "p, everyone, crm, active, read, any, allow\n", "only a granted role"),
    "open quote": (replaced(DENY.replace("update", '"update')), "not well-formed"),
    "no rows": ("\n\n", "no rows"),
    "a kind forgotten": (
        "\n".join(row for row in POLICY.splitlines() if ", audit," not in row),
        "says nothing of audit",
    ),
}

MODELS = {
    "deny only": (MODEL.replace("some(where (p.eft == allow)) && ", ""), "tested for"),
    "second effect": (MODEL + "[policy_effect]\ne = some(where (p.eft == allow))\n", "more than the tested"),
    "second matcher": (MODEL + "m = true\n", "more than the tested"),
    "matcher with eval": (MODEL.replace("p.role in r.sub", "eval(p.role)"), "tested for"),
    "other request": (MODEL.replace("r = sub, kind", "r = sub, obj"), "tested for"),
    "byte order mark": ("\ufeff" + MODEL, "tested for"),
    "cut off": (MODEL[: MODEL.index("[matchers]")], "'nothing'"),
    "empty": ("", "'nothing'"),
}


def test_the_shipped_policy_passes() -> None:
    assert (
        PolicySnapshot(MODEL, POLICY, (FOLDER / "activation.toml").read_text()).version == load_snapshot(FOLDER).version
    )


@pytest.mark.parametrize("mistake", POLICIES)
def test_a_mistake_in_the_policy_is_refused(mistake: str) -> None:
    text, reason = POLICIES[mistake]
    with pytest.raises(BadPolicy, match=reason):
        PolicySnapshot(MODEL, text)


@pytest.mark.parametrize("mistake", MODELS)
def test_a_mistake_in_the_model_is_refused(mistake: str) -> None:
    text, reason = MODELS[mistake]
    with pytest.raises(BadPolicy, match=reason):
        PolicySnapshot(text, POLICY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.conf", "policy.csv"):
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def spoil_text(path: Path) -> None:
    path.write_text(POLICY.replace("deny", "Deny"), encoding="utf-8")


def spoil_encoding(path: Path) -> None:
    path.write_bytes(POLICY.encode("utf-16"))


@pytest.mark.parametrize("spoil", [spoil_text, spoil_encoding, Path.unlink])
def test_an_unfit_policy_leaves_the_old_one_in_force(folder: Path, spoil: Callable[[Path], None]) -> None:
    access = Access(folder)
    before = access.snapshot
    spoil(folder / "policy.csv")
    assert access.reload() is False
    assert access.snapshot is before
    assert access.failure


def test_a_changed_policy_is_taken(folder: Path) -> None:
    access = Access(folder)
    before = access.snapshot.version
    (folder / "policy.csv").write_text(POLICY + "p, viewer, export, active, read, any, allow\n", encoding="utf-8")
    assert access.reload() is True
    assert access.snapshot.version != before
    assert access.failure is None


def test_there_is_no_start_without_a_fit_policy(folder: Path) -> None:
    spoil_text(folder / "policy.csv")
    with pytest.raises(BadPolicy):
        Access(folder)
