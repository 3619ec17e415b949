"""English texts that show a count: how they read for one.

A language's catalogue holds such a text with all its plural forms.
"""

from __future__ import annotations

__all__ = ["SINGULARS"]

#: Text -> how it reads for one, and the value that counts.
SINGULARS: dict[str, tuple[str, str]] = {
    "must have at most {maximum} characters": (
        "must have at most {maximum} character",
        "maximum",
    ),
    "must have at least {minimum} characters": (
        "must have at least {minimum} character",
        "minimum",
    ),
    "must have at most {maximum} bytes": (
        "must have at most {maximum} byte",
        "maximum",
    ),
    "must have at most {digits} digits after the point": (
        "must have at most {digits} digit after the point",
        "digits",
    ),
    "{count} records share a value with another one": (
        "{count} record shares a value with another one",
        "count",
    ),
    "{count} possible duplicates were found.": (
        "{count} possible duplicate was found.",
        "count",
    ),
    "is referred to by {count} records of {entity}": (
        "is referred to by {count} record of {entity}",
        "count",
    ),
    "The row has {found} cells instead of {expected}.": (
        "The row has {found} cell instead of {expected}.",
        "found",
    ),
}
