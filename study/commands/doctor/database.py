"""The database server that studies may be kept in: whether it answers, its version, its clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from study.commands.doctor.finding import Finding
from study.definition.service_sections import Database
from study.errors import UsageError, without_password
from study.state import database

VARIABLE = "CSKD_DATABASE_URL"
MOST_SECONDS_APART = 2.0
ASK = "SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())"


def check() -> Iterator[Finding]:
    """The server of ``CSKD_DATABASE_URL``; without it, studies keep their trials in a file."""
    if not os.environ.get(VARIABLE):
        return
    try:
        place = database.place_of(Database(env=VARIABLE), Path())
    except UsageError as error:
        yield Finding("problem", "database", str(error), f"correct or unset {VARIABLE}")
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    engine = create_engine(place, **database.engine_options(place))
    try:
        with engine.connect() as connection:
            before = time.time()
            version, now = connection.execute(text(ASK)).one()
    except SQLAlchemyError as error:
        reason = without_password(str(getattr(error, "orig", None) or error)).splitlines()[0]
        yield Finding("problem", "database", f"{database.shown(place)}: {reason}", f"start it, or correct {VARIABLE}")
        return
    finally:
        engine.dispose()
    yield Finding("ok", "database", f"{database.shown(place)} answers (PostgreSQL {version})")
    yield clock(float(now) - before)


def clock(apart: float) -> Finding:
    """Whether the server's clock agrees with this machine's; ``apart`` in seconds, positive where it is ahead."""
    if abs(apart) <= MOST_SECONDS_APART:
        return Finding("ok", "database clock", "agrees with this machine's")
    found = f"is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}"
    return Finding("warning", "database clock", found, "let both machines keep time (NTP)")
