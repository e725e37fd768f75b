"""The command line: arguments only; every command calls what does the work."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from etm_graph import serving
from etm_graph.access.sealing import parse_head
from etm_graph.api import print_schema
from etm_graph.auditing import export_audit, verify_audit
from etm_graph.core.access import Role
from etm_graph.core.errors import BusinessError, Invalid
from etm_graph.demo.records import Sizes
from etm_graph.importing import ImportRequest
from etm_graph.settings import Settings

main = typer.Typer(no_args_is_help=True, add_completion=False, help="Enterprise sales-territory management.")
console = Console()


@main.command()
def serve(
    demo: Annotated[bool, typer.Option(help="Load the demo company when the database is new.")] = False,
) -> None:
    """Start PostgreSQL when it is the embedded one, migrate, and serve HTTP and WebSocket."""
    serving.serve(Settings(), console, with_demo=demo)


@main.command()
def worker() -> None:
    """Run jobs, and nothing else; as many of these as you like share them."""
    serving.work(Settings(), console)


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = Settings()
    asyncio.run(serving.prepare(serving.database_url(settings)))
    console.print("The database is up to date.")


demo_commands = typer.Typer(no_args_is_help=True, help="The demo company.")
main.add_typer(demo_commands, name="demo")


@demo_commands.command("load")
def demo_load(
    accounts: Annotated[int, typer.Option(help="How many accounts; three opportunities each.", min=1_000)] = 20_000,
) -> None:
    """Load the demo company into a new database."""
    settings = Settings()
    url = serving.database_url(settings)
    asyncio.run(serving.prepare(url))
    sizes = Sizes(accounts, 3 * accounts)
    if not asyncio.run(serving.load_demo_company(settings, url, console, sizes)):
        console.print("[red]The database is not empty; nothing was loaded. Use another ETM_DATA_DIR.[/red]")
        raise typer.Exit(1)


class Importable(StrEnum):
    """What can be imported."""

    ACCOUNTS = "accounts"
    OPPORTUNITIES = "opportunities"
    USERS = "users"


@main.command("import")
def import_(
    kind: Annotated[Importable, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="A CSV export of a CRM.", exists=True, dir_okay=False)],
    mapping: Annotated[
        Path | None, typer.Option(help="JSON or TOML: which column fills which field.", exists=True, dir_okay=False)
    ] = None,
    people: Annotated[
        Path | None, typer.Option(help="An export of users, for owners given by id.", exists=True, dir_okay=False)
    ] = None,
    atomic: Annotated[bool, typer.Option(help="Load nothing when any row is bad.")] = False,
    errors: Annotated[Path | None, typer.Option(help="Write every bad row to this CSV file.")] = None,
) -> None:
    """Create and update records from a CRM export; territories follow at once."""
    settings = Settings()
    request = ImportRequest(kind.value, file, mapping, people, atomic, errors)
    try:
        url = serving.database_url(settings)
        good = asyncio.run(serving.import_file(settings, url, request, console))
    except Invalid as error:
        console.print(f"[red]{error.message}[/red]")
        raise typer.Exit(2) from error
    if not good:
        raise typer.Exit(1)


@main.command()
def grant(
    user: Annotated[str, typer.Option(help="User name.")],
    role: Annotated[Role, typer.Option(help="What the user is to be.")],
    path: Annotated[str, typer.Option(help="A territory's path, such as /Global/US/, or / for all.")] = "/",
) -> None:
    """Give a user a role on the organisation, or on a territory and what is below it in every model."""
    settings = Settings()
    try:
        asyncio.run(serving.give_role(settings, serving.database_url(settings), user, role, path))
    except (ValueError, BusinessError) as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"{user} is {role} on {path} now.")


@main.command("api-key")
def api_key(
    user: Annotated[str, typer.Option(help="User name whose rights the key has.")],
    name: Annotated[str, typer.Option(help="What the key is for.")],
    days: Annotated[int, typer.Option(help="How long the key is good.", min=1, max=365)] = 90,
) -> None:
    """Create an API key for a tool and print it, once."""
    settings = Settings()
    try:
        url = serving.database_url(settings)
        typer.echo(asyncio.run(serving.new_api_key(settings, url, user, name, days)))
    except (ValueError, BusinessError) as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error


audit_commands = typer.Typer(no_args_is_help=True, help="The audit: who did what, and what was refused.")
main.add_typer(audit_commands, name="audit")


@audit_commands.command("verify")
def audit_verify(
    head: Annotated[
        str | None, typer.Option(help="A head that you kept, as position:hash; it must still hold.")
    ] = None,
) -> None:
    """Check that no entry was changed, removed or slipped in since it was sealed."""
    try:
        kept = None if head is None else parse_head(head)
    except ValueError as error:
        console.print("[red]A head is written as position:hash, as this command prints it.[/red]")
        raise typer.Exit(2) from error
    report = asyncio.run(verify_audit(serving.database_url(Settings()), kept))
    for problem in report.problems:
        console.print(f"[red]{problem}[/red]")
    console.print(f"{report.entries} sealed entries; head {report.head}", soft_wrap=True)
    if report.problems:
        raise typer.Exit(1)
    console.print("The audit is whole. Keep the head elsewhere, so that a cut-off end is found, too.")


@audit_commands.command("export")
def audit_export(
    file: Annotated[Path, typer.Argument(help="Where to write: one JSON object a line.", dir_okay=False)],
) -> None:
    """Write every entry with its seal to a file."""
    with file.open("wb") as output:
        count = asyncio.run(export_audit(serving.database_url(Settings()), output))
    console.print(f"{count} entries are in {file}.")


@main.command()
def schema() -> None:
    """Print the GraphQL schema."""
    typer.echo(print_schema(), nl=False)


@main.command()
def token(
    user: Annotated[str, typer.Option(help="User name to sign in as.")],
    hours: Annotated[float, typer.Option(help="How long the token is good.", min=0.01, max=24)] = 12,
) -> None:
    """Print a bearer token of a user, for a development server."""
    try:
        typer.echo(serving.development_token(Settings(), user, timedelta(hours=hours)))
    except ValueError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
