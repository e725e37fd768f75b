"""Weights of the workload index: organisation-wide sets, of which each model uses one."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from etm_graph.core.access import Act, Kind
from etm_graph.core.criteria import DataType
from etm_graph.core.errors import InUse, Invalid, NotFound, Taken, WrongState
from etm_graph.core.lifecycle import ModelState
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm import queries as crm
from etm_graph.features.models import service as models
from etm_graph.features.reports.queries.kept import DEFAULT_WEIGHTS
from etm_graph.features.reports.tables import model_workload, workload_weights

MEASURES = ("accounts", "revenue", "pipeline", "effort")
WEIGHT_MAX = Decimal(10_000)


async def _check(work: UnitOfWork, values: Mapping[str, Any]) -> None:
    given = {name: values[name] for name in MEASURES}
    for name, weight in given.items():
        if not weight.is_finite() or not 0 <= weight <= WEIGHT_MAX:
            raise Invalid(f"A weight is from 0 to {WEIGHT_MAX}.", field=[name])
    if not any(given.values()):
        raise Invalid("At least one weight is above 0.", field=["accounts"])
    field = values.get("effort_field")
    if field is not None:
        known = await crm.account_fields(work.session)
        found = known.get(f"custom.{field}")
        if found is None or found.data_type is not DataType.NUMBER:
            raise Invalid(f"Accounts have no custom field {field!r} of numbers.", field=["effortField"])
    elif given["effort"]:
        raise Invalid("Effort is what accounts hold in a custom field; name it, or weigh effort 0.", field=["effort"])


async def create_weights(work: UnitOfWork, developer_name: str, wanted: Mapping[str, Any]) -> int:
    """Add a set of weights; returns its id. Raises `Taken`, `Invalid`, `Forbidden`."""
    work.viewer.require(Act.CREATE, Kind.ORGANISATION)
    check_developer_name(developer_name)
    taken = select(workload_weights.c.id).where(workload_weights.c.developer_name == developer_name)
    if await work.session.scalar(taken) is not None:
        raise Taken(f"There are weights {developer_name} already.", field=["developerName"])
    await _check(work, wanted)
    values = {**wanted, "name": check_name(str(wanted["name"])), "developer_name": developer_name, "version": 1}
    return int(await work.session.scalar(insert(workload_weights).values(**values).returning(workload_weights.c.id)))


async def _locked(work: UnitOfWork, weights_id: int) -> Row[Any]:
    row = await work.session.row(select(workload_weights).where(workload_weights.c.id == weights_id).with_for_update())
    if row is None:
        raise NotFound("There are no such weights.", field=["id"])
    return row


async def update_weights(work: UnitOfWork, weights_id: int, expected_version: int, wanted: Mapping[str, Any]) -> int:
    """Change weights or their name; every model that uses them follows. Raises `Conflict`, `Invalid`, `Forbidden`."""
    work.viewer.require(Act.UPDATE, Kind.ORGANISATION)
    row = await _locked(work, weights_id)
    models.require_same_version(f"The weights {row.developer_name}", row.version, expected_version)
    values = dict(wanted)
    if "name" in values:
        values["name"] = check_name(str(values["name"]))
    await _check(work, {**row._mapping, **values})
    await work.session.execute(
        update(workload_weights).where(workload_weights.c.id == weights_id).values(**values, version=row.version + 1)
    )
    return weights_id


async def delete_weights(work: UnitOfWork, weights_id: int, expected_version: int | None = None) -> int:
    """Delete weights that no model uses; returns their id. Raises `InUse`, `Conflict`, `NotFound`, `Forbidden`."""
    work.viewer.require(Act.DELETE, Kind.ORGANISATION)
    row = await _locked(work, weights_id)
    if expected_version is not None:
        models.require_same_version(f"The weights {row.developer_name}", row.version, expected_version)
    used = select(func.count()).select_from(model_workload).where(model_workload.c.weights_id == weights_id)
    count = int(await work.session.scalar(used))
    if count:
        raise InUse(f"{count} models use the weights {row.developer_name}; choose others for them first.", field=["id"])
    if row.developer_name == DEFAULT_WEIGHTS:
        raise InUse(f"{DEFAULT_WEIGHTS} are the weights of models that choose none; they stay.", field=["id"])
    await work.session.execute(delete(workload_weights).where(workload_weights.c.id == weights_id))
    return weights_id


async def choose_weights(work: UnitOfWork, model_id: int, weights_id: int) -> int:
    """Let a model use a set of weights; returns the model's id. Raises `NotFound`, `WrongState`, `Forbidden`."""
    model = await models.lock_model(work, model_id)
    if model.state not in {ModelState.PLANNING, ModelState.ACTIVE}:
        raise WrongState(f"{model.name} is {model.state}; weights are chosen in PLANNING and ACTIVE.")
    if model.state is ModelState.PLANNING:
        models.authorise(work, model, Act.UPDATE, Kind.MODEL, own=model.created_by == work.principal.user_id)
    else:
        work.viewer.require(Act.UPDATE, Kind.ORGANISATION)
    await _locked(work, weights_id)
    chosen = upsert(model_workload).values(model_id=model_id, weights_id=weights_id)
    await work.session.execute(
        chosen.on_conflict_do_update(index_elements=["model_id"], set_={"weights_id": weights_id})
    )
    return model_id


async def refuse_effort_field(work: UnitOfWork, developer_name: str) -> None:
    """Raise `InUse` when weights count effort by this custom field."""
    columns = workload_weights.c
    row = await work.session.row(select(columns.developer_name).where(columns.effort_field == developer_name))
    if row is not None:
        raise InUse(f"The weights {row.developer_name} count effort by this field.", field=["id"])
