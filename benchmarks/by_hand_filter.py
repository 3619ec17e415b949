"""Records by the value of one custom field, as somebody writes it with the driver."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pymysql
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.int64 import Int64
from pymongo import MongoClient

__all__ = [
    "SHARED",
    "MariaDBFilter",
    "MongoDBFilter",
    "PostgreSQLFilter",
    "SQLiteFilter",
]

TENANT, DATABASE = "default", "benchmark_schema"
#: Records share a rank two hundred at a time.
SHARED = 200
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_NAMES = (
    *("id", "version", "owner_id", "created_at", "created_by", "updated_at"),
    *("updated_by", "deleted_at", "deleted_by", "custom", "invalid_at", "invalid_by"),
    *("archived_at", "archived_by"),
)
_COLUMNS = ", ".join(_NAMES)


class SQLiteFilter:
    """The standard library's driver and an expression index."""

    def __init__(self, path: str, kind: Any) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._kind = kind

    def fill(self, rows: int) -> None:
        """Store so many records."""
        moment = _NOW.isoformat("T", "milliseconds")
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO crm_ranked (tenant, id, version, created_at, updated_at,"
            f" custom) VALUES (?, ?, 1, '{moment}', '{moment}', ?)",
            (
                (TENANT, UUID(int=n).bytes, json.dumps({"rank": n // SHARED}))
                for n in range(1, rows + 1)
            ),
        )
        self._db.execute("COMMIT")
        self._db.execute("ANALYZE")

    def ask(self, rank: int) -> list[Any]:
        """Return the records of a rank."""
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM crm_ranked WHERE tenant = ?"
            " AND json_extract(custom, '$.\"rank\"') = ? AND deleted_at IS NULL"
            " AND archived_at IS NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 50",
            (TENANT, rank),
        )
        return [
            self._kind(
                id=UUID(bytes=identity),
                version=version,
                owner_id=None if owner is None else UUID(bytes=owner),
                created_at=datetime.fromisoformat(created),
                created_by=None if creator is None else UUID(bytes=creator),
                updated_at=datetime.fromisoformat(updated),
                updated_by=None if updater is None else UUID(bytes=updater),
                deleted_at=_moment(deleted),
                deleted_by=None if deleter is None else UUID(bytes=deleter),
                custom=json.loads(custom),
                invalid_at=_moment(invalid),
                invalid_by=None if invalidator is None else UUID(bytes=invalidator),
                archived_at=_moment(archived),
                archived_by=None if archiver is None else UUID(bytes=archiver),
            )
            for (
                identity,
                version,
                owner,
                created,
                creator,
                updated,
                updater,
                deleted,
                deleter,
                custom,
                invalid,
                invalidator,
                archived,
                archiver,
            ) in found
        ]

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class PostgreSQLFilter:
    """psycopg and an expression index."""

    def __init__(self, url: str, kind: Any) -> None:
        self._db = psycopg.connect(url, autocommit=True)
        self._kind = kind

    def fill(self, rows: int) -> None:
        """Store so many records, and the index that a hand would make."""
        copied = (
            "COPY crm_ranked (tenant, id, version, created_at, updated_at, custom)"
            " FROM STDIN"
        )
        with self._db.cursor() as cursor, cursor.copy(copied) as copy:
            for n in range(1, rows + 1):
                custom = json.dumps({"rank": n // SHARED})
                copy.write_row((TENANT, UUID(int=n), 1, _NOW, _NOW, custom))
        self._db.execute(
            "CREATE INDEX by_hand ON crm_ranked"
            " (tenant, ((custom ->> 'rank')::bigint), id)"
        )
        self._db.execute("VACUUM ANALYZE crm_ranked")

    def ask(self, rank: int) -> list[Any]:
        """Return the records of a rank."""
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM crm_ranked WHERE tenant = %s"  # type: ignore[arg-type]
            " AND (custom ->> 'rank')::bigint = %s AND deleted_at IS NULL"
            " AND archived_at IS NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 50",
            (TENANT, rank),
        )
        return [self._kind(**dict(zip(_NAMES, row, strict=True))) for row in found]

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class MariaDBFilter:
    """PyMySQL, a generated column and its index."""

    def __init__(self, url: str, kind: Any) -> None:
        parts = urlsplit(url)
        self._db = pymysql.connect(
            host=parts.hostname or "",
            port=parts.port or 3306,
            user=parts.username or "",
            password=parts.password or "",
            database=parts.path.strip("/"),
            charset="utf8mb4",
            autocommit=True,
        )
        self._kind = kind

    def fill(self, rows: int) -> None:
        """Store so many records, and the column and index that a hand would make."""
        cursor = self._db.cursor()
        now = _NOW.replace(tzinfo=None)
        for start in range(1, rows + 1, 10_000):
            cursor.executemany(
                "INSERT INTO crm_ranked (tenant, id, version, created_at, updated_at,"
                " custom) VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (
                        TENANT,
                        UUID(int=n).bytes,
                        1,
                        now,
                        now,
                        f'{{"rank":{n // SHARED}}}',
                    )
                    for n in range(start, min(start + 10_000, rows + 1))
                ],
            )
        cursor.execute(
            "ALTER TABLE crm_ranked ADD COLUMN by_hand BIGINT"
            " AS (JSON_VALUE(custom, '$.rank')) VIRTUAL"
        )
        cursor.execute("CREATE INDEX by_hand ON crm_ranked (tenant, by_hand, id)")
        cursor.execute("ANALYZE TABLE crm_ranked")

    def ask(self, rank: int) -> list[Any]:
        """Return the records of a rank."""
        cursor = self._db.cursor()
        cursor.execute(
            f"SELECT {_COLUMNS} FROM crm_ranked WHERE tenant = %s AND by_hand = %s"
            " AND deleted_at IS NULL AND archived_at IS NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 50",
            (TENANT, rank),
        )
        return [
            self._kind(
                id=UUID(bytes=identity),
                version=version,
                owner_id=_uuid(owner),
                created_at=_utc(created),
                created_by=_uuid(creator),
                updated_at=_utc(updated),
                updated_by=_uuid(updater),
                deleted_at=_utc(deleted),
                deleted_by=_uuid(deleter),
                custom=json.loads(custom),
                invalid_at=_utc(invalid),
                invalid_by=_uuid(invalidator),
                archived_at=_utc(archived),
                archived_by=_uuid(archiver),
            )
            for (
                identity,
                version,
                owner,
                created,
                creator,
                updated,
                updater,
                deleted,
                deleter,
                custom,
                invalid,
                invalidator,
                archived,
                archiver,
            ) in cursor.fetchall()
        ]

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _uuid(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


class MongoDBFilter:
    """pymongo and an index of the path."""

    def __init__(self, url: str, kind: Any) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(url)
        options: CodecOptions[dict[str, Any]] = CodecOptions(
            uuid_representation=UuidRepresentation.STANDARD, tz_aware=True
        )
        data = self._client.get_database(DATABASE, codec_options=options)
        self._records = data["crm_ranked"]
        self._kind = kind

    def fill(self, rows: int) -> None:
        """Store so many records."""
        for start in range(1, rows + 1, 10_000):
            several = range(start, min(start + 10_000, rows + 1))
            self._records.insert_many(list(_documents(several)), ordered=False)

    def ask(self, rank: int) -> list[Any]:
        """Return the records of a rank."""
        wanted = {
            "tenant": TENANT,
            "custom.rank": rank,
            "deleted_at": None,
            "archived_at": None,
        }
        newest = [("created_at", -1), ("id", -1)]
        return [
            self._kind(**{name: found.get(name) for name in _NAMES})
            for found in self._records.find(wanted).sort(newest).limit(50)
        ]

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _documents(numbers: range) -> Iterator[dict[str, Any]]:
    for n in numbers:
        yield {
            "tenant": TENANT,
            "id": UUID(int=n),
            "version": Int64(1),
            "created_at": _NOW,
            "updated_at": _NOW,
            "custom": {"rank": Int64(n // SHARED)},
        }
