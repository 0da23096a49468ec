"""Base class of all parts: frozen, validated options with a name."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Options(BaseModel):
    """Base class of all options: frozen; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(Options):
    """Base class of methods, models and data sets; serialised with its name, from which it is rebuilt."""

    @classmethod
    def part_name(cls) -> str:
        """File name of a part of this project, or the path ``module:Class`` of a user-defined part."""
        package, _, module = cls.__module__.rpartition(".")
        return module if package.startswith("trainables.") else f"{cls.__module__}:{cls.__qualname__}"

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.part_name(), **handler(self)}


def flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Flattens nested options: yields names and values, with names of nested options as ``<outer>.<inner>``.

    Args:
        options: Options by name; values may be mappings.
        prefix: Prefix of all names.

    Example:
        >>> dict(flat({"seed": 1, "teacher": {"arm": "winner"}}))
        {'seed': 1, 'teacher.arm': 'winner'}
    """
    for name, value in options.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
