"""Users and the management hierarchy."""

from collections.abc import Mapping

from sqlalchemy import func, insert, select, update

from etm_graph.core.access import Act, Kind
from etm_graph.core.changes import CRM_STREAM, ChangeDraft, ChangeKind, EntityType
from etm_graph.core.errors import Cycle, InUse, Invalid, NotFound, Taken
from etm_graph.events.unit_of_work import UnitOfWork
from etm_graph.features.crm.service.checking import check_plain, check_time_zone
from etm_graph.features.crm.service.editing import begin, delete_unused, edit, read_row, require_unchanged
from etm_graph.features.crm.service.happenings import UsersChanged
from etm_graph.features.crm.tables import account, app_user, opportunity

USER_NAME_CHARACTERS_MAX = 80
_REQUIRED = frozenset({"name", "email", "time_zone", "locale", "active", "suspended"})


async def _check_manager(work: UnitOfWork, user_id: int | None, manager_id: object) -> None:
    """Pass when the manager exists and does not report, directly or not, to the user."""
    reports_to = {
        row.id: row.manager_id for row in await work.session.rows(select(app_user.c.id, app_user.c.manager_id))
    }
    if manager_id not in reports_to:
        raise NotFound("There is no such manager.", field=["managerId"])
    above: object = manager_id
    while above is not None:
        if above == user_id:
            raise Cycle("The manager reports to this user already.", field=["managerId"])
        above = reports_to[above]


def _checked(wanted: Mapping[str, object]) -> dict[str, object]:
    values = check_plain(wanted, _REQUIRED)
    if "email" in values and "@" not in str(values["email"]):
        raise Invalid(f"{values['email']!r} is no e-mail address.", field=["email"])
    check_time_zone(values)
    return values


async def create_user(work: UnitOfWork, user_name: str, wanted: Mapping[str, object]) -> int:
    """Create a user, who has no role yet; returns the id. Raises `Taken`, `Invalid`, `NotFound`, `Forbidden`."""
    await begin(work, Act.CREATE, Kind.ORGANISATION)
    user_name = user_name.strip()
    if not 0 < len(user_name) <= USER_NAME_CHARACTERS_MAX or "\x00" in user_name:
        raise Invalid(f"A user name has 1 to {USER_NAME_CHARACTERS_MAX} characters.", field=["userName"])
    if await work.session.scalar(select(app_user.c.id).where(app_user.c.user_name == user_name)) is not None:
        raise Taken(f"There is a user {user_name} already.", field=["userName"])
    values = _checked(wanted)
    if values.get("manager_id") is not None:
        await _check_manager(work, None, values["manager_id"])
    defaults = {"time_zone": "UTC", "locale": "en-GB", "active": True, "suspended": False}
    row = {**defaults, **values, "user_name": user_name}
    user_id = int(await work.session.scalar(insert(app_user).values(**row, version=0).returning(app_user.c.id)))
    draft = ChangeDraft(EntityType.USER, ChangeKind.CREATED, user_id, user_name, after=row)
    seq = work.record(CRM_STREAM, draft)
    await work.session.execute(update(app_user).where(app_user.c.id == user_id).values(version=seq))
    await work.announce(UsersChanged((user_id,)))
    return user_id


async def provision_user(work: UnitOfWork, user_name: str, subject: str, name: str | None, email: str | None) -> int:
    """Make the user of a token seen for the first time, without roles, bound to its `sub`; returns the id.

    Raises `Taken` when the user name is somebody else's, `Invalid`.
    """
    values = {"name": name or user_name, "email": email if email and "@" in email else f"{user_name}@unknown.invalid"}
    user_id = await create_user(work, user_name, values)
    await work.session.execute(update(app_user).where(app_user.c.id == user_id).values(subject=subject))
    return user_id


async def update_user(work: UnitOfWork, user_id: int, expected_version: int, wanted: Mapping[str, object]) -> int:
    """Change a user, also who is above in the management hierarchy; returns the id. Raises `Conflict`, `Cycle`."""
    await begin(work, Act.UPDATE, Kind.ORGANISATION)
    row = await read_row(work, app_user, "user", user_id)
    values = _checked(wanted)
    if values.get("manager_id") is not None:
        await _check_manager(work, user_id, values["manager_id"])
    if await edit(work, app_user, EntityType.USER, row, row.user_name, values, expected_version):
        await work.announce(UsersChanged((user_id,)))
    return user_id


async def delete_user(work: UnitOfWork, user_id: int, expected_version: int | None = None) -> int:
    """Delete a user whom nothing refers to; returns the id.

    Raises `InUse` with what refers to the user, `Conflict` when the user changed since `expected_version`, `NotFound`.
    """
    await begin(work, Act.DELETE, Kind.ORGANISATION)
    row = await read_row(work, app_user, "user", user_id)
    require_unchanged(row, expected_version)
    refusal = f"{row.name} cannot be deleted; set active to false instead."
    await _require_unused(work, user_id, refusal)
    await delete_unused(work, app_user, user_id, refusal)
    work.record(
        CRM_STREAM, ChangeDraft(EntityType.USER, ChangeKind.DELETED, user_id, row.user_name, before={"name": row.name})
    )
    await work.announce(UsersChanged((user_id,)))
    return user_id


async def _require_unused(work: UnitOfWork, user_id: int, refusal: str) -> None:
    uses = []
    for what, column in (
        ("owner of {} accounts", account.c.owner_id),
        ("owner of {} opportunities", opportunity.c.owner_id),
        ("manager of {} users", app_user.c.manager_id),
    ):
        count = int(await work.session.scalar(select(func.count()).where(column == user_id)))
        if count:
            uses.append(what.format(count))
    if uses:
        raise InUse(f"{refusal} It is {', '.join(uses)}.", field=["id"])
