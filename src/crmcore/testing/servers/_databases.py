"""Databases on a running server: one for each test run, module or worker."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from crmcore.testing.servers._server import Unavailable


def create_database(url: str, name: str) -> str:
    """Create the database ``name`` on the server of ``url``; return its address.

    ``name`` holds small letters, digits and underscores. MongoDB creates a database
    when it is first written to.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,50}", name):
        raise Unavailable(server=url, reason=f"{name!r} is no name for a database")
    parts = urlsplit(url)
    match _family(parts):
        case "postgresql":
            _postgresql(parts, f'CREATE DATABASE "{name}"')
        case "mysql":
            _mysql(parts, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    return parts._replace(path=f"/{name}").geturl()


def drop_database(url: str) -> None:
    """Drop the database that ``url`` names, with everything in it."""
    parts = urlsplit(url)
    name = parts.path.strip("/")
    match _family(parts):
        case "postgresql":
            server = parts._replace(path="/postgres")
            _postgresql(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        case "mysql":
            _mysql(parts, f"DROP DATABASE IF EXISTS `{name}`")
        case "mongodb":
            _mongodb_drop(parts, name)


def _family(parts: SplitResult) -> str:
    scheme = parts.scheme.partition("+")[0]
    if scheme not in {"postgresql", "mysql", "mariadb", "mongodb"}:
        raise Unavailable(server=scheme, reason="there is no such kind of server here")
    return "mysql" if scheme == "mariadb" else scheme


def _postgresql(parts: SplitResult, statement: str) -> None:
    import psycopg

    url = parts._replace(scheme="postgresql").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _mysql(parts: SplitResult, statement: str) -> None:
    import pymysql

    with (
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def _mongodb_drop(parts: SplitResult, name: str) -> None:
    from pymongo import MongoClient

    # The database of an address is also the one to authenticate with.
    client: MongoClient[dict[str, Any]] = MongoClient(
        parts._replace(path="/").geturl(), serverSelectionTimeoutMS=10_000
    )
    with client:
        client.drop_database(name)
