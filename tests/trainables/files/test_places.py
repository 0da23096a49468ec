from pathlib import Path

import pytest

from trainables.errors import ConfigError
from trainables.files.places import data_place, place_from


def test_a_location_is_an_absolute_path_or_a_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_from("here") == place_from(Path("here")) == tmp_path / "here"
    assert place_from("~/data") == Path.home() / "data"
    assert place_from("s3://bucket/data?region=eu-north-1") == "s3://bucket/data?region=eu-north-1"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://key:canary@bucket", "holds a key"),
        ("ftp://host/data", "is a URI such as s3://"),
        ("~nobody-of-that-name/data", "begins with ~"),
    ],
)
def test_an_invalid_location_is_refused_without_showing_it(monkeypatch, uri, message):
    with pytest.raises(ValueError, match=message):
        place_from(uri)
    monkeypatch.setenv("CSKD_DATA", uri)
    with pytest.raises(ConfigError, match=f"^CSKD_DATA {message}") as caught:
        data_place(None)
    assert "canary" not in str(caught.value)


def test_the_root_wins_over_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CSKD_DATA", "s3://bucket/data")
    assert data_place(None) == "s3://bucket/data"
    assert data_place(tmp_path) == tmp_path
    assert data_place("gs://other") == "gs://other"
