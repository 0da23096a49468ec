"""Sends unauthenticated HTTP requests."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

SECONDS = 2


def status(url: str, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> int | str:
    """Returns the HTTP status of an unauthenticated request, or the reason why there is none.

    Args:
        url: URL of scheme http or https.
        headers: Additional headers.
        content: Body of a POST request; None for a GET request.
    """
    all_headers = {"User-Agent": "cskd-doctor"} | dict(headers or {})
    try:
        request = urllib.request.Request(url, content, all_headers)  # noqa: S310 - callers pass http or https
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, ValueError, UnicodeError) as error:
        return _reason(error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirect, because the redirect itself is the answer."""

    def redirect_request(self, *_: object) -> None:
        """Does not follow the redirect."""


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
