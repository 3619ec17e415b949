"""Ready-made figures of a customer: what its activities and deals add up to (REC-16).

Switched on by the host, since each costs a question per write of what it counts::

    CRM(store, fields={Account: account_figures()})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmcore.records import (
    DateTime,
    FieldDef,
    Integer,
    MoneyAmount,
    RollUp,
    fields,
)

__all__ = ["account_figures"]


def account_figures() -> tuple[FieldDef, ...]:
    """Return roll-ups of an account over its tasks and opportunities.

    ``latest_task_at`` is when the last task was completed, ``tasks_done`` how many were. ``open_deals`` and
    ``won_deals`` count opportunities, ``open_volume`` and ``won_volume`` sum them up.
    """
    return (
        fields.custom(
            "latest_task_at",
            DateTime(),
            roll_up=RollUp(
                child="task",
                relation="related_to",
                function="max",
                field="completed_at",
            ),
        ),
        fields.custom(
            "tasks_done",
            Integer(),
            roll_up=RollUp(
                child="task", relation="related_to", where=_is("status", "completed")
            ),
        ),
        *_deals("open"),
        *_deals("won"),
    )


def _deals(category: str) -> tuple[FieldDef, FieldDef]:
    where = _is("stage_category", category)
    return (
        fields.custom(
            f"{category}_deals", Integer(), roll_up=_over("count", None, where)
        ),
        fields.custom(
            f"{category}_volume", MoneyAmount(), roll_up=_over("sum", "amount", where)
        ),
    )


def _over(function: str, field: str | None, where: Mapping[str, Any]) -> RollUp:
    return RollUp(
        child="opportunity",
        relation="account_id",
        function=function,
        field=field,
        where=where,
    )


def _is(field: str, value: str) -> Mapping[str, Any]:
    return {"field": field, "op": "==", "value": value}
