"""Makes text from outside safe to print: no passwords, no control characters, one line of limited length."""

import re

LONGEST_LINE = 1000  # characters
HIDDEN = "…"


def without_password(text: str) -> str:
    """Returns a text without the users and passwords of its URIs, and without the secrets in their queries.

    Example:
        >>> without_password("http://me:secret@host:5000"), without_password("postgresql://host/db?password=p&a=b")
        ('http://…@host:5000', 'postgresql://host/db?password=…&a=b')
    """
    # Up to the last @ of the word, because a password may contain @ and /.
    text = re.sub(r"//\S*@", f"//{HIDDEN}@", text)
    return re.sub(r"(?i)((?:password|passwd|token|secret)=)[^&\s]*", rf"\1{HIDDEN}", text)


def safe_line(text: str) -> str:
    r"""Returns a text as one line: without passwords, with control characters escaped, and shortened in the middle.

    Example:
        >>> safe_line("no such file: a\nb\x1b[31m"), safe_line("postgresql://me:secret@host/db")
        ('no such file: a\\nb\\x1b[31m', 'postgresql://…@host/db')
    """
    from analysis.tables.table import escape  # imported here, because `cskd --help` must not load NumPy

    line = escape(without_password(text))
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: 2 * LONGEST_LINE // 3]} … {line[-LONGEST_LINE // 3 + 3 :]}"
