"""What was wrong, by field: for tests that compare reasons."""

from __future__ import annotations

import pytest

from crmcore import ValidationError


def reasons(error: pytest.ExceptionInfo[ValidationError]) -> dict[str, str]:
    """Return the reason of each problem, by its field."""
    return {problem.field: problem.reason for problem in error.value.problems}
