"""Commands that manage PostgreSQL and an MLflow server on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.output import say

if TYPE_CHECKING:
    from study.machine.services import Service

PANEL = "Cluster"
NOT_RUNNING = 69

app = typer.Typer()
group = typer.Typer(no_args_is_help=True, help="Manage PostgreSQL and an MLflow server on this machine.")
app.add_typer(group, name="services", rich_help_panel=PANEL, epilog="Example: cskd services up")

Root = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the services' data, secrets and logs.")]
ROOT = Path("services")


@group.command(epilog="Example: cskd services up --root services")
def up(
    root: Root = ROOT,
    sqlite: Annotated[
        bool, typer.Option("--sqlite", help="Start only MLflow, with an SQLite file instead of PostgreSQL.")
    ] = False,
) -> None:
    """Start the services that are not running, and print how to use them."""
    from study.machine.services import Services

    services = Services(root)
    _show(services.up(sqlite=sqlite))
    say(f"load their addresses and passwords into a shell with: . {services.variables}")
    if not sqlite and any(found.name == "postgresql" for found in services.status()):
        say("store trials in the database with: --set database.env=CSKD_DATABASE_URL")


@group.command(epilog="Example: cskd services down --root services")
def down(root: Root = ROOT) -> None:
    """Stop the services of this folder; their data are kept."""
    from study.machine.services import Services

    stopped = Services(root).down()
    say(f"stopped: {', '.join(stopped)}" if stopped else "no service was running")


@group.command(epilog="Example: cskd services status --root services")
def status(root: Root = ROOT) -> None:
    """Show which services are running.

    Exits with code 69 if one is not.
    """
    from study.machine.services import Services

    found = Services(root).status()
    _show(found)
    if not all(service.running for service in found):
        raise typer.Exit(NOT_RUNNING)


def _show(found: list[Service]) -> None:
    for service in found:
        say(f"{service.name}: {'running' if service.running else 'not running'} at {service.address}")
