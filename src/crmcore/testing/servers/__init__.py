"""Database servers for tests: started here, gone when the test process is gone.

For: tests of adapters and of host applications that want a real server.
Takes nothing but the number of nodes and the like; returns a running server with its
``url``, or raises :class:`Unavailable` with the reason. Each server keeps its data in a
new directory, listens on 127.0.0.1 only, and is a context manager::

    with servers.postgresql() as server:
        SQLStore(server.url)

Never touches a server that it did not start: where ``CRMCORE_POSTGRES_URL``,
``CRMCORE_MONGODB_URL`` or ``CRMCORE_MARIADB_URL`` is set, that server is handed out and
only its databases are created and dropped.
Neighbours: the storage contract suite runs on what this starts.
"""

from __future__ import annotations

from crmcore.testing.servers._databases import create_database, drop_database
from crmcore.testing.servers._server import Server, Unavailable
from crmcore.testing.servers.mariadb import MariaDB, mariadb
from crmcore.testing.servers.mongodb import MongoDB, mongodb
from crmcore.testing.servers.postgresql import PostgreSQL, postgresql

__all__ = [
    "MariaDB",
    "MongoDB",
    "PostgreSQL",
    "Server",
    "Unavailable",
    "create_database",
    "drop_database",
    "mariadb",
    "mongodb",
    "postgresql",
]
