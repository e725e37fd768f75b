"""Custom fields of the organisation."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.criteria import DataType
from etm_graph.core.errors import Conflict, InUse, Invalid, Taken
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.service.editing import begin, read_row, require_unchanged
from etm_graph.features.crm.service.happenings import CustomFieldDeleting
from etm_graph.features.crm.tables import account, custom_field

OBJECT_TYPES = ("ACCOUNT",)
PICKLISTS = frozenset({DataType.PICKLIST, DataType.MULTI_PICKLIST})
DATA_TYPES = frozenset(DataType) - {DataType.POSTAL_CODE, DataType.LOCATION}


async def create_custom_field(
    work: UnitOfWork,
    object_type: str,
    developer_name: str,
    label: str,
    data_type: DataType,
    picklist_values: Sequence[str] = (),
) -> int:
    """Add a field to an object type; returns its id. Raises `Taken`, `Invalid`, `Forbidden`."""
    await begin(work, Act.CREATE, Kind.ORGANISATION)
    check_developer_name(developer_name)
    if object_type not in OBJECT_TYPES:
        raise Invalid(f"An object type is one of {', '.join(OBJECT_TYPES)}.", field=["objectType"])
    if data_type not in DATA_TYPES:
        raise Invalid(f"A custom field is one of {', '.join(sorted(DATA_TYPES))}.", field=["dataType"])
    choices = _check_choices(data_type, picklist_values)
    columns = custom_field.c
    taken = select(columns.id).where(columns.object_type == object_type, columns.developer_name == developer_name)
    if await work.session.scalar(taken) is not None:
        raise Taken(f"{object_type} has a field {developer_name} already.", field=["developerName"])
    values = {
        "object_type": object_type,
        "developer_name": developer_name,
        "label": check_name(label, field="label"),
        "data_type": data_type.value,
        "picklist_values": choices,
        "version": 1,
    }
    return int(await work.session.scalar(insert(custom_field).values(**values).returning(columns.id)))


async def update_custom_field(
    work: UnitOfWork, field_id: int, expected_version: int, wanted: Mapping[str, object]
) -> int:
    """Change a field's label or picklist values; returns its id. Raises `Conflict`, `Invalid`, `Forbidden`."""
    await begin(work, Act.UPDATE, Kind.ORGANISATION)
    row = await read_row(work, custom_field, "custom field", field_id)
    if row.version != expected_version:
        raise Conflict(f"The field is at version {row.version} by now; read it again.", field=["expectedVersion"])
    values = dict(wanted)
    if "label" in values:
        values["label"] = check_name(str(values["label"] or ""), field="label")
    if "picklist_values" in values:
        values["picklist_values"] = await _checked_choices(work, row, values["picklist_values"])
    await work.session.execute(
        update(custom_field).where(custom_field.c.id == field_id).values(**values, version=row.version + 1)
    )
    return field_id


def _check_choices(data_type: DataType, choices: Sequence[str]) -> list[str]:
    if (data_type in PICKLISTS) != bool(choices):
        raise Invalid("Picklists, and only they, have values to choose from.", field=["picklistValues"])
    if len(set(choices)) != len(choices) or any(not choice.strip() or "\x00" in choice for choice in choices):
        raise Invalid("The values of a picklist are different and not blank.", field=["picklistValues"])
    return list(choices)


async def _checked_choices(work: UnitOfWork, row: Row[Any], wanted: object) -> list[str]:
    """The new choices. Raises `InUse` when accounts hold one that would go."""
    choices = _check_choices(DataType(row.data_type), wanted if isinstance(wanted, list) else [])
    held = account.c.custom[row.developer_name]
    for gone in sorted(set(row.picklist_values) - set(choices)):
        holds = or_(held.astext == gone, and_(func.jsonb_typeof(held) == "array", held.has_key(gone)))
        count = int(await work.session.scalar(select(func.count()).select_from(account).where(holds)))
        if count:
            raise InUse(f"{count} accounts hold {gone!r} in {row.label}.", field=["picklistValues"])
    return choices


async def delete_custom_field(work: UnitOfWork, field_id: int, expected_version: int | None = None) -> int:
    """Delete a field that no account holds a value in and no rule names; returns its id.

    Raises `InUse`, also from those who react to `CustomFieldDeleting`, `NotFound`, `Forbidden`.
    """
    await begin(work, Act.DELETE, Kind.ORGANISATION)
    row = await read_row(work, custom_field, "custom field", field_id)
    require_unchanged(row, expected_version)
    held = select(func.count()).select_from(account).where(account.c.custom.has_key(row.developer_name))
    count = int(await work.session.scalar(held))
    if count:
        raise InUse(f"{count} accounts hold a value in {row.label}; clear it there first.", field=["id"])
    await work.announce(CustomFieldDeleting(row.object_type, row.developer_name))
    await work.session.execute(delete(custom_field).where(custom_field.c.id == field_id))
    return field_id
