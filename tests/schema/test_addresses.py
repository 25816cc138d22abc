"""A path, whatever it is spelled with, or a URL: what it means, and what means nothing."""

import os
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import UsageError
from realtape.schema.log import Address, locate
from sqlalchemy.engine import URL
from support.stores import (
    DATA,
    content,
    fill,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


# --- paths and addresses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("with space", "a#b", "100%", "%41", "what?mode=memory", "né", "日本", "a&b=c;d", "'quoted\""),
        *("-", "~", "\udcff", "a:b", "#", "new\nline"),
    ],
)
async def test_paths_of_any_kind(tmp_path: Path, name: str):
    folder = tmp_path / name
    folder.mkdir()
    fill(folder / name)
    assert await content(folder / name) == [("0", 3, DATA)]
    assert [found.name for found in folder.iterdir()] == [name]
    assert [found.name for found in tmp_path.iterdir()] == [name]


async def test_a_path_that_begins_with_two_slashes(path: Path):
    twice = Path(f"/{path}")
    assert str(twice).startswith("//")
    fill(twice)
    assert await content(twice) == [("0", 3, DATA)]
    assert path.exists()


def test_what_a_location_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    here = Address(tmp_path / "log.db", None)
    assert locate("log.db") == locate(Path("log.db")) == locate(here.path or "") == here
    assert locate("~/log.db") == Address(Path("/home/me/log.db"), None)
    assert locate("sqlite:///log.db") == locate("sqlite+aiosqlite:///log.db") == here
    assert str(here) == f"{tmp_path}/log.db"

    server = locate("postgresql+asyncpg://me:hush@host:5432/logs")
    assert server == locate("postgresql://me:hush@host:5432/logs")
    assert server == locate(URL.create("postgresql", "me", "hush", "host", 5432, "logs"))
    assert (server.path, server.url and server.url.drivername) == (None, "postgresql+psycopg")
    assert "hush" not in str(server)
    for where in ("?password=hush", "?sslmode=require&sslpassword=hush", "?password=hush&sslpassword=hush"):
        given = locate(f"postgresql://me@host/logs{where}")  # as libpq takes it, too
        assert "hush" not in f"{given} {given!r}"
        assert set(given.passwords) == {"hush"}
    assert server.passwords == ["hush"]
    server.require_log()  # nothing to look at without asking the server


class BytesPath(os.PathLike[Any]):
    """A path as bytes."""

    def __fspath__(self) -> bytes:
        return b"log.db"


def test_a_path_may_be_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert locate(BytesPath()) == Address(tmp_path / "log.db", None)


@pytest.mark.parametrize(
    ("location", "match"),
    [
        ("", "must outlive"),
        (":memory:", "must outlive"),
        ("sqlite://", "must outlive"),
        ("sqlite:///:memory:", "must outlive"),
        ("file:log.db?mode=memory", "must outlive"),
        ("a\0b", "must outlive"),
        ("~nobody-of-that-name/log.db", "absolute path"),
        ("mysql://me:hush@host/logs", "mysql is no store of ours"),
        ("postgres://me:hush@host/logs", "postgres is no store of ours"),
        ("://me:hush@host", "not the URL of a store"),
        ("postgresql://me:hush@host:port/logs", "not the URL of a store"),
    ],
)
def test_what_is_no_location(location: str, match: str):
    with pytest.raises(UsageError, match=match) as caught:
        locate(location)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None or "hush" not in str(caught.value.__cause__)
