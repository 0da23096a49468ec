"""Sections of a study file that name external services: database, object store and MLflow."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from analysis.words.safe_text import without_password
from study.definition.tracking_address import mistake
from trainables.files import object_store
from trainables.interfaces import Options


class Database(Options):
    """Database server that holds the trials, given by reference because its URL holds a password.

    Attributes:
        env: Name of the environment variable that holds the URL, such as
            ``postgresql://user:password@host/database``; several studies may share the database.
    """

    env: Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{0,99}$")]

    @model_validator(mode="before")
    @classmethod
    def _by_reference(cls, value: Any) -> Any:
        if not isinstance(value, dict):  # the value may hold a password, so the message does not show it
            raise ValueError("is {env: NAME}, an environment variable that holds the URL; never the URL itself")
        return value


def _valid_place(uri: str) -> str:
    if why := object_store.mistake(uri):  # the URI may hold a key, so the message does not show it
        raise ValueError(why)
    return uri


class Artifacts(Options):
    """Object store for the files that workers write, so that driver and nodes need no shared file system.

    Attributes:
        uri: URI of the object store, such as ``s3://bucket/prefix``, in any file system that pyarrow supports. Every
            node finds its credentials in the environment or in another place that pyarrow searches. Several studies
            may share the store.
    """

    uri: Annotated[str, AfterValidator(_valid_place)]


def _valid_uri(uri: str) -> str:
    if without_password(uri) != uri:
        raise ValueError(
            "holds a user or password; leave it out and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or set the whole MLFLOW_TRACKING_URI in the environment"
        )
    if why := mistake(uri):
        raise ValueError(why)
    return uri


class Tracking(Options):
    """MLflow tracking of the runs.

    Attributes:
        enabled: Whether the runs are tracked in MLflow.
        uri: URI of the tracking server or database; the environment variable ``MLFLOW_TRACKING_URI`` takes precedence.
            None uses an SQLite database in the storage folder.
    """

    enabled: bool = True
    uri: Annotated[str, AfterValidator(_valid_uri)] | None = None
