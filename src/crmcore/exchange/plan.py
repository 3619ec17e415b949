"""The plan of an import: everything that was decided before a row is written.

A value: can be shown, checked, kept and applied; nothing is written by making it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs

from crmcore.errors import ImportRejected, Problem
from crmcore.exchange.columns import Column
from crmcore.exchange.report import ImportReport
from crmcore.exchange.source import FileSource

__all__ = ["DUPLICATE_CHOICES", "MODES", "ImportPlan"]

#: Create only, update only, or update what matches and create the rest (IMP-03).
MODES = ("create", "update", "upsert")

#: What happens to a row that looks like an existing record (DUP-05).
DUPLICATE_CHOICES = ("skip", "merge", "create", "off")


@attrs.frozen(kw_only=True)
class ImportPlan:
    """What is imported into what, how (IMP-01 to IMP-03).

    ``columns`` show header, first value, target and default of each column.
    ``problems`` say why the plan cannot be applied; with none, ``errors`` of the
    ``dry_run``, if one was asked for, tell what will become of each row. ``job_id``
    is the key under which an interrupted import is taken up again.
    """

    entity: str
    source: FileSource = attrs.field(eq=False)
    digest: str
    size: int
    lines: int
    encoding: str
    delimiter: str
    has_header: bool
    columns: tuple[Column, ...]
    defaults: Mapping[str, Any]
    mode: str
    match_on: tuple[str, ...]
    duplicates: str
    job_id: str
    problems: tuple[Problem, ...] = ()
    repeats: str | None = None
    dry_run: ImportReport | None = None

    @property
    def file_name(self) -> str:
        """Return the name of the file."""
        return self.source.name

    @property
    def width(self) -> int:
        """Return how many cells each row has."""
        return self.columns[-1].position + 1

    @property
    def is_valid(self) -> bool:
        """Tell whether the plan can be applied."""
        return not self.problems

    @property
    def total_estimate(self) -> int:
        """Return about how many rows there are: the lines of the file."""
        return max(self.lines - int(self.has_header), 1)

    def check(self) -> None:
        """Raise ImportRejected where the plan cannot be applied."""
        if self.problems:
            first = self.problems[0].message()
            raise ImportRejected(self.problems, problem=first)

    def fingerprint(self) -> str:
        """Return a digest of everything but the file: columns, defaults, options."""
        parts = [
            self.entity,
            self.encoding,
            self.delimiter,
            self.has_header,
            [attrs.asdict(column.mapping) for column in self.columns],
            sorted((name, str(value)) for name, value in self.defaults.items()),
            self.mode,
            self.match_on,
            self.duplicates,
        ]
        text = json.dumps(parts, default=str, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
