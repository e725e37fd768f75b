"""Use cases of the CRM."""

from etm_graph.features.crm.service.bulk import (
    ABOVE,
    Loaded,
    link_accounts,
    link_users,
    load_accounts,
    load_opportunities,
    load_users,
)
from etm_graph.features.crm.service.checking import custom_value
from etm_graph.features.crm.service.fields import create_custom_field, delete_custom_field, update_custom_field
from etm_graph.features.crm.service.happenings import (
    AccountsChanged,
    CalendarChanging,
    CustomFieldDeleting,
    OpportunitiesChanged,
    RatesChanged,
    UsersChanged,
)
from etm_graph.features.crm.service.organisation import (
    create_rate,
    delete_rate,
    load_rates,
    update_organisation,
    update_rate,
)
from etm_graph.features.crm.service.records import (
    create_account,
    create_opportunity,
    delete_record,
    update_account,
    update_opportunity,
)
from etm_graph.features.crm.service.users import create_user, delete_user, provision_user, update_user

__all__ = [
    "ABOVE",
    "AccountsChanged",
    "CalendarChanging",
    "CustomFieldDeleting",
    "Loaded",
    "OpportunitiesChanged",
    "RatesChanged",
    "UsersChanged",
    "create_account",
    "create_custom_field",
    "create_opportunity",
    "create_rate",
    "create_user",
    "custom_value",
    "delete_custom_field",
    "delete_rate",
    "delete_record",
    "delete_user",
    "link_accounts",
    "link_users",
    "load_accounts",
    "load_opportunities",
    "load_rates",
    "load_users",
    "provision_user",
    "update_account",
    "update_custom_field",
    "update_opportunity",
    "update_organisation",
    "update_rate",
    "update_user",
]
