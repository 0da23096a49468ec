"""Invalid declarations of a user-defined method are refused when a study file is read."""

from typing import ClassVar

import pytest
from pydantic import ValidationError

from trainables.methods.cs_kd import CsKd


class Misnamed(CsKd):
    progress: float = 0.5


class Averaging(CsKd):
    decay: float = 0.9
    by: str = "decay"

    def averaging(self) -> str:
        return self.by


class Constant(Averaging):
    kept: ClassVar[float] = 0.9
    by: str = "kept"


class Number(Averaging):
    def averaging(self) -> float:
        return self.decay


class Property(Averaging):
    @property
    def averaging(self) -> str:
        return "decay"


@pytest.mark.parametrize(
    ("method", "options", "why"),
    [
        (Misnamed, {}, "rename its field progress"),
        (
            Averaging,
            {"by": "partner_may_equal_anchor"},
            "returns 'partner_may_equal_anchor', which is not a numeric field",
        ),
        (Averaging, {"by": "dekay"}, "averaging returns 'dekay', which is not a numeric field"),
        (Constant, {}, "averaging returns 'kept', which is not a numeric field"),
        (Number, {}, "averaging returns 0.9, which is not a numeric field"),
        (Property, {}, r"averaging is not a method; write def averaging\(self\)"),
        (Averaging, {"decay": 1.0}, r"decay, the decay of the averaged weights per step, must be in \[0, 1\)"),
        (Averaging, {"decay": -0.5}, "must be in"),
    ],
)
def test_an_invalid_declaration_is_refused(method: type[CsKd], options: dict, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        method(**options)


@pytest.mark.parametrize("decay", [0, 0.999])
def test_a_decay_below_one_is_accepted(decay: float) -> None:
    assert Averaging(decay=decay).decay == decay
