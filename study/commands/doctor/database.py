"""Checks that the database server is reachable, and its version and clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from analysis.words.safe_text import without_password
from study.commands.doctor.finding import Finding
from study.definition.service_sections import Database
from study.errors import UsageError
from study.state import database

VARIABLE = "CSKD_DATABASE_URL"
MAX_CLOCK_SKEW_SECONDS = 2.0
QUERY = "SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())"


def check() -> Iterator[Finding]:
    """Checks the server of ``CSKD_DATABASE_URL``; yields nothing if the variable is not set."""
    if not os.environ.get(VARIABLE):
        return
    try:
        place = database.url_of(Database(env=VARIABLE), Path())
    except UsageError as error:
        yield Finding("problem", "database", str(error), f"correct or unset {VARIABLE}")
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    engine = create_engine(place, **database.engine_options(place))
    try:
        with engine.connect() as connection:
            before = time.time()
            version, server_time = connection.execute(text(QUERY)).one()
    except SQLAlchemyError as error:
        reason = without_password(str(getattr(error, "orig", None) or error)).splitlines()[0]
        yield Finding(
            "problem", "database", f"{database.shown(place)}: {reason}", f"start the server, or correct {VARIABLE}"
        )
        return
    finally:
        engine.dispose()
    yield Finding("ok", "database", f"{database.shown(place)} is reachable (PostgreSQL {version})")
    yield clock(float(server_time) - before)


def clock(skew: float) -> Finding:
    """Checks the server's clock against this machine's.

    Args:
        skew: Server time minus local time, in seconds.
    """
    if abs(skew) <= MAX_CLOCK_SKEW_SECONDS:
        return Finding("ok", "database clock", "matches this machine's clock")
    found = f"is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return Finding("warning", "database clock", found, "synchronize both machines (NTP)")
