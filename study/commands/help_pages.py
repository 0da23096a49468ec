"""Layout of the help pages: no value for flags, no Python types for arguments, no braces in usage lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command with this layout."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, including ``--help``."""
        return plain(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the words of the usage line."""
        return without_braces(super().collect_usage_pieces(ctx))


class Group(TyperGroup):
    """A group of commands with this layout."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, including ``--help``."""
        return plain(super().get_params(ctx))


def apply_layout(app: typer.Typer) -> None:
    """Applies the layout to every command and group below ``app``."""
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        group.cls = Group
        if group.typer_instance is not None:
            apply_layout(group.typer_instance)


def plain(parameters: Sequence[Any]) -> list[Any]:
    """Returns the parameters without typer's Python-specific annotations."""
    for parameter in parameters:
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
        elif isinstance(parameter, TyperArgument):
            vars(parameter)["display_type_rich"] = lambda ctx: None  # noqa: ARG005 - typer has no option for it
    return list(parameters)


def without_braces(words: Sequence[str]) -> list[str]:
    """Returns the words of a usage line with optional arguments in one pair of brackets and required ones bare.

    Example:
        >>> without_braces(["[OPTIONS]", "{DIR}...", "[[TEXT]]"])
        ['[OPTIONS]', 'DIR...', '[TEXT]']
    """
    return [word.replace("{", "").replace("}", "").replace("[[", "[").replace("]]", "]") for word in words]
