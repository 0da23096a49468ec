"""Strings that try to be more than text, and a method of a user's own that takes any."""

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
CLASSES = ("<b>=cmd()", "\x1b[31mred\nline", "{{7*7}}\u202e", "@SUM(A1)")  # what a folder may be called


class Policy(CsKd):
    """CS-KD with an option that is any text."""

    policy: str = "none"
    kept: ClassVar[tuple[str, ...]] = STRINGS
