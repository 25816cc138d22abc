"""What the databases' drivers raise, as our errors: told apart by the drivers' codes, never by words."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from ..errors import NotAStoreError, StoreBusyError, StoreError, StoreNotFoundError
from .addresses import Address

SOMETHING_ELSE = "a database of something else"
_SAVE = "`realtape recover` saves what is still good; it was left as it is"

_KINDS = {
    # SQLite's primary result codes (https://www.sqlite.org/rescode.html).
    "SQLITE_BUSY": "busy",
    "SQLITE_LOCKED": "busy",
    "SQLITE_CANTOPEN": "closed",
    "SQLITE_READONLY": "closed",
    "SQLITE_NOTADB": "no database",
    "SQLITE_ERROR": "foreign",  # our statements are always the same: they do not fit these tables
    "SQLITE_CORRUPT": "damaged",
    "SQLITE_INTERRUPT": "damaged",  # by our own reading connections: what a statement does has no end
    "SQLITE_FULL": "full",
    "SQLITE_IOERR": "full",
    # PostgreSQL's (https://www.postgresql.org/docs/current/errcodes-appendix.html).
    "55P03": "busy",  # lock_not_available: `lock_timeout` has passed
    "42P01": "foreign",  # undefined_table
    "42703": "foreign",  # undefined_column
    "53100": "full",  # disk_full
}


def sqlite_code(error: BaseException) -> str:
    """SQLite's primary result code, such as `SQLITE_BUSY`; "" where it is no error of SQLite's."""
    # Of an extended code, such as SQLITE_READONLY_DIRECTORY, the first two words.
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])


REFUSALS = (sqlite3.Error, DBAPIError, StoreError, UnicodeDecodeError)
"""What reading a row raises: of the driver itself, of SQLAlchemy, and as ours. And what Python's driver
raises instead of an error whose text quotes bytes of a damaged schema."""

_OF_THE_FILE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR", "SQLITE_INTERRUPT")


def damage_of(error: BaseException) -> str | None:
    """What one of REFUSALS says of the file, where that is what is wrong; else None."""
    original = error.__cause__ if isinstance(error, StoreError) else getattr(error, "orig", error)
    if isinstance(original, UnicodeDecodeError):
        return "no text"
    if not isinstance(original, sqlite3.Error):
        return None
    code = sqlite_code(original)
    if code in _OF_THE_FILE:
        return str(original)
    if not code and isinstance(
        original, sqlite3.OperationalError
    ):  # Python's own: `Could not decode to UTF-8`
        return "a text in it is not UTF-8"
    return None


def store_error(address: Address | str, error: BaseException) -> StoreError:
    """Our error for one of a driver's."""
    store, text = str(address), str(error).partition("\n")[0]  # what follows quotes the row
    kind = _KINDS.get(sqlite_code(error) or getattr(error, "sqlstate", None) or "")
    if isinstance(error, UnicodeDecodeError):
        kind, text = "damaged", "no text"
    if kind == "busy":
        return StoreBusyError(store, "held by another process", "close the other one, or wait for it")
    if kind == "closed":
        return StoreNotFoundError(
            store, f"cannot be opened ({text})", "check that its folder exists, and the permissions"
        )
    if kind == "no database":
        return NotAStoreError(store, "not an SQLite database", "name another file; it was left as it is")
    if kind == "foreign":
        return NotAStoreError(store, f"{SOMETHING_ELSE} ({text})", "name the store that was recorded into")
    if kind == "damaged":
        return NotAStoreError(store, f"damaged ({text})", _SAVE)
    if kind == "full":
        return StoreError(store, text, "free space on the disk, or check it")
    return StoreError(store, text, "see the database's own message")


@contextmanager
def store_errors(address: Address) -> Generator[None]:
    """Turn what a driver raises in the block into our errors."""
    try:
        yield
    except DBAPIError as error:
        raise store_error(address, error.orig or error) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise store_error(address, error) from error
    except OSError as error:
        raise StoreError(str(address), str(error), "check that the server is up and reachable") from error
