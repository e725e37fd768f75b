"""Use cases of the exchange with other systems."""

from etm_graph.features.exchange.service.importing import (
    ImportReport,
    Progress,
    import_accounts,
    import_opportunities,
    import_users,
)
from etm_graph.features.exchange.service.mapping import FileMapping, load_mapping
from etm_graph.features.exchange.service.reading import RowError

__all__ = [
    "FileMapping",
    "ImportReport",
    "Progress",
    "RowError",
    "import_accounts",
    "import_opportunities",
    "import_users",
    "load_mapping",
]
