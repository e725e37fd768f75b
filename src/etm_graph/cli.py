"""The command line: arguments only; every command calls what does the work."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from etm_graph import serving
from etm_graph.api import print_schema
from etm_graph.demo.records import Sizes
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
