"""How help pages look: a flag takes no value, an argument has no Python type, and a usage line no braces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command with such a page."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, help included."""
        return plain(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line."""
        return without_braces(super().collect_usage_pieces(ctx))


class Group(TyperGroup):
    """A group of commands with such a page."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, help included."""
        return plain(super().get_params(ctx))


def lay_out(app: typer.Typer) -> None:
    """Gives every command and group below ``app`` such a page."""
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        group.cls = Group
        if group.typer_instance is not None:
            lay_out(group.typer_instance)


def plain(parameters: Sequence[Any]) -> list[Any]:
    """The parameters without what typer says of them in words of Python."""
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
        elif isinstance(parameter, TyperArgument):
            vars(parameter)["display_type_rich"] = lambda ctx: None  # noqa: ARG005 - typer has no option for it
    return list(parameters)


def without_braces(words: Sequence[str]) -> list[str]:
    """Words of a usage line, required arguments bare and optional ones in one pair of brackets.

    Example:
        >>> without_braces(["[OPTIONS]", "{DIR}...", "[[TEXT]]"])
        ['[OPTIONS]', 'DIR...', '[TEXT]']
    """
    return [word.replace("{", "").replace("}", "").replace("[[", "[").replace("]]", "]") for word in words]
