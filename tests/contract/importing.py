"""Files of leads, and the short way to import them."""

from __future__ import annotations

from crmcore import SYSTEM, F, Lead
from crmcore.exchange import run_import

HEADER = "last_name,first_name,company_name,email,phone,lead_source\n"
GOOD = "Wang,Xiaoming,Shenzhen Co,wang@example.com,+86 755 1234 5678,Web site\n"


def leads(*rows):
    return (HEADER + "".join(rows)).encode()


def many(count, start=0):
    return [
        f"Last{n},First{n},Company {n},p{n}@firm{n}.example.com,,web\n"
        for n in range(start, start + count)
    ]


def load(crm, data, kind=Lead, actor="boss", batch_size=500, **options):
    with crm.session(actor) as s:
        plan = s.exchange.plan_import(data, kind, **options)
    return run_import(crm, actor, plan, batch_size=batch_size)


def all_of(crm, kind, actor=SYSTEM):
    with crm.session(actor) as s:
        return list(s.stream(kind, order_by=[F.created_at.asc()]))
