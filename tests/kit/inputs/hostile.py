"""Strings with injection attempts, and a custom method with a text option."""

from typing import ClassVar

from trainables.methods.cs_kd import CsKd

STRINGS = (
    "<script>window.attacked = 1</script>",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b[0m",
    "a\nb\r\nc",
    "{{7*7}}${7*7}",
    "nul\0nul",
    "\u202egnp\u2028.x",
    r"\input{/etc/passwd}",
    "x" * 10_000,
)
CLASSES = ("<b>=cmd()", "\x1b[31mred\nline", "{{7*7}}\u202e", "@SUM(A1)")  # valid folder names


class Policy(CsKd):
    """CS-KD with a text option."""

    policy: str = "none"
    kept: ClassVar[tuple[str, ...]] = STRINGS
