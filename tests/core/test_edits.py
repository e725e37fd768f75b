"""Merging an edit with what others did meanwhile."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from etm_graph.core.changes import Change, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.edits import merge_edit
from etm_graph.core.errors import Conflict, FieldConflict, Invalid


def later(seq: int, before: dict[str, object], after: dict[str, object]) -> Change:
    draft = ChangeDraft(EntityType.TERRITORY, ChangeKind.UPDATED, 1, "T", "/T/", before, after)
    return Change(1, seq, uuid4(), datetime(2026, 1, 1, tzinfo=UTC), 7, None, draft)


def test_an_edit_of_the_current_version_is_taken_as_it_is() -> None:
    edit = merge_edit({"name": "A", "type": 1}, {"name": "B", "type": 1}, version=5, expected_version=5, later=[])
    assert (edit.before, edit.after) == ({"name": "A"}, {"name": "B"})


def test_edits_of_different_fields_merge() -> None:
    current = {"name": "Theirs", "description": "old"}
    since = [later(6, {"name": "Base"}, {"name": "Theirs"})]
    edit = merge_edit(current, {"description": "mine"}, version=6, expected_version=5, later=since)
    assert edit.after == {"description": "mine"}


def test_the_same_field_is_a_conflict_with_base_theirs_and_yours() -> None:
    since = [later(6, {"name": "Base"}, {"name": "Between"}), later(7, {"name": "Between"}, {"name": "Theirs"})]
    with pytest.raises(Conflict) as caught:
        merge_edit({"name": "Theirs"}, {"name": "Mine"}, version=7, expected_version=5, later=since)
    assert caught.value.details["conflicts"] == [FieldConflict("name", "Base", "Theirs", "Mine")]
    assert caught.value.details["by"] == [{"userId": 7, "at": "2026-01-01T00:00:00+00:00", "sequence": 7}]


def test_setting_what_somebody_set_already_is_no_change() -> None:
    since = [later(6, {"name": "Base"}, {"name": "Same"})]
    assert merge_edit({"name": "Same"}, {"name": "Same"}, version=6, expected_version=5, later=since).is_empty


def test_a_version_from_the_future_is_refused() -> None:
    with pytest.raises(Invalid):
        merge_edit({"name": "A"}, {"name": "B"}, version=5, expected_version=6, later=[])
