"""Custom fields of the organisation."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.criteria import DataType
from etm_graph.core.errors import Conflict, InUse, Invalid, Taken
from etm_graph.core.names import check_developer_name, check_name
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.service.editing import begin, read_row
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
    if (data_type in PICKLISTS) != bool(picklist_values):
        raise Invalid("Picklists, and only they, have values to choose from.", field=["picklistValues"])
    columns = custom_field.c
    taken = select(columns.id).where(columns.object_type == object_type, columns.developer_name == developer_name)
    if await work.session.scalar(taken) is not None:
        raise Taken(f"{object_type} has a field {developer_name} already.", field=["developerName"])
    values = {
        "object_type": object_type,
        "developer_name": developer_name,
        "label": check_name(label, field="label"),
        "data_type": data_type.value,
        "picklist_values": list(picklist_values),
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
        values["label"] = check_name(str(values["label"]), field="label")
    if "picklist_values" in values and (DataType(row.data_type) in PICKLISTS) != bool(values["picklist_values"]):
        raise Invalid("Picklists, and only they, have values to choose from.", field=["picklistValues"])
    await work.session.execute(
        update(custom_field).where(custom_field.c.id == field_id).values(**values, version=row.version + 1)
    )
    return field_id


async def delete_custom_field(work: UnitOfWork, field_id: int) -> int:
    """Delete a field that no record holds a value in; returns its id. Raises `InUse`, `NotFound`, `Forbidden`."""
    await begin(work, Act.DELETE, Kind.ORGANISATION)
    row = await read_row(work, custom_field, "custom field", field_id)
    held = select(func.count()).select_from(account).where(account.c.custom.has_key(row.developer_name))
    count = int(await work.session.scalar(held))
    if count:
        raise InUse(f"{count} accounts hold a value in {row.label}; clear it there first.", field=["id"])
    await work.session.execute(delete(custom_field).where(custom_field.c.id == field_id))
    return field_id
