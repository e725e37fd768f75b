"""The shipped policy: golden table, oracle, and what must hold for every combination of roles."""

from itertools import chain, combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access import oracle

from etm_graph.access.lint import OUTSIDE_MODELS
from etm_graph.access.snapshot import FILES, PolicySnapshot, default_policy_folder, format_truth_table, load_snapshot
from etm_graph.core.access import Act, Kind, Role, StateGroup

CELLS = list(product(Kind, StateGroup, Act, (False, True)))
ROLE_SETS = [frozenset(some) for some in chain.from_iterable(combinations(Role, n) for n in range(1, len(Role) + 1))]
SHIPPED = load_snapshot(default_policy_folder())
OWN, OTHERS = True, False
CHANGING = set(Act) - {Act.READ, Act.READ_MONEY, Act.CLONE, Act.RESTORE, Act.EXPORT}


def only(role: Role) -> frozenset[Role]:
    return frozenset({role})


def test_truth_table_is_the_golden_one() -> None:
    golden = (default_policy_folder() / "truth_table.csv").read_text(encoding="utf-8")
    assert format_truth_table(SHIPPED) == golden, "python -m etm_graph.access.snapshot > policies/truth_table.csv"


def test_golden_table_has_the_counted_cells() -> None:
    counts = dict.fromkeys(Role, 0)
    for role, *_ in SHIPPED.truth_table():
        counts[role] += 1
    assert len(CELLS) * len(Role) == 17_280
    assert counts == {
        Role.VIEWER: 20,
        Role.REP: 28,
        Role.PLANNER: 178,
        Role.MANAGER: 87,
        Role.FORECASTER: 41,
        Role.FORECAST_READER: 14,
        Role.ADMIN: 291,
        Role.AUDITOR: 99,
    }


@pytest.mark.parametrize("role", Role)
def test_every_cell_of_a_role_agrees_with_the_oracle(role: Role) -> None:
    wrong = [cell for cell in CELLS if SHIPPED.allowed(only(role), *cell) != oracle.allowed({role}, *cell)]
    assert wrong == []


@given(st.sets(st.sampled_from(Role), min_size=2), st.sampled_from(CELLS))
def test_combined_roles_agree_with_the_oracle(roles: set[Role], cell: tuple[Kind, StateGroup, Act, bool]) -> None:
    assert SHIPPED.allowed(frozenset(roles), *cell) == oracle.allowed(roles, *cell)


@given(st.sets(st.sampled_from(Role), min_size=1), st.sampled_from(Role), st.sampled_from(CELLS))
def test_a_further_role_takes_nothing_away(
    roles: set[Role], further: Role, cell: tuple[Kind, StateGroup, Act, bool]
) -> None:
    before = SHIPPED.allowed(frozenset(roles), *cell)
    assert SHIPPED.allowed(frozenset(roles | {further}), *cell) or not before


def test_no_combination_of_roles_changes_an_archived_model() -> None:
    inside = [kind for kind in Kind if kind not in OUTSIDE_MODELS]
    everybody = frozenset(Role)
    questions = product(inside, sorted(CHANGING), (False, True))
    assert [q for q in questions if SHIPPED.allowed(everybody, q[0], StateGroup.ARCHIVED, q[1], q[2])] == []
    assert len(ROLE_SETS) == 255
    assert not any(
        SHIPPED.allowed(roles, Kind.MODEL, StateGroup.ARCHIVED, Act.UPDATE, own)
        for roles, own in product(ROLE_SETS, (False, True))
    )


def test_nobody_edits_the_comments_of_others() -> None:
    assert not any(SHIPPED.allowed(frozenset(Role), Kind.THREAD, state, Act.UPDATE, OTHERS) for state in StateGroup)


def test_an_administrator_deletes_the_comments_of_others() -> None:
    assert SHIPPED.allowed(only(Role.ADMIN), Kind.THREAD, StateGroup.ACTIVE, Act.DELETE, OTHERS)
    assert not SHIPPED.allowed(only(Role.PLANNER), Kind.THREAD, StateGroup.ACTIVE, Act.DELETE, OTHERS)


def test_only_an_administrator_activates() -> None:
    assert SHIPPED.roles_allowing(Kind.MODEL, StateGroup.PLANNING, Act.ACTIVATE) == (Role.ADMIN,)
    assert SHIPPED.roles_allowing(Kind.MODEL, StateGroup.TRANSITION, Act.ACTIVATE) == (Role.ADMIN,)


def test_money_of_the_crm_is_for_four_roles() -> None:
    roles = SHIPPED.roles_allowing(Kind.CRM, StateGroup.ACTIVE, Act.READ_MONEY)
    assert roles == (Role.PLANNER, Role.MANAGER, Role.FORECASTER, Role.ADMIN)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REP, Role.AUDITOR])
def test_some_roles_see_no_money_anywhere(role: Role) -> None:
    assert not any(
        SHIPPED.allowed(only(role), k, s, Act.READ_MONEY, own) for k, s, own in product(Kind, StateGroup, (False, True))
    )


def test_without_roles_nothing_is_allowed() -> None:
    assert not any(SHIPPED.allowed(frozenset(), *cell) for cell in CELLS)


def test_explain_names_the_row_that_allows() -> None:
    decision = SHIPPED.explain(only(Role.VIEWER), Kind.MODEL, StateGroup.ACTIVE, Act.READ, OTHERS)
    assert decision.allowed
    assert decision.row == ("viewer", "model", "active", "read", "any", "allow")


def test_explain_names_the_row_that_denies() -> None:
    decision = SHIPPED.explain(only(Role.ADMIN), Kind.MODEL, StateGroup.ARCHIVED, Act.UPDATE, OWN)
    assert not decision.allowed
    assert decision.row == ("everyone", "model", "archived", "update", "any", "deny")


def test_explain_names_no_row_when_none_matches() -> None:
    decision = SHIPPED.explain(only(Role.VIEWER), Kind.AUDIT, StateGroup.ACTIVE, Act.GRANT, OTHERS)
    assert (decision.allowed, decision.row) == (False, ())


@pytest.mark.parametrize("position", range(4))
def test_a_word_outside_the_vocabulary_is_an_error(position: int) -> None:
    question: list[object] = [only(Role.VIEWER), Kind.MODEL, StateGroup.ACTIVE, Act.READ, OTHERS]
    question[position] = frozenset({"owner"}) if position == 0 else "no such word"
    with pytest.raises(ValueError, match="is not a valid"):
        SHIPPED.allowed(*question)  # type: ignore[arg-type]


def test_version_is_that_of_the_files() -> None:
    folder = default_policy_folder()
    texts = [(folder / name).read_text(encoding="utf-8") for name in FILES]
    assert PolicySnapshot(*texts).version == SHIPPED.version
    assert (
        PolicySnapshot(texts[0], texts[1] + "p, viewer, export, active, read, any, allow\n", texts[2]).version
        != SHIPPED.version
    )
    assert len(SHIPPED.version) == 12
