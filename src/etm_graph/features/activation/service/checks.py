"""The checks that need nothing but structure, rules and assignments."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from etm_graph.core.hierarchy import ancestor_paths
from etm_graph.features.activation.service.preflight import Check, Examined, Subject
from etm_graph.features.alignment import queries as alignment
from etm_graph.features.crm import queries as crm
from etm_graph.features.territories import queries as territories


async def _no_territories(examined: Examined) -> Sequence[Subject]:
    return [] if examined.nodes else [Subject("MODEL", "the model")]


async def _rules_in_error(examined: Examined) -> Sequence[Subject]:
    return [Subject(name, reason) for name, reason in examined.broken]


async def _without_accounts(examined: Examined) -> Sequence[Subject]:
    if examined.pairs is None:
        return []
    held = {examined.nodes[key].path for key in examined.pairs["territory_id"].unique() if key in examined.nodes}
    filled = held | {above for path in held for above in ancestor_paths(path)}
    return [examined.territory(row) for row in _in_order(examined) if row.path not in filled]


async def _without_members(examined: Examined) -> Sequence[Subject]:
    members = await territories.whole_memberships(examined.session, [examined.model_id])
    peopled = {row.territory_id for row in members}
    return [examined.territory(row) for row in _in_order(examined) if row.id not in peopled]


async def _without_manager(examined: Examined) -> Sequence[Subject]:
    return [examined.territory(row) for row in _in_order(examined) if row.forecast_manager_id is None]


async def _managers_not_active(examined: Examined) -> Sequence[Subject]:
    managers = {row.forecast_manager_id for row in examined.nodes.values() if row.forecast_manager_id is not None}
    found = await crm.users_by_id(examined.session, managers) if managers else {}
    away = {key for key, user in found.items() if not user.active or user.suspended}
    return [examined.territory(row) for row in _in_order(examined) if row.forecast_manager_id in away]


async def _accounts_that_lose_all(examined: Examined) -> Sequence[Subject]:
    if examined.pairs is None or examined.active_pairs is None:
        return []
    kept = set(examined.pairs["object_id"].unique())
    lost = sorted(set(examined.active_pairs["object_id"].unique()) - kept)
    return [Subject(str(account), str(account), account_id=account) for account in lost]


async def _frozen_without_successor(examined: Examined) -> Sequence[Subject]:
    if examined.active_pairs is None:
        return []
    frozen = set(await alignment.frozen_accounts(examined.session))
    names = {row.developer_name for row in examined.nodes.values()}
    found = []
    for account, territory_id in (
        examined.active_pairs.select("object_id", "territory_id").sort("object_id").iter_rows()
    ):
        if account in frozen and examined.active_nodes[territory_id].developer_name not in names:
            place = examined.active_nodes[territory_id]
            found.append(Subject(f"{place.developer_name}/{account}", place.name, place.path, account_id=account))
    return found


def _in_order(examined: Examined) -> Sequence[Row[Any]]:
    return sorted(examined.nodes.values(), key=lambda row: row.path)


CHECKS: tuple[Check, ...] = (
    Check("MODEL_WITHOUT_TERRITORIES", "The model has no territory.", _no_territories),
    Check("RULE_IN_ERROR", "Rules cannot be evaluated.", _rules_in_error),
    Check("TERRITORY_WITHOUT_ACCOUNTS", "Territories have no account, nor has anything below them.", _without_accounts),
    Check("TERRITORY_WITHOUT_MEMBERS", "Territories have no member.", _without_members),
    Check("TERRITORY_WITHOUT_MANAGER", "Territories have no forecast manager.", _without_manager),
    Check("MANAGER_NOT_ACTIVE", "Forecast managers cannot sign in.", _managers_not_active),
    Check("ACCOUNT_LOSES_ALL_TERRITORIES", "Accounts would have no territory any more.", _accounts_that_lose_all),
    Check(
        "FROZEN_WITHOUT_SUCCESSOR",
        "Frozen accounts are in territories that the draft does not have.",
        _frozen_without_successor,
    ),
)
"""In the order in which they are told."""
