"""Finds parts by name: a file of the package, or the path ``module:Class`` of a user-defined part."""

import difflib
import importlib
import pkgutil
import traceback
from functools import cache

from trainables.errors import ConfigError
from trainables.interfaces import Part

PACKAGES = ("methods", "models", "datasets")
_user_modules: set[str] = set()


@cache
def available(package: str) -> tuple[str, ...]:
    """Names of the parts in ``trainables.<package>``, sorted; each file of the package is a part.

    Example:
        >>> "cs_kd" in available("methods")
        True
    """
    path = importlib.import_module(f"trainables.{package}").__path__
    return tuple(sorted(module.name for module in pkgutil.iter_modules(path) if not module.ispkg))


@cache
def load(package: str, name: str) -> type[Part]:
    """Loads the part class with a name.

    Args:
        package: Kind of the part: ``methods``, ``models`` or ``datasets``.
        name: Name of a file in that package, or path ``module:Class`` of a user-defined part.

    Raises:
        ConfigError: There is no such part, or it cannot be imported; the message offers the nearest name.

    Example:
        >>> load("methods", "cs_kd").__name__
        'CsKd'
    """
    if ":" in name:
        return _load_user_defined(package, name)
    if name not in available(package):
        near = difflib.get_close_matches(name, available(package), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(available(package))}"
        raise ConfigError(f"no {package.removesuffix('s')} is called {name!r}; {hint}")
    module = importlib.import_module(f"trainables.{package}.{name}")
    spelled = name.replace("_", "")
    return next(
        value
        for key, value in vars(module).items()
        if key.lower() == spelled and isinstance(value, type) and issubclass(value, Part)
    )


def place_in_user_part(error: BaseException) -> str | None:
    """File and line of the innermost frame of a user-defined part in an error's traceback; None if there is none."""
    frames = reversed(list(traceback.walk_tb(error.__traceback__)))
    return next(
        (f"{f.f_code.co_filename}:{line}" for f, line in frames if f.f_globals.get("__name__") in _user_modules), None
    )


def _load_user_defined(package: str, path: str) -> type[Part]:
    module_name, _, class_name = path.partition(":")
    _user_modules.add(module_name)
    try:
        part = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # a user's module may raise anything
        why = str(error).partition("\n")[0]
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            why = f"there is no module {error.name!r}; add its folder to PYTHONPATH"
        if place := place_in_user_part(error):
            why = f"{place}: {why}"
        raise ConfigError(f"{package.removesuffix('s')} {path!r} cannot be imported: {why}") from error
    if not (isinstance(part, type) and issubclass(part, Part)):
        raise ConfigError(f"{path!r} is not a part; derive it from trainables.interfaces")
    return part
