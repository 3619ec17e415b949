"""The criteria language: conditions, orders, pages and aggregates over records.

Takes expressions written with ``F`` or as JSON; returns checked primitive tests.
One evaluator runs them on a record, one compiler per store runs them in a database.
Never reads a store or an actor: scopes are criteria like any other.
Neighbours: ``records`` gives the fields, ``storage`` answers the queries.
"""

from crmcore.criteria.aggregates import Bucket, Group, Measure, count
from crmcore.criteria.binding import Binder
from crmcore.criteria.bound import (
    AggregateQuery,
    Bound,
    BoundAnd,
    BoundColumn,
    BoundConstant,
    BoundGroup,
    BoundMeasure,
    BoundNot,
    BoundOr,
    BoundSort,
    Operator,
    Query,
    Test,
)
from crmcore.criteria.builder import F, FieldExpression
from crmcore.criteria.evaluation import predicate, reader, sort_key, values_after
from crmcore.criteria.expressions import And, Compare, Criteria, Everything, Not, Or
from crmcore.criteria.ordering import Sort
from crmcore.criteria.pages import Cursor, Page, Total
from crmcore.criteria.periods import Period, last_days, next_days
from crmcore.criteria.serialisation import from_json, to_json

__all__ = [
    "AggregateQuery",
    "And",
    "Binder",
    "Bound",
    "BoundAnd",
    "BoundColumn",
    "BoundConstant",
    "BoundGroup",
    "BoundMeasure",
    "BoundNot",
    "BoundOr",
    "BoundSort",
    "Bucket",
    "Compare",
    "Criteria",
    "Cursor",
    "Everything",
    "F",
    "FieldExpression",
    "Group",
    "Measure",
    "Not",
    "Operator",
    "Or",
    "Page",
    "Period",
    "Query",
    "Sort",
    "Test",
    "Total",
    "count",
    "from_json",
    "last_days",
    "next_days",
    "predicate",
    "reader",
    "sort_key",
    "to_json",
    "values_after",
]
