"""Formulas: a small language whose value is worked out from the fields of a record.

``amount * probability / 100``, ``if(stage == "won", amount, null)``,
``first_name & " " & last_name``. Read by a parser of its own, never by ``eval``;
bounded in length, parts and depth. Conditions are criteria.
"""

from crmcore.criteria.formulas.compiling import Program, check, compiled, evaluate
from crmcore.criteria.formulas.dependencies import dependencies, order, ordered
from crmcore.criteria.formulas.kinds import Kind, fitted, kind_of, result_type, takes
from crmcore.criteria.formulas.parsing import parse
from crmcore.criteria.formulas.serialisation import formula_from_json, formula_to_json
from crmcore.criteria.formulas.tree import Formula
from crmcore.criteria.formulas.writing import text_of

__all__ = [
    "Formula",
    "Kind",
    "Program",
    "check",
    "compiled",
    "dependencies",
    "evaluate",
    "fitted",
    "formula_from_json",
    "formula_to_json",
    "kind_of",
    "order",
    "ordered",
    "parse",
    "result_type",
    "takes",
    "text_of",
]
