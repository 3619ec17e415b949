"""SQLite with the driver of the standard library."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

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

__all__ = ["SQLiteByHand"]

_READ = ", ".join(f'"{name}"' for name in sql.READ_COLUMNS)
GET = f"SELECT {_READ} FROM crm_leads WHERE tenant = ? AND id = ?"
# The unary plus keeps the index of owners out: the walk by time finds 51 rows at once.
# One blob with all owners is read faster than a thousand parameters.
_VISIBLE = """tenant = ? AND deleted_at IS NULL AND archived_at IS NULL AND +owner_id IN (
SELECT substr(?, value, 16) FROM json_each(?))"""
_LAST = "ORDER BY created_at DESC, id DESC LIMIT 51"
PAGE = f"SELECT {_READ} FROM crm_leads WHERE {_VISIBLE} {_LAST}"
BEHIND = f"""SELECT {_READ} FROM crm_leads
WHERE {_VISIBLE} AND (created_at, id) < (?, ?) {_LAST}"""
INSERT_LEAD = sql.insertion("crm_leads", sql.LEAD_COLUMNS, "?")
INSERT_KEY = sql.insertion("crm_match_key", sql.KEY_COLUMNS, "?")
DELETE_KEY = """DELETE FROM crm_match_key
WHERE tenant = ? AND entity = ? AND key = ? AND record_id = ?"""
INSERT_HISTORY = sql.insertion("crm_history", sql.HISTORY_COLUMNS, "?")
INSERT_EVENT = sql.insertion("crm_outbox", sql.OUTBOX_COLUMNS, "?")
INSERT_ACCOUNT = sql.insertion("crm_accounts", sql.ACCOUNT_COLUMNS, "?")
INSERT_CONTACT = sql.insertion("crm_contacts", sql.CONTACT_COLUMNS, "?")
INSERT_OPPORTUNITY = sql.insertion("crm_opportunities", sql.OPPORTUNITY_COLUMNS, "?")
UPDATE = """UPDATE crm_leads SET status = ?, rating = ?, version = ?, updated_at = ?,
updated_by = ? WHERE tenant = ? AND id = ? AND version = ?"""
TO_CONVERT = f"""SELECT {", ".join(sql.CONVERTED_COLUMNS)} FROM crm_leads
WHERE tenant = ? AND id = ?"""
HOLDER = "SELECT record_id FROM crm_claim WHERE tenant = ? AND scope = ? AND key = ?"
CLAIM = "INSERT INTO crm_claim (tenant, scope, key, record_id) VALUES (?, ?, ?, ?)"
ALIKE = """SELECT record_id FROM crm_match_key
WHERE tenant = ? AND entity = ? AND key = ? ORDER BY record_id LIMIT 51"""
ACTIVITIES = """SELECT a.id, a.version FROM crm_match_key k
JOIN {table} a ON a.tenant = k.tenant AND a.id = k.record_id
WHERE k.tenant = ? AND k.entity = ? AND k.key = ? AND a.deleted_at IS NULL"""
CARRY = """UPDATE {table} SET related_to = ?, related_to_entity = 'opportunity',
links = ?, version = ?, updated_at = ?, updated_by = ?
WHERE tenant = ? AND id = ? AND version = ?"""
CONVERT = """UPDATE crm_leads SET status = 'converted', converted_at = ?,
converted_by = ?, converted_account_id = ?, converted_contact_id = ?,
converted_opportunity_id = ?, version = ?, updated_at = ?, updated_by = ?
WHERE tenant = ? AND id = ? AND version = ?"""

_time = datetime.fromisoformat


def _stamp(moment: datetime) -> str:
    return moment.isoformat("T", "milliseconds")


def _id(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else _time(value)


def _points(value: str | None) -> tuple[ContactPoint, ...] | None:
    if value is None:
        return None
    return tuple(ContactPoint(p["value"], p["kind"]) for p in json.loads(value))


def lead_of(row: Sequence[Any]) -> Lead:
    """Return the lead of a row."""
    address = row[36:42]
    return Lead(
        id=UUID(bytes=row[0]),
        version=row[1],
        owner_id=_id(row[2]),
        created_at=_time(row[3]),
        created_by=_id(row[4]),
        updated_at=_time(row[5]),
        updated_by=_id(row[6]),
        deleted_at=_moment(row[7]),
        deleted_by=_id(row[8]),
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
        do_not_call=row[42] == 1,
        email_opt_out=row[43] == 1,
        latest_activity_at=_moment(row[44]),
        entry_way=row[45],
        description=row[46],
        converted_at=_moment(row[47]),
        converted_by=_id(row[48]),
        converted_account_id=_id(row[49]),
        converted_contact_id=_id(row[50]),
        converted_opportunity_id=_id(row[51]),
        invalid_at=_moment(row[52]),
        invalid_by=_id(row[53]),
        archived_at=_moment(row[54]),
        archived_by=_id(row[55]),
    )


def _text(identity: bytes) -> str:
    return str(UUID(bytes=identity))


class SQLiteByHand:
    """The five operations for one user, who sees the records of ``scope``."""

    def __init__(
        self, path: str, tenant: str, actor: UUID, scope: Iterable[UUID]
    ) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA busy_timeout = 10000")
        self._tenant, self._actor, self._scope = tenant, actor.bytes, frozenset(scope)
        self._ids = UUID7Factory()
        self._owners = b"".join(owner.bytes for owner in self._scope)
        self._places = dumps(list(range(1, 1 + len(self._owners), 16)))

    def close(self) -> None:
        self._db.close()

    # -- reading ---------------------------------------------------------------------

    def get(self, identity: UUID) -> Lead:
        row = self._db.execute(GET, (self._tenant, identity.bytes)).fetchone()
        lead = lead_of(row)
        if lead.deleted_at is not None or lead.owner_id not in self._scope:
            raise LookupError(identity)
        return lead

    def page(self, boundary: tuple[datetime, UUID] | None) -> list[Lead]:
        """Return 50 leads, the newest first; a 51st row tells whether there are more."""
        values = (self._tenant, self._owners, self._places)
        if boundary is None:
            rows = self._db.execute(PAGE, values).fetchall()
        else:
            behind = (_stamp(boundary[0]), boundary[1].bytes)
            rows = self._db.execute(BEHIND, (*values, *behind)).fetchall()
        return [lead_of(row) for row in rows[:50]]

    # -- writing ---------------------------------------------------------------------

    def _new_stamp(self) -> Stamp:
        now = datetime.now(UTC)
        new = self._ids.new
        return Stamp(self._tenant, self._actor, _stamp(now), lambda: new().bytes)

    def _insert_leads(self, stamp: Stamp, leads: list[Row]) -> None:
        many = self._db.executemany
        many(INSERT_LEAD, [sql.of_columns(lead, sql.LEAD_COLUMNS) for lead in leads])
        many(
            INSERT_KEY,
            [
                row
                for lead in leads
                for row in sql.key_rows(
                    stamp, "lead", person_keys(lead, lead["company_name"]), lead["id"]
                )
            ],
        )

    def _note(self, stamp: Stamp, notes: Sequence[sql.Noted]) -> None:
        many = self._db.executemany
        many(INSERT_HISTORY, [sql.history_row(stamp, *note) for note in notes])
        many(INSERT_EVENT, [sql.event_row(stamp, *note) for note in notes])

    def create(self, batch: Sequence[dict[str, Any]]) -> None:
        """Create leads."""
        stamp = self._new_stamp()
        leads = [new_lead(stamp, checked_lead(values)) for values in batch]
        self._db.execute("BEGIN IMMEDIATE")
        self._insert_leads(stamp, leads)
        notes: list[sql.Noted] = [("lead", r["id"], 1, "created", ()) for r in leads]
        self._note(stamp, notes)
        self._db.execute("COMMIT")

    def work(self, ids: Sequence[UUID], values: dict[str, Any]) -> None:
        """Read three leads, change two fields of each, create one; one commit."""
        stamp = self._new_stamp()
        read = [self.get(identity) for identity in ids]
        created = new_lead(stamp, checked_lead(values))
        notes: list[sql.Noted] = []
        self._db.execute("BEGIN IMMEDIATE")
        for lead in read:
            identity, version = lead.id.bytes, lead.version + 1
            changed = [stamp.at, self._actor, self._tenant, identity, lead.version]
            done = self._db.execute(UPDATE, ["assigned", "hot", version, *changed])
            if done.rowcount != 1:
                raise RuntimeError("stale")
            fields = [
                ["status", lead.status, "assigned"],
                ["rating", lead.rating, "hot"],
            ]
            notes.append(("lead", identity, version, "updated", fields))
        self._insert_leads(stamp, [created])
        notes.append(("lead", created["id"], 1, "created", ()))
        self._note(stamp, notes)
        self._db.execute("COMMIT")

    def convert(self, identity: UUID) -> None:
        """Plan the conversion of a lead and carry it out."""
        run, tenant = self._db.execute, self._tenant
        lead = self._lead_to_convert(identity)
        stamp = self._new_stamp()
        today = datetime.now(UTC).date()
        made = conversion(stamp, lead, today, _text, stamp.at)
        taken = run(HOLDER, (tenant, "account.name", made.claim)).fetchone()
        alike = [
            run(ALIKE, (tenant, entity, key)).fetchall()
            for entity, keys in (
                ("contact", made.contact_keys),
                ("account", made.account_keys),
            )
            for key in keys
        ]
        self._activities(lead["id"])
        if taken or any(alike):
            raise LookupError("duplicate")
        run("BEGIN IMMEDIATE")
        current = self._lead_to_convert(identity)
        if current["version"] != lead["version"]:
            raise RuntimeError("stale")
        activities = self._activities(lead["id"])
        run(CLAIM, (tenant, "account.name", made.claim, made.account["id"]))
        run(INSERT_ACCOUNT, sql.of_columns(made.account, sql.ACCOUNT_COLUMNS))
        run(INSERT_CONTACT, sql.of_columns(made.contact, sql.CONTACT_COLUMNS))
        run(
            INSERT_OPPORTUNITY,
            _with_day(sql.of_columns(made.opportunity, sql.OPPORTUNITY_COLUMNS)),
        )
        self._db.executemany(
            INSERT_KEY,
            [
                *sql.key_rows(stamp, "account", made.account_keys, made.account["id"]),
                *sql.key_rows(stamp, "contact", made.contact_keys, made.contact["id"]),
            ],
        )
        # A converted lead is found as a contact from now on.
        lead_keys = person_keys(lead, lead["company_name"])
        gone = sql.key_rows(stamp, "lead", lead_keys, lead["id"])
        self._db.executemany(DELETE_KEY, gone)
        who = (stamp.at, self._actor)
        new = (made.account["id"], made.contact["id"], made.opportunity["id"])
        place = (tenant, lead["id"], lead["version"])
        if run(CONVERT, (*who, *new, lead["version"] + 1, *who, *place)).rowcount != 1:
            raise RuntimeError("stale")
        links, linked = link_changes(made, lead["id"], _text)
        text = dumps(links)
        added = new_link_keys(links, _text(new[2]))
        self._db.executemany(
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

    def _lead_to_convert(self, identity: UUID) -> Row:
        row = self._db.execute(TO_CONVERT, (self._tenant, identity.bytes)).fetchone()
        lead = dict(zip(sql.CONVERTED_COLUMNS, row, strict=True))
        if lead["deleted_at"] is not None or lead["status"] == "converted":
            raise LookupError(identity)
        if UUID(bytes=lead["owner_id"]) not in self._scope:
            raise LookupError(identity)
        return lead

    def _activities(self, lead: bytes) -> list[tuple[str, bytes, int]]:
        key = f"link:lead:{_text(lead)}"
        return [
            (entity, identity, version)
            for entity in ("task", "note")
            for identity, version in self._db.execute(
                ACTIVITIES.format(table=f"crm_{entity}s"), (self._tenant, entity, key)
            )
        ]


def _with_day(values: tuple[Any, ...]) -> tuple[Any, ...]:
    place = sql.OPPORTUNITY_COLUMNS.index("close_date")
    return (*values[:place], values[place].isoformat(), *values[place + 1 :])
