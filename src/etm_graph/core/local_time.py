"""Moments that people name by the clock on their wall."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from etm_graph.core.errors import Invalid


def moment_of(local: str, time_zone: str) -> datetime:
    """The moment, in UTC, at which clocks of a time zone show `local`, such as 2027-01-01T00:00.

    When clocks show it twice it is the first time. Raises `Invalid` for what no clock there shows.
    """
    try:
        plain = datetime.fromisoformat(local)
    except ValueError as error:
        raise Invalid(f"{local!r} is no date and time such as 2027-01-01T00:00.", field=["at"]) from error
    if plain.tzinfo is not None:
        raise Invalid(f"Leave the offset of {local} out; the organisation's time zone is {time_zone}.", field=["at"])
    zone = ZoneInfo(time_zone)
    moment = plain.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != plain:
        raise Invalid(f"Clocks in {time_zone} skip {local}; choose another time.", field=["at"])
    return moment
