"""The commands, one per file: each reads its options, asks a session, shows the answer."""

import crmcore.cli.extra  # noqa: F401
