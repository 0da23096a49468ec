"""``cskd``: joins the commands of ``study.commands`` and turns errors into a line and an exit code."""

from __future__ import annotations

import sys
import traceback

import typer

from study.commands import catalogue, cluster, data, look, outcome, prepare, reproduce, run, services, upkeep
from study.errors import INTERNAL, code_and_lines, harmless

app = typer.Typer(
    name="cskd",
    help="Hyperparameter studies of class-wise self-knowledge distillation (CS-KD).",
    epilog="Start with: cskd launch digits --storage runs",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for group in (catalogue, prepare, data, run, reproduce, cluster, services, look, outcome, upkeep):
    app.add_typer(group.app)


def main() -> None:
    """Runs the command line; errors that a user can act on are one line and a documented exit code."""
    try:
        sys.exit(app(prog_name="cskd", standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail(["stopped"], 130)
    except Exception as error:
        code, lines = code_and_lines(error)
        if code == INTERNAL:
            _tell(*map(harmless, traceback.format_exc().splitlines()))
        _fail(lines, code)


def _fail(lines: list[str], code: int) -> None:
    _tell(f"cskd: {lines[0]}", *lines[1:])
    sys.exit(code)


def _tell(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
