"""What a web server answers to a stranger."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

SECONDS = 2


def status(url: str, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> int | str:
    """The HTTP status that a request without a password gets, or why there is none.

    Args:
        url: Of http or https.
        headers: More than the usual ones.
        content: Sent with POST; None asks with GET.
    """
    shown = {"User-Agent": "cskd-doctor"} | dict(headers or {})
    try:
        request = urllib.request.Request(url, content, shown)  # noqa: S310 - http or https, by the callers
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, ValueError, UnicodeError) as error:
        return _reason(error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer of its own, and may lead elsewhere."""

    def redirect_request(self, *_: object) -> None:
        """Follows none."""


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
