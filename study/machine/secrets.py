"""Lists the secrets in the environment, so that checks can make sure no file or message contains them."""

from __future__ import annotations

import contextlib
import os
from urllib.parse import urlsplit

AZURE_SECRETS = ("AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET")
CLOUD_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", *AZURE_SECRETS)
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "RAY_AUTH_TOKEN", *CLOUD_SECRETS)
SHORTEST_SECRET = 6  # characters; shorter ones occur in files by chance


def secrets() -> dict[str, str]:
    """Returns the secrets in the environment, by variable; from a variable that holds a URL, the password."""
    found = {}
    for name, value in os.environ.items():
        with contextlib.suppress(ValueError):  # the value is not a URL
            found[name] = value if name in SECRETS else urlsplit(value).password or ""
    return {name: value for name, value in found.items() if len(value) >= SHORTEST_SECRET}
