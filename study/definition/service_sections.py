"""The sections of a study file that name services: where trials, runs and workers' files are kept."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from study.definition.tracking_address import mistake
from study.errors import without_password
from trainables.files import object_store
from trainables.interfaces import Options


class Database(Options):
    """A database server that holds the trials: by reference, for its URL holds a password.

    Attributes:
        env: Environment variable with the URL, such as ``postgresql://user:password@host/database``. Several studies
            may share the database.
    """

    env: Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{0,99}$")]

    @model_validator(mode="before")
    @classmethod
    def _by_reference(cls, value: Any) -> Any:
        if not isinstance(value, dict):  # without showing it
            raise ValueError("is {env: NAME}, an environment variable that holds the URL; never the URL itself")
        return value


def _valid_place(uri: str) -> str:
    if why := object_store.mistake(uri):  # without showing it, for it may hold a key
        raise ValueError(why)
    return uri


class Artifacts(Options):
    """An object store for what workers write, so that driver and nodes need no shared file system.

    Attributes:
        uri: Such as ``s3://bucket/prefix``, of any file system that pyarrow knows. Keys come from the environment, or
            from where else pyarrow looks for them, on every node. Several studies may share it.
    """

    uri: Annotated[str, AfterValidator(_valid_place)]


def _valid_uri(uri: str) -> str:
    if without_password(uri) != uri:  # first, for the messages below show the URI
        raise ValueError(
            "holds a user or password; leave it out and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or set the whole MLFLOW_TRACKING_URI in the environment"
        )
    if why := mistake(uri):
        raise ValueError(why)
    return uri


class Tracking(Options):
    """Where MLflow shows the runs.

    Attributes:
        enabled: False leaves MLflow out.
        uri: Server or database; the environment's ``MLFLOW_TRACKING_URI`` wins. None: a store below the storage folder.
    """

    enabled: bool = True
    uri: Annotated[str, AfterValidator(_valid_uri)] | None = None
