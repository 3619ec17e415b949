"""MongoDB with pymongo: transactions with majority writes and snapshot reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.int64 import Int64
from pymongo import MongoClient, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.by_hand.rows import (
    Row,
    Stamp,
    conversion,
    link_changes,
    new_lead,
    new_link_keys,
)
from benchmarks.by_hand.rules import checked_lead, person_keys
from benchmarks.by_hand.sql import Noted, conversion_notes
from crmcore import Lead
from crmcore.ports import UUID7Factory
from crmcore.records import Address, ContactPoint, Money

__all__ = ["MongoDBByHand"]

Document = dict[str, Any]
_MAJORITY = WriteConcern(w="majority", j=True)
_CODEC: CodecOptions[Document] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD, tz_aware=True
)
_UNREAD = {"_id": 0, "tenant": 0, "folded": 0, "match_keys": 0}
_NEWEST = [("created_at", -1), ("id", -1)]
_LONG = ("version", "annual_revenue", "number_of_employees", "probability")


def _points(value: Any) -> tuple[ContactPoint, ...] | None:
    if value is None:
        return None
    return tuple(ContactPoint(p["value"], p["kind"]) for p in value)


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def lead_of(document: Mapping[str, Any]) -> Lead:
    """Return the lead of a document."""
    get = document.get
    revenue = get("annual_revenue")
    address = (
        get("mailing_address_street"),
        get("mailing_address_po_box"),
        get("mailing_address_postal_code"),
        get("mailing_address_city"),
        get("mailing_address_province"),
        get("mailing_address_country"),
    )
    return Lead(
        id=document["id"],
        version=int(document["version"]),
        owner_id=get("owner_id"),
        created_at=get("created_at"),
        created_by=get("created_by"),
        updated_at=get("updated_at"),
        updated_by=get("updated_by"),
        deleted_at=get("deleted_at"),
        deleted_by=get("deleted_by"),
        last_name=get("last_name"),
        first_name=get("first_name"),
        english_name=get("english_name"),
        salutation=get("salutation"),
        number=get("number"),
        external_id=get("external_id"),
        record_type=get("record_type"),
        project_name=get("project_name"),
        company_name=get("company_name"),
        department=get("department"),
        title=get("title"),
        phone=get("phone"),
        mobile=get("mobile"),
        fax=get("fax"),
        phones=_points(get("phones")),
        email=get("email"),
        secondary_email=get("secondary_email"),
        emails=_points(get("emails")),
        website=get("website"),
        lead_source=get("lead_source"),
        campaign=get("campaign"),
        industry=get("industry"),
        annual_revenue=None
        if revenue is None
        else Money(
            Decimal(int(revenue)).scaleb(-4), document["annual_revenue_currency"]
        ),
        number_of_employees=_number(get("number_of_employees")),
        status=get("status"),
        rating=get("rating"),
        mailing_address=Address(*address) if any(address) else None,
        do_not_call=get("do_not_call"),
        email_opt_out=get("email_opt_out"),
        latest_activity_at=get("latest_activity_at"),
        entry_way=get("entry_way"),
        description=get("description"),
        converted_at=get("converted_at"),
        converted_by=get("converted_by"),
        converted_account_id=get("converted_account_id"),
        converted_contact_id=get("converted_contact_id"),
        converted_opportunity_id=get("converted_opportunity_id"),
        invalid_at=get("invalid_at"),
        invalid_by=get("invalid_by"),
        archived_at=get("archived_at"),
        archived_by=get("archived_by"),
    )


def _document(row: Row, keys: list[str] | None = None) -> Document:
    document = {k: v for k, v in row.items() if v is not None}
    for name in _LONG:
        if name in document:
            document[name] = Int64(document[name])
    if keys:
        document["match_keys"] = keys
    return document


def _history(
    stamp: Stamp,
    entity: str,
    identity: UUID,
    version: int,
    action: str,
    changes: Sequence[Sequence[Any]] = (),
) -> Document:
    return {
        "tenant": stamp.tenant,
        "entity": entity,
        "record_id": identity,
        "version": version,
        "action": action,
        "at": stamp.at,
        "by": stamp.actor,
        "changes": [{"field": f, "old": old, "new": new} for f, old, new in changes],
    }


def _event(
    stamp: Stamp,
    entity: str,
    identity: UUID,
    version: int,
    action: str,
    changes: Sequence[Sequence[Any]] = (),
) -> Document:
    return {
        "tenant": stamp.tenant,
        "id": stamp.new(),
        "kind": f"{entity}.{action}",
        "entity": entity,
        "record_id": identity,
        "version": version,
        "at": stamp.at,
        "by": stamp.actor,
        "payload": {"fields": [c[0] for c in changes]} if changes else {},
        "leased_until": None,
    }


class MongoDBByHand:
    """The five operations for one user, who sees the records of ``scope``."""

    def __init__(
        self, url: str, database: str, tenant: str, actor: UUID, scope: Iterable[UUID]
    ) -> None:
        self._client: MongoClient[Document] = MongoClient(url)
        data = self._client.get_database(
            database,
            codec_options=_CODEC,
            write_concern=_MAJORITY,
            read_concern=ReadConcern("majority"),
        )
        self._leads, self._claims = data["crm_leads"], data["crm_claims"]
        self._accounts, self._contacts = data["crm_accounts"], data["crm_contacts"]
        self._opportunities = data["crm_opportunities"]
        self._activity = {"task": data["crm_tasks"], "note": data["crm_notes"]}
        self._history, self._outbox = data["crm_history"], data["crm_outbox"]
        self._tenant, self._actor, self._scope = tenant, actor, frozenset(scope)
        self._owners = list(self._scope)
        self._ids = UUID7Factory()

    def close(self) -> None:
        self._client.close()

    # -- reading ---------------------------------------------------------------------

    def get(self, identity: UUID) -> Lead:
        condition = {"tenant": self._tenant, "id": identity}
        document = self._leads.find_one(condition, _UNREAD)
        assert document is not None
        lead = lead_of(document)
        if lead.deleted_at is not None or lead.owner_id not in self._scope:
            raise LookupError(identity)
        return lead

    def page(self, boundary: tuple[datetime, UUID] | None) -> list[Lead]:
        """Return 50 leads, the newest first; a 51st tells whether there are more."""
        condition: Document = {
            "tenant": self._tenant,
            "owner_id": {"$in": self._owners},
            "deleted_at": None,
            "archived_at": None,
        }
        if boundary is not None:
            at, identity = boundary
            condition["$or"] = [
                {"created_at": {"$lt": at}},
                {"created_at": at, "id": {"$lt": identity}},
            ]
            condition["created_at"] = {"$lte": at}
        found = self._leads.find(
            condition, _UNREAD, sort=_NEWEST, limit=51, batch_size=52
        ).hint("tenant__created_at__id")
        return [lead_of(document) for document in list(found)[:50]]

    # -- writing ---------------------------------------------------------------------

    def _new_stamp(self) -> Stamp:
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return Stamp(self._tenant, self._actor, now, self._ids.new)

    def _start(self) -> ClientSession:
        session = self._client.start_session(causal_consistency=False)
        session.start_transaction(
            read_concern=ReadConcern("snapshot"), write_concern=_MAJORITY
        )
        return session

    def _insert_leads(self, session: ClientSession, leads: Sequence[Row]) -> None:
        documents = [
            _document(lead, person_keys(lead, lead["company_name"])) for lead in leads
        ]
        self._leads.insert_many(documents, session=session)

    def _note(
        self, session: ClientSession, stamp: Stamp, notes: Sequence[Noted]
    ) -> None:
        history = [_history(stamp, *note) for note in notes]
        self._history.insert_many(history, session=session)
        events = [_event(stamp, *note) for note in notes]
        self._outbox.insert_many(events, session=session)

    def create(self, batch: Sequence[dict[str, Any]]) -> None:
        """Create leads."""
        stamp = self._new_stamp()
        leads = [new_lead(stamp, checked_lead(values)) for values in batch]
        with self._start() as session:
            self._insert_leads(session, leads)
            notes: list[Noted] = [("lead", r["id"], 1, "created", ()) for r in leads]
            self._note(session, stamp, notes)
            session.commit_transaction()

    def work(self, ids: Sequence[UUID], values: dict[str, Any]) -> None:
        """Read three leads, change two fields of each, create one; one commit."""
        stamp = self._new_stamp()
        read = [self.get(identity) for identity in ids]
        created = new_lead(stamp, checked_lead(values))
        notes: list[Noted] = []
        updates = []
        for lead in read:
            version = lead.version + 1
            changed = {
                "status": "assigned",
                "rating": "hot",
                "version": Int64(version),
                "updated_at": stamp.at,
                "updated_by": self._actor,
            }
            updates.append(self._update(lead.id, lead.version, changed))
            fields = [
                ["status", lead.status, "assigned"],
                ["rating", lead.rating, "hot"],
            ]
            notes.append(("lead", lead.id, version, "updated", fields))
        with self._start() as session:
            done = self._leads.bulk_write(updates, session=session)
            if done.matched_count != len(updates):
                raise RuntimeError("stale")
            self._insert_leads(session, [created])
            notes.append(("lead", created["id"], 1, "created", ()))
            self._note(session, stamp, notes)
            session.commit_transaction()

    def _update(self, identity: UUID, version: int, changed: Document) -> UpdateOne:
        place = {"tenant": self._tenant, "id": identity, "version": version}
        return UpdateOne(place, {"$set": changed})

    def convert(self, identity: UUID) -> None:
        """Plan the conversion of a lead and carry it out."""
        stamp = self._new_stamp()
        lead = self._lead_to_convert(identity, None)
        at = stamp.at.isoformat(timespec="milliseconds")
        made = conversion(stamp, lead, stamp.at.date(), str, at)
        claim = {"tenant": self._tenant, "scope": "account.name", "key": made.claim}
        taken = self._claims.find_one(claim)
        contacts = self._alike(self._contacts, made.contact_keys)
        accounts = self._alike(self._accounts, made.account_keys)
        self._activities(identity, None)
        if taken or contacts or accounts:
            raise LookupError("duplicate")
        made.opportunity["close_date"] = made.opportunity["close_date"].isoformat()
        with self._start() as session:
            current = self._lead_to_convert(identity, session)
            if current["version"] != lead["version"]:
                raise RuntimeError("stale")
            activities = self._activities(identity, session)
            self._claims.insert_one(
                {**claim, "record_id": made.account["id"]}, session=session
            )
            self._accounts.insert_one(
                _document(made.account, made.account_keys), session=session
            )
            self._contacts.insert_one(
                _document(made.contact, made.contact_keys), session=session
            )
            self._opportunities.insert_one(_document(made.opportunity), session=session)
            who = {"updated_at": stamp.at, "updated_by": self._actor}
            changed = {
                **who,
                "version": Int64(lead["version"] + 1),
                "status": "converted",
                # A converted lead is found as a contact from now on.
                "match_keys": [],
                "converted_at": stamp.at,
                "converted_by": self._actor,
                "converted_account_id": made.account["id"],
                "converted_contact_id": made.contact["id"],
                "converted_opportunity_id": made.opportunity["id"],
            }
            update = self._update(identity, lead["version"], changed)
            if self._leads.bulk_write([update], session=session).matched_count != 1:
                raise RuntimeError("stale")
            links, linked = link_changes(made, identity, str)
            added = new_link_keys(links, str(made.opportunity["id"]))
            keys = sorted([f"link:lead:{identity}", *added])
            for entity, activity, version in activities:
                carried = {
                    **who,
                    "version": Int64(version + 1),
                    "related_to": made.opportunity["id"],
                    "related_to_entity": "opportunity",
                    "links": links,
                    "match_keys": keys,
                }
                update = self._update(activity, version, carried)
                done = self._activity[entity].bulk_write([update], session=session)
                if done.matched_count != 1:
                    raise RuntimeError("stale")
            notes = conversion_notes(lead, made, activities, linked)
            self._note(session, stamp, notes)
            session.commit_transaction()

    def _lead_to_convert(
        self, identity: UUID, session: ClientSession | None
    ) -> Document:
        condition = {"tenant": self._tenant, "id": identity}
        lead = self._leads.find_one(condition, _UNREAD, session=session)
        assert lead is not None
        if lead.get("deleted_at") is not None or lead["status"] == "converted":
            raise LookupError(identity)
        if lead["owner_id"] not in self._scope:
            raise LookupError(identity)
        return lead

    def _alike(self, collection: Any, keys: Sequence[str]) -> list[Document]:
        condition = {"tenant": self._tenant, "match_keys": {"$in": keys}}
        return list(collection.find(condition, {"_id": 0, "id": 1}, limit=200))

    def _activities(
        self, lead: UUID, session: ClientSession | None
    ) -> list[tuple[str, UUID, int]]:
        condition = {
            "tenant": self._tenant,
            "deleted_at": None,
            "match_keys": f"link:lead:{lead}",
        }
        order = [("created_at", 1), ("id", 1)]
        return [
            (entity, found["id"], int(found["version"]))
            for entity, collection in self._activity.items()
            for found in collection.find(
                condition, {"id": 1, "version": 1}, sort=order, session=session
            )
        ]
