"""What every part is: a frozen, checked set of options that knows its name."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Options(BaseModel):
    """Base of all configuration: frozen, unknown keys refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(Options):
    """A method, model or data set; serialised with its name, so that the name rebuilds it."""

    @classmethod
    def part_name(cls) -> str:
        """File name of a part of this project, dotted path ``module:Class`` of a user's own."""
        package, _, module = cls.__module__.rpartition(".")
        return module if package.startswith("trainables.") else f"{cls.__module__}:{cls.__qualname__}"

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.part_name(), **handler(self)}


def flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Options by name, those of a mapping as ``<its name>.<their name>``.

    Example:
        >>> dict(flat({"seed": 1, "teacher": {"arm": "winner"}}))
        {'seed': 1, 'teacher.arm': 'winner'}
    """
    for name, value in options.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
