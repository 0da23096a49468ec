"""The ``cskd`` command line: collects the commands of ``study.commands`` and maps errors to exit codes."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from analysis.words.safe_text import safe_line
from study.commands import (
    catalogue,
    cluster,
    data,
    help_pages,
    look,
    outcome,
    prepare,
    reproduce,
    run,
    services,
    upkeep,
)
from study.commands.exit_codes import INTERNAL, code_and_lines

app = typer.Typer(
    name="cskd",
    pretty_exceptions_enable=False,
    add_completion=True,
)
for group in (catalogue, prepare, data, run, reproduce, look, outcome, upkeep, cluster, services):
    app.add_typer(group.app)
help_pages.apply_layout(app)


def _show_version(requested: bool) -> None:
    if requested:
        from importlib import metadata

        try:
            version = metadata.version("cs-kd-study")
        except metadata.PackageNotFoundError:
            version = "(not installed, run from a source tree)"
        print(f"cskd {version}")  # noqa: T201
        raise typer.Exit


@app.callback(cls=help_pages.Group, no_args_is_help=True, epilog="Get started: cskd launch digits --storage runs")
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Hyperparameter studies of class-wise self-knowledge distillation (CS-KD)."""


def main() -> None:
    """Runs the command line; prints errors that the user can act on as one line, with a documented exit code."""
    try:
        sys.exit(app(prog_name="cskd", standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail(["stopped"], 130)
    except Exception as error:
        code, lines = code_and_lines(error)
        if code == INTERNAL:
            _print_error(*map(safe_line, traceback.format_exc().splitlines()))
        _fail(lines, code)


def _fail(lines: list[str], code: int) -> None:
    _print_error(f"cskd: {lines[0]}", *lines[1:])
    sys.exit(code)


def _print_error(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
