"""PostgreSQL with psycopg 3: prepared statements, binary results, COPY."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.by_hand import sql
from benchmarks.by_hand.rows import (
    Row,
    Stamp,
    conversion,
    dumps,
    link_changes,
    new_lead,
    new_link_keys,
)
from benchmarks.by_hand.rules import checked_lead, person_keys
from crmcore import Lead
from crmcore.ports import UUID7Factory
from crmcore.records import Address, ContactPoint, Money

__all__ = ["PostgreSQLByHand"]

_READ = ", ".join(f'"{name}"' for name in sql.READ_COLUMNS)
GET = f"SELECT {_READ} FROM crm_leads WHERE tenant = %s AND id = %s"
_VISIBLE = (
    "tenant = %s AND owner_id = ANY(%s::uuid[]) AND deleted_at IS NULL"
    " AND archived_at IS NULL"
)
_LAST = "ORDER BY created_at DESC NULLS LAST, id DESC LIMIT 51"
PAGE = f"SELECT {_READ} FROM crm_leads WHERE {_VISIBLE} {_LAST}"
BEHIND = f"""SELECT {_READ} FROM crm_leads
WHERE {_VISIBLE} AND (created_at, id) < (%s, %s) {_LAST}"""
INSERT_LEAD = sql.insertion("crm_leads", sql.LEAD_COLUMNS, "%s")
INSERT_KEY = sql.insertion("crm_match_key", sql.KEY_COLUMNS, "%s")
DELETE_KEYS = """DELETE FROM crm_match_key
WHERE tenant = %s AND entity = 'lead' AND key = ANY(%s) AND record_id = %s"""
INSERT_HISTORY = sql.insertion("crm_history", sql.HISTORY_COLUMNS, "%s")
INSERT_EVENT = sql.insertion("crm_outbox", sql.OUTBOX_COLUMNS, "%s")
INSERT_ACCOUNT = sql.insertion("crm_accounts", sql.ACCOUNT_COLUMNS, "%s")
INSERT_CONTACT = sql.insertion("crm_contacts", sql.CONTACT_COLUMNS, "%s")
INSERT_OPPORTUNITY = sql.insertion("crm_opportunities", sql.OPPORTUNITY_COLUMNS, "%s")
UPDATE = """UPDATE crm_leads SET status = %s, rating = %s, version = %s,
updated_at = %s, updated_by = %s WHERE tenant = %s AND id = %s AND version = %s"""
TO_CONVERT = f"""SELECT {", ".join(sql.CONVERTED_COLUMNS)} FROM crm_leads
WHERE tenant = %s AND id = %s"""
HOLDER = "SELECT record_id FROM crm_claim WHERE tenant = %s AND scope = %s AND key = %s"
CLAIM = "INSERT INTO crm_claim (tenant, scope, key, record_id) VALUES (%s, %s, %s, %s)"
ALIKE = """SELECT key, record_id FROM crm_match_key
WHERE tenant = %s AND entity = %s AND key = ANY(%s) LIMIT 200"""
ACTIVITIES = """SELECT a.id, a.version FROM crm_match_key k
JOIN {table} a ON a.tenant = k.tenant AND a.id = k.record_id
WHERE k.tenant = %s AND k.entity = %s AND k.key = %s AND a.deleted_at IS NULL"""
CARRY = """UPDATE {table} SET related_to = %s, related_to_entity = 'opportunity',
links = %s, version = %s, updated_at = %s, updated_by = %s
WHERE tenant = %s AND id = %s AND version = %s"""
CONVERT = """UPDATE crm_leads SET status = 'converted', converted_at = %s,
converted_by = %s, converted_account_id = %s, converted_contact_id = %s,
converted_opportunity_id = %s, version = %s, updated_at = %s, updated_by = %s
WHERE tenant = %s AND id = %s AND version = %s"""


def _points(value: Any) -> tuple[ContactPoint, ...] | None:
    if value is None:
        return None
    return tuple(ContactPoint(p["value"], p["kind"]) for p in value)


def lead_of(row: Sequence[Any]) -> Lead:
    """Return the lead of a row."""
    address = row[36:42]
    return Lead(
        id=row[0],
        version=row[1],
        owner_id=row[2],
        created_at=row[3],
        created_by=row[4],
        updated_at=row[5],
        updated_by=row[6],
        deleted_at=row[7],
        deleted_by=row[8],
        last_name=row[9],
        first_name=row[10],
        english_name=row[11],
        salutation=row[12],
        number=row[13],
        external_id=row[14],
        record_type=row[15],
        project_name=row[16],
        company_name=row[17],
        department=row[18],
        title=row[19],
        phone=row[20],
        mobile=row[21],
        fax=row[22],
        phones=_points(row[23]),
        email=row[24],
        secondary_email=row[25],
        emails=_points(row[26]),
        website=row[27],
        lead_source=row[28],
        campaign=row[29],
        industry=row[30],
        annual_revenue=None
        if row[31] is None
        else Money(Decimal(row[31]).scaleb(-4), row[32]),
        number_of_employees=row[33],
        status=row[34],
        rating=row[35],
        mailing_address=Address(*address) if any(address) else None,
        do_not_call=row[42],
        email_opt_out=row[43],
        latest_activity_at=row[44],
        entry_way=row[45],
        description=row[46],
        converted_at=row[47],
        converted_by=row[48],
        converted_account_id=row[49],
        converted_contact_id=row[50],
        converted_opportunity_id=row[51],
        invalid_at=row[52],
        invalid_by=row[53],
        archived_at=row[54],
        archived_by=row[55],
    )


def _copy(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"COPY {table} ({names}) FROM STDIN"


_COPIES = {
    "lead": _copy("crm_leads", sql.LEAD_COLUMNS),
    "key": _copy("crm_match_key", sql.KEY_COLUMNS),
    "history": _copy("crm_history", sql.HISTORY_COLUMNS),
    "event": _copy("crm_outbox", sql.OUTBOX_COLUMNS),
}


class PostgreSQLByHand:
    """The five operations for one user, who sees the records of ``scope``."""

    def __init__(
        self, url: str, tenant: str, actor: UUID, scope: Iterable[UUID]
    ) -> None:
        self._db = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        self._db.execute("SET TIME ZONE 'UTC'")
        self._cursor = self._db.cursor(binary=True)
        self._tenant, self._actor, self._scope = tenant, actor, frozenset(scope)
        # The array as text, made once: the driver would adapt each id at each query.
        self._owners = "{" + ",".join(owner.hex for owner in self._scope) + "}"
        self._ids = UUID7Factory()

    def close(self) -> None:
        self._db.close()

    # -- reading ---------------------------------------------------------------------

    def get(self, identity: UUID) -> Lead:
        row = self._cursor.execute(GET, (self._tenant, identity)).fetchone()
        assert row is not None
        lead = lead_of(row)
        if lead.deleted_at is not None or lead.owner_id not in self._scope:
            raise LookupError(identity)
        return lead

    def page(self, boundary: tuple[datetime, UUID] | None) -> list[Lead]:
        """Return 50 leads, the newest first; a 51st row tells whether there are more."""
        run, values = self._cursor.execute, (self._tenant, self._owners)
        # Planned for this list: a plan for any list would guess its length.
        if boundary is None:
            rows = run(PAGE, values, prepare=False).fetchall()
        else:
            rows = run(BEHIND, (*values, *boundary), prepare=False).fetchall()
        return [lead_of(row) for row in rows[:50]]

    # -- writing ---------------------------------------------------------------------

    def _new_stamp(self) -> Stamp:
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return Stamp(self._tenant, self._actor, now, self._ids.new)

    def _write(
        self, what: str, statement: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        if len(rows) < 50:
            self._cursor.executemany(statement, rows)
            return
        with self._cursor.copy(_COPIES[what]) as copy:
            for row in rows:
                copy.write_row(row)

    def _insert_leads(self, stamp: Stamp, leads: list[Row]) -> None:
        columns = sql.LEAD_COLUMNS
        rows = [sql.of_columns(lead, columns) for lead in leads]
        self._write("lead", INSERT_LEAD, rows)
        keys = [
            row
            for lead in leads
            for row in sql.key_rows(
                stamp, "lead", person_keys(lead, lead["company_name"]), lead["id"]
            )
        ]
        self._write("key", INSERT_KEY, keys)

    def _note(self, stamp: Stamp, notes: Sequence[sql.Noted]) -> None:
        history = [sql.history_row(stamp, *note) for note in notes]
        self._write("history", INSERT_HISTORY, history)
        events = [sql.event_row(stamp, *note) for note in notes]
        self._write("event", INSERT_EVENT, events)

    def create(self, batch: Sequence[dict[str, Any]]) -> None:
        """Create leads."""
        stamp = self._new_stamp()
        leads = [new_lead(stamp, checked_lead(values)) for values in batch]
        self._cursor.execute("BEGIN")
        self._insert_leads(stamp, leads)
        notes: list[sql.Noted] = [("lead", r["id"], 1, "created", ()) for r in leads]
        self._note(stamp, notes)
        self._cursor.execute("COMMIT")

    def work(self, ids: Sequence[UUID], values: dict[str, Any]) -> None:
        """Read three leads, change two fields of each, create one; one commit."""
        stamp = self._new_stamp()
        read = [self.get(identity) for identity in ids]
        created = new_lead(stamp, checked_lead(values))
        notes: list[sql.Noted] = []
        updates = []
        for lead in read:
            who = (stamp.at, self._actor, self._tenant, lead.id, lead.version)
            updates.append(("assigned", "hot", lead.version + 1, *who))
            fields = [
                ["status", lead.status, "assigned"],
                ["rating", lead.rating, "hot"],
            ]
            notes.append(("lead", lead.id, lead.version + 1, "updated", fields))
        self._cursor.execute("BEGIN")
        self._cursor.executemany(UPDATE, updates)
        if self._cursor.rowcount != len(updates):
            raise RuntimeError("stale")
        self._insert_leads(stamp, [created])
        notes.append(("lead", created["id"], 1, "created", ()))
        self._note(stamp, notes)
        self._cursor.execute("COMMIT")

    def convert(self, identity: UUID) -> None:
        """Plan the conversion of a lead and carry it out."""
        run, tenant = self._cursor.execute, self._tenant
        stamp = self._new_stamp()
        lead = self._lead_to_convert(identity, TO_CONVERT)
        at = stamp.at.isoformat(timespec="milliseconds")
        made = conversion(stamp, lead, stamp.at.date(), str, at)
        claim = (tenant, "account.name", made.claim)
        taken = run(HOLDER, claim).fetchone()
        contacts = run(ALIKE, (tenant, "contact", made.contact_keys)).fetchall()
        accounts = run(ALIKE, (tenant, "account", made.account_keys)).fetchall()
        self._activities(identity)
        if taken or contacts or accounts:
            raise LookupError("duplicate")
        run("BEGIN")
        current = self._lead_to_convert(identity, f"{TO_CONVERT} FOR UPDATE")
        if current["version"] != lead["version"]:
            raise RuntimeError("stale")
        activities = self._activities(identity)
        run(CLAIM, (*claim, made.account["id"]))
        run(INSERT_ACCOUNT, sql.of_columns(made.account, sql.ACCOUNT_COLUMNS))
        run(INSERT_CONTACT, sql.of_columns(made.contact, sql.CONTACT_COLUMNS))
        opportunity = sql.of_columns(made.opportunity, sql.OPPORTUNITY_COLUMNS)
        run(INSERT_OPPORTUNITY, opportunity)
        keys = [
            *sql.key_rows(stamp, "account", made.account_keys, made.account["id"]),
            *sql.key_rows(stamp, "contact", made.contact_keys, made.contact["id"]),
        ]
        self._cursor.executemany(INSERT_KEY, keys)
        # A converted lead is found as a contact from now on.
        lead_keys = person_keys(lead, lead["company_name"])
        run(DELETE_KEYS, (tenant, lead_keys, identity))
        who = (stamp.at, self._actor)
        new = (made.account["id"], made.contact["id"], made.opportunity["id"])
        place = (tenant, lead["id"], lead["version"])
        if run(CONVERT, (*who, *new, lead["version"] + 1, *who, *place)).rowcount != 1:
            raise RuntimeError("stale")
        links, linked = link_changes(made, identity, str)
        text = dumps(links)
        added = new_link_keys(links, str(new[2]))
        self._cursor.executemany(
            INSERT_KEY,
            [
                row
                for entity, activity, _ in activities
                for row in sql.key_rows(stamp, entity, added, activity)
            ],
        )
        for entity, activity, version in activities:
            values = (new[2], text, version + 1, *who, tenant, activity, version)
            if run(CARRY.format(table=f"crm_{entity}s"), values).rowcount != 1:
                raise RuntimeError("stale")
        self._note(stamp, sql.conversion_notes(lead, made, activities, linked))
        run("COMMIT")

    def _lead_to_convert(self, identity: UUID, statement: str) -> Row:
        row = self._cursor.execute(statement, (self._tenant, identity)).fetchone()
        lead = dict(zip(sql.CONVERTED_COLUMNS, row or (), strict=True))
        if lead["deleted_at"] is not None or lead["status"] == "converted":
            raise LookupError(identity)
        if lead["owner_id"] not in self._scope:
            raise LookupError(identity)
        return lead

    def _activities(self, lead: UUID) -> list[tuple[str, UUID, int]]:
        key = f"link:lead:{lead}"
        return [
            (entity, identity, version)
            for entity in ("task", "note")
            for identity, version in self._cursor.execute(
                ACTIVITIES.format(table=f"crm_{entity}s"), (self._tenant, entity, key)
            ).fetchall()
        ]
