"""Alembic revisions of the library's own tables; run by ``SQLStore.install``.

Entity tables are no part of them: they follow the schema.
"""

__all__ = ["VERSION_TABLE"]

#: Where Alembic notes the revision; apart from the host's own migrations.
VERSION_TABLE = "crmcore_alembic_version"
