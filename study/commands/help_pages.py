"""Layout of the help pages.

Flags show no value, arguments no Python type, usage lines no braces, and paragraphs are not broken into lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command with this layout."""

    def __init__(self, *args: Any, help: str | None = None, **options: Any) -> None:  # noqa: A002 - typer's name
        super().__init__(*args, help=unwrapped(help), **options)

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


def unwrapped(text: str | None) -> str | None:
    r"""Returns a text with one line per paragraph, because typer keeps the line breaks of docstrings.

    Example:
        >>> unwrapped("Summary.\n\nDetails on\ntwo lines.")
        'Summary.\n\nDetails on two lines.'
    """
    return text and "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def without_braces(words: Sequence[str]) -> list[str]:
    """Returns the words of a usage line with optional arguments in one pair of brackets and required ones bare.

    Example:
        >>> without_braces(["[OPTIONS]", "{DIR}...", "[[TEXT]]"])
        ['[OPTIONS]', 'DIR...', '[TEXT]']
    """
    return [word.replace("{", "").replace("}", "").replace("[[", "[").replace("]]", "]") for word in words]
