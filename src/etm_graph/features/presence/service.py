"""Coming, staying, moving and leaving. Nothing of it is a change of the model."""

from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from etm_graph.access.viewer import Viewer
from etm_graph.core.access import ORGANISATION_PATH, Act, Kind
from etm_graph.core.errors import Invalid, NotFound
from etm_graph.core.lifecycle import GROUP_OF, ModelState
from etm_graph.db.sessions import WriteSession
from etm_graph.features.models.queries import models_by_id
from etm_graph.features.presence.tables import presence
from etm_graph.features.rules import queries as rules
from etm_graph.features.territories import queries as territories

LIFE = timedelta(seconds=8)
"""How long a client counts as present after it was last heard of."""

HEARTBEAT = timedelta(seconds=3)
"""How often a client should be heard of."""

CLIENT_ID_CHARACTERS_MAX = 64
FIELD_CHARACTERS_MAX = 80

Place = tuple[str, int]
"""What a client is at: an entity's type name (Territory, AssignmentRule) and number."""


def _check(client_id: str, field: str | None) -> None:
    if not 0 < len(client_id) <= CLIENT_ID_CHARACTERS_MAX:
        raise Invalid(f"A client id has 1 to {CLIENT_ID_CHARACTERS_MAX} characters.", field=["clientId"])
    if field is not None and len(field) > FIELD_CHARACTERS_MAX:
        raise Invalid(f"A field's name has at most {FIELD_CHARACTERS_MAX} characters.", field=["field"])


async def _path_of(session: WriteSession, viewer: Viewer, model_id: int, place: Place) -> str | None:
    """Where a thing of the model is; raises `NotFound` for what is not there or not readable."""
    entity, number = place
    missing = NotFound(f"There is no such {entity} in this model.", field=["entityId"])
    if entity == "Territory":
        row = next(iter(await territories.places_of(session, [number])), None)
        kind, path = Kind.TERRITORY, None if row is None else str(row.path)
    elif entity == "AssignmentRule":
        row = next(iter(await rules.places_of(session, [number])), None)
        kind, path = Kind.RULE, None
    else:
        raise missing
    model = (await models_by_id(session, viewer, [model_id]))[model_id]
    group = GROUP_OF[ModelState(model.state)]
    if row is None or row.model_id != model_id:
        raise missing
    if not viewer.may(Act.READ, kind, state=group, model_id=model_id, path=path or ORGANISATION_PATH):
        raise missing
    return path


async def heartbeat(
    session: WriteSession,
    viewer: Viewer,
    model_id: int,
    client_id: str,
    *,
    place: Place | None = None,
    field: str | None = None,
    editing: bool = False,
) -> None:
    """Note that a client is in a model, and what it is at. Raises `NotFound` for what may not be read, `Invalid`."""
    _check(client_id, field)
    if model_id not in await models_by_id(session, viewer, [model_id]):
        raise NotFound("There is no such model.", field=["modelId"])
    path = None if place is None else await _path_of(session, viewer, model_id, place)
    now = func.clock_timestamp()
    entity, entity_id = place or (None, None)
    values = {"expires_at": now + LIFE, "entity": entity, "entity_id": entity_id, "field": field}
    values |= {"path": path, "editing": editing and place is not None}
    columns = presence.c
    await session.execute(
        insert(presence)
        .values(model_id=model_id, user_id=viewer.principal.user_id, client_id=client_id, since=now, **values)
        .on_conflict_do_update(index_elements=[columns.model_id, columns.user_id, columns.client_id], set_=values)
    )


async def leave(session: WriteSession, viewer: Viewer, model_id: int, client_id: str) -> None:
    """Note that a client has left; one that was not there has, too."""
    columns = presence.c
    await session.execute(
        delete(presence).where(
            columns.model_id == model_id,
            columns.user_id == viewer.principal.user_id,
            columns.client_id == client_id,
        )
    )
