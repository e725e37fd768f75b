"""Which territory each opportunity rolls up to, in columns, and what changed about that since."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import BytesIO

import polars as pl
from sqlalchemy import text

from etm_graph.core.calendar import Period
from etm_graph.core.changes import CRM_STREAM, EntityType
from etm_graph.db.sessions import ReadSession
from etm_graph.features.crm import queries as crm

ALIGNED = {"id": pl.Int64, "territory_id": pl.Int64}


async def alignment(session: ReadSession, model_id: int, account_ids: Collection[int] | None = None) -> pl.DataFrame:
    """Opportunity and territory of a model whose alignment is stored, of some accounts or of all; loaded in bulk."""
    some = ""
    if account_ids is not None:
        listed = ",".join(str(int(account_id)) for account_id in account_ids) or "NULL"
        some = f"AND opportunity_id IN (SELECT id FROM opportunity WHERE account_id IN ({listed}))"
    found = await session.copy_out(
        "SELECT opportunity_id, territory_id FROM opportunity_alignment "
        f"WHERE model_id = {int(model_id)} AND territory_id IS NOT NULL {some}"
    )
    if not found:
        return pl.DataFrame(schema=ALIGNED)
    return pl.read_csv(BytesIO(found), has_header=False, new_columns=list(ALIGNED), schema=ALIGNED)


@dataclass(frozen=True, slots=True)
class Moved:
    """What may have changed about a model's opportunities. accounts: whose; None means that anybody's may have."""

    accounts: Sequence[int] | None
    deleted: Sequence[int]


async def moved_since(session: ReadSession, model_id: int, head: int, crm_seq: int) -> Moved:
    """Whose opportunities, or their territories, may have changed since two positions.

    A run that nothing in the CRM and no decision about one account has caused may have touched everybody.
    """
    accounts = set(await crm.accounts_changed_since(session, crm_seq))
    rows = await session.rows(
        text(
            "SELECT c.entity_type, c.entity_id, c.after ? 'last_run_at' AS ran, EXISTS (SELECT FROM change o "
            "WHERE o.change_set = c.change_set AND ((o.stream_id = :crm AND o.seq > :crm_seq) "
            "OR (o.stream_id = :model AND o.seq > :head AND o.entity_type IN ('ASSIGNMENT', 'EXCLUSION')))) AS caused "
            "FROM change c WHERE c.stream_id = :model AND c.seq > :head"
        ).bindparams(model=model_id, head=head, crm=CRM_STREAM, crm_seq=crm_seq)
    )
    decisions = {EntityType.ASSIGNMENT.value, EntityType.EXCLUSION.value}
    for row in rows:
        if row.entity_type in decisions:
            accounts.add(row.entity_id)
        elif (row.entity_type == EntityType.MODEL.value and row.ran and not row.caused) or row.entity_type in {
            EntityType.TERRITORY.value,
            EntityType.RULE.value,
            EntityType.TYPE_PRIORITY.value,
        }:
            return Moved(None, ())
    return Moved(sorted(accounts), await crm.deleted_deals(session, crm_seq))


async def owns_deals(session: ReadSession, model_id: int, territory_id: int, user_id: int, period: Period) -> bool:
    """Whether a person owns an opportunity that is aligned to a territory and closes in a period."""
    found = await session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM opportunity_alignment a JOIN opportunity o ON o.id = a.opportunity_id "
            "WHERE a.model_id = :model AND a.territory_id = :territory AND o.owner_id = :owner "
            "AND o.close_date BETWEEN :start AND :end)"
        ).bindparams(model=model_id, territory=territory_id, owner=user_id, start=period.start, end=period.end)
    )
    return bool(found)
