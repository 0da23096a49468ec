"""Custom method with an error in its code."""

from pathlib import Path

import pytest

from trainables.interfaces import registry

CODE = """from trainables.methods.cs_kd import CsKd
class Mine(CsKd):
    def views(self):
        return {}["typo"]
"""


def error_of_own_part(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> KeyError:
    """Returns the error that the method raises, in line 4 of ``module`` in ``folder``."""
    (folder / f"{module}.py").write_text(CODE)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(KeyError) as raised:
        registry.load("methods", f"{module}:Mine")().views()
    return raised.value
