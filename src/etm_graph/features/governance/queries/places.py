"""Where objects stand for access, and which territories and members lead to a record, whoever asks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from etm_graph.core.access import ORGANISATION_PATH, Kind, StateGroup
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.core.record_access import Member, RecordKind, RecordTerritory
from etm_graph.db.sessions import ReadSession
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.models import queries as models
from etm_graph.features.rules import queries as rules
from etm_graph.features.territories import queries as territories
from etm_graph.features.threads import queries as threads


@dataclass(frozen=True, slots=True)
class Place:
    """What a decision about an object is made by. state None: it belongs to no model."""

    kind: Kind
    state: StateGroup | None = None
    model_id: int | None = None
    path: str = ORGANISATION_PATH
    owner_id: int | None = None


OUTSIDE: Mapping[str, Kind] = {
    "Account": Kind.CRM,
    "Opportunity": Kind.CRM,
    "User": Kind.ORGANISATION,
    "CustomField": Kind.ORGANISATION,
    "TerritoryType": Kind.ORGANISATION,
}
"""Types whose objects belong to no model."""

_Spot = tuple[int, int, str | None, int | None]
"""An object's id, its model, its path, its owner."""


async def _spots(session: ReadSession, type_name: str, ids: Collection[int]) -> tuple[Kind, Sequence[_Spot]]:
    if type_name == "Territory":
        return Kind.TERRITORY, [(r.id, r.model_id, r.path, None) for r in await territories.places_of(session, ids)]
    if type_name == "AssignmentRule":
        return Kind.RULE, [(r.id, r.model_id, None, None) for r in await rules.places_of(session, ids)]
    if type_name == "TerritoryMembership":
        rows = await territories.places_of_members(session, ids)
        return Kind.MEMBERSHIP, [(r.id, r.model_id, r.path, None) for r in rows]
    if type_name == "Thread":
        rows = await threads.places_of_threads(session, ids)
        return Kind.THREAD, [(r.id, r.model_id, r.path, r.created_by) for r in rows]
    if type_name == "Comment":
        rows = await threads.places_of_comments(session, ids)
        return Kind.THREAD, [(r.id, r.model_id, r.path, r.author_id) for r in rows]
    return Kind.MODEL, [(number, number, None, None) for number in ids] if type_name == "TerritoryModel" else []


async def places(session: ReadSession, type_name: str, ids: Collection[int]) -> dict[int, Place]:
    """Where objects of a type stand, by id; unknown ones are absent."""
    if type_name in OUTSIDE:
        return {number: Place(OUTSIDE[type_name]) for number in ids}
    kind, spots = await _spots(session, type_name, ids)
    found = {row.id: row for row in await models.standings(session, {model_id for _, model_id, _, _ in spots})}
    return {
        number: Place(
            kind,
            GROUP_OF[ModelState(found[model_id].state)],
            model_id,
            path or ORGANISATION_PATH,
            found[model_id].created_by if kind is Kind.MODEL else owner_id,
        )
        for number, model_id, path, owner_id in spots
        if model_id in found
    }


async def record_territories(
    session: ReadSession, model_id: int, account_id: int, opportunity_id: int | None
) -> list[RecordTerritory]:
    """The territories that a record is in: its account's, and the one that an opportunity rolls up to."""
    ids = set((await alignment.territories_of_accounts(session, model_id, {account_id})).get(account_id, ()))
    if opportunity_id is not None:
        aligned = (await alignment.alignments_of(session, model_id, {opportunity_id})).get(opportunity_id)
        ids |= set() if aligned is None or aligned.territory_id is None else {aligned.territory_id}
    return [
        RecordTerritory(
            row.id,
            row.path,
            {
                RecordKind.ACCOUNT: row.account_access,
                RecordKind.OPPORTUNITY: row.opportunity_access,
                RecordKind.CONTACT: row.contact_access,
                RecordKind.CASE: row.case_access,
            },
        )
        for row in await territories.levels_of(session, ids)
    ]


async def members_leading_to(
    session: ReadSession, model_id: int, places: Sequence[RecordTerritory], today: date
) -> list[Member]:
    """The members, today, of those territories and of all above them."""
    rows = await territories.members_above(session, model_id, {place.path for place in places}, today)
    return [Member(row.user_id, row.territory_id, row.path) for row in rows]
