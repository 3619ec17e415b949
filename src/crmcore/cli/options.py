"""Options that several commands share."""

from __future__ import annotations

import crmcore.cli.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from typing import Annotated

import typer

__all__ = ["ActorOption", "JSONOption", "StoreOption", "TenantOption"]

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="CRMCORE_STORE",
        help="sqlite:///FILE, postgresql://..., mysql://..., mariadb://..., "
        "mongodb://.../DATABASE or memory://",
    ),
]

TenantOption = Annotated[
    str, typer.Option("--tenant", metavar="NAME", help="Whose data, where many share.")
]

JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]

ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="USER",
        help="Act as this user; without it as the system, which may do everything.",
    ),
]
