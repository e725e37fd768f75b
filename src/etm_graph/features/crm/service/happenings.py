"""What happened in the CRM, for those above who react in the same transaction."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountsChanged:
    """These accounts were created or changed."""

    account_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpportunitiesChanged:
    """These opportunities were created or changed."""

    opportunity_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UsersChanged:
    """These users were created, changed or deleted."""

    user_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CustomFieldDeleting:
    """A custom field is about to be deleted; whoever uses it raises `InUse`. Rules name it custom.<developer_name>."""

    object_type: str
    developer_name: str


@dataclass(frozen=True, slots=True)
class CalendarChanging:
    """Fiscal periods are about to change; whoever keeps something by them raises `InUse`.

    year: whether the year begins in another month; otherwise only the kind of period that forecasts are adjusted by
    changes.
    """

    year: bool


@dataclass(frozen=True, slots=True)
class RatesChanged:
    """These currencies are worth something else."""

    currencies: tuple[str, ...]
