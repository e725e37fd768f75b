"""Starting a server process: its database, its secret, its log, its sockets."""

import asyncio
import logging
import os
import secrets
import signal
import sys
from datetime import timedelta
from functools import partial

import structlog
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from sqlalchemy.engine import make_url
from structlog.typing import Processor

from etm_graph.app import Process, make_app, make_process, token_config
from etm_graph.core.access import Role
from etm_graph.db.embedded import start_embedded
from etm_graph.db.migrate import migrate
from etm_graph.demo.load import is_new, load_demo
from etm_graph.demo.records import Sizes
from etm_graph.features.alignment.service import Engine, run_model
from etm_graph.features.crm.queries import find_user
from etm_graph.features.governance.service import GrantScope, grant_role, make_key
from etm_graph.identity.principal import SYSTEM
from etm_graph.identity.tokens import mint_development_token
from etm_graph.importing import ImportRequest, print_report, run_import
from etm_graph.settings import Mode, Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class ConfigurationError(ValueError):
    """The process must not start like this."""


def configure_logs() -> None:
    """Structured logs as JSON lines on standard error, the standard library's included."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in ("alembic", "casbin", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Strawberry logs every refusal as an error; faults are logged where they are masked (graphql/execution.py).
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)


def check_settings(settings: Settings) -> None:
    """Refuse to serve others without authentication; raises `ConfigurationError`."""
    if settings.mode is Mode.DEVELOPMENT and settings.host not in LOOPBACK:
        raise ConfigurationError(
            f"Without configured authentication the server binds to 127.0.0.1 only, not to {settings.host}: "
            "set ETM_JWT_ISSUER and ETM_JWT_PUBLIC_KEY or ETM_JWT_JWKS_URL."
        )


def database_url(settings: Settings) -> str:
    """The configured database, or the embedded one, started."""
    return settings.database_url or start_embedded(settings.data_dir.resolve() / "postgres")


def dev_secret(settings: Settings) -> str | None:
    """The key of development tokens, kept in the data folder; None in production."""
    if settings.mode is Mode.PRODUCTION:
        return None
    if settings.dev_secret is not None:
        return settings.dev_secret.get_secret_value()
    kept = settings.data_dir / "dev_secret"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        try:
            kept.hardlink_to(fresh)
        except FileExistsError:
            pass  # another process was first; its secret counts
        finally:
            fresh.unlink()
    return kept.read_text()


def development_token(settings: Settings, user: str, life: timedelta) -> str:
    """A bearer token; raises `ValueError` in production."""
    return mint_development_token(token_config(settings, dev_secret(settings)), user, life)


async def prepare(url: str) -> None:
    """Bring the database to the newest schema."""
    await migrate(url)


async def load_demo_company(settings: Settings, url: str, console: Console, sizes: Sizes) -> bool:
    """Load the demo company with a progress bar; False, with nothing touched, when the database is not new."""
    patient = settings.model_copy(update={"statement_timeout_ms": 0})
    process = make_process(patient, url, dev_secret(settings))
    try:
        if not await is_new(process.database):
            return False
        with RichProgress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        ) as bars:
            tasks: dict[str, TaskID] = {}

            def progress(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done)

            await load_demo(process.database, sizes, partial(run_as_system, process), progress)
        return True
    finally:
        await process.database.close()


async def run_as_system(process: Process, model_id: int) -> None:
    """A full run of a model whose assignments are stored."""
    async with process.writer.unit_of_work(SYSTEM) as work:
        await run_model(work, process.services.get(Engine), model_id)


async def give_role(settings: Settings, url: str, user: str, role: Role, path: str) -> None:
    """Give a user a role on the organisation or below a path.

    Raises `ValueError` for an unknown user, `Invalid`, `Taken`.
    """
    process = make_process(settings, url, dev_secret(settings))
    try:
        async with process.writer.unit_of_work(SYSTEM) as work:
            found = await find_user(work.session, user)
            if found is None:
                raise ValueError(f"There is no user {user}.")
            await grant_role(work, found.id, role, GrantScope(path=path))
    finally:
        await process.database.close()


async def new_api_key(settings: Settings, url: str, user: str, name: str, days: int) -> str:
    """A new API key of a user, to be shown once. Raises `ValueError` for an unknown user, `Invalid`."""
    process = make_process(settings, url, dev_secret(settings))
    try:
        async with process.writer.unit_of_work(SYSTEM) as work:
            found = await find_user(work.session, user)
            if found is None:
                raise ValueError(f"There is no user {user}.")
            environment = "dev" if settings.mode is Mode.DEVELOPMENT else "live"
            return (await make_key(work, found.id, name, days=days, environment=environment)).secret
    finally:
        await process.database.close()


async def import_file(settings: Settings, url: str, request: ImportRequest, console: Console) -> bool:
    """Import a file and print the report; True when every row was good. Raises `Invalid` for an unusable file."""
    patient = settings.model_copy(update={"statement_timeout_ms": 0})
    process = make_process(patient, url, dev_secret(settings))
    try:
        report = await run_import(process, request, console)
    finally:
        await process.database.close()
    print_report(report, request, console)
    return not report.errors


class _Server(uvicorn.Server):
    """Asks sockets and event streams to come back elsewhere before it stops."""

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # the list is only passed on
        """Drain, then stop."""
        app = self.config.app
        app.state.drain()  # type: ignore[union-attr]  # the application that serve() gives
        await super().shutdown(sockets)  # type: ignore[arg-type]  # as above


async def _work(settings: Settings, url: str) -> None:
    process = make_process(settings.model_copy(update={"jobs_here": True}), url, dev_secret(settings))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await process.start()
    try:
        await stopped.wait()
    finally:
        await process.stop()


def work(settings: Settings, console: Console) -> None:
    """Run jobs, and nothing else, until a signal ends the process; one in the middle of a job leaves it to another."""
    configure_logs()
    url = database_url(settings)
    asyncio.run(prepare(url))
    console.print("[bold]etm-graph[/bold] runs jobs.")
    asyncio.run(_work(settings, url))


def serve(settings: Settings, console: Console, *, with_demo: bool) -> None:
    """Serve until a signal ends the process. Raises `ConfigurationError`."""
    check_settings(settings)
    configure_logs()
    url = database_url(settings)
    asyncio.run(prepare(url))
    if with_demo and asyncio.run(load_demo_company(settings, url, console, Sizes())):
        console.print("The demo company Northwind Industries is loaded.")
    app = make_app(settings, url, dev_secret(settings))
    where = f"http://{settings.host}:{settings.port}/graphql"
    console.print(f"\n[bold]etm-graph[/bold] serves at {where} (PostgreSQL: {make_url(url).render_as_string()})")
    if settings.mode is Mode.DEVELOPMENT:
        console.print("Development: sign in with the header that this prints:")
        console.print("  etm-graph token --user planner   (also admin, viewer, manager, forecaster, auditor …)\n")
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            ws_max_size=settings.message_bytes_max,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=int(settings.drain_s),
            server_header=False,
        )
    )
    server.run()
