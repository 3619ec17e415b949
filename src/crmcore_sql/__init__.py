"""The store for SQL databases: SQLite, PostgreSQL, MariaDB and MySQL.

Takes bound queries and batches of changes; returns frozen records.
Statements are built with SQLAlchemy Core, compiled once and run on the driver's cursor.
Never decides: no permission, validation or rule lives here, and there is no ORM.
Neighbours: implements ``crmcore.storage``; ``dialects`` holds all that servers differ in.
"""

from crmcore.errors import MissingExtra

try:
    import alembic  # noqa: F401
    import sqlalchemy  # noqa: F401
    import tenacity  # noqa: F401
except ImportError:
    raise MissingExtra(feature="The SQL store", extra="sql") from None

from crmcore_sql.store import SQLStore

__all__ = ["SQLStore"]
