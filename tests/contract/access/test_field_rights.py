"""Hidden and closed fields, on every path by which a value could come out (ACC-09)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Contact,
    F,
    Lead,
    MemoryStore,
    Money,
    Opportunity,
    Session,
    UniqueViolation,
    User,
    ValidationError,
)
from crmcore.access import AccessPolicy, Profile
from crmcore.criteria import count
from crmcore.exchange import run_import
from crmcore.leads import Create
from crmcore.records import Integer, MoneyAmount, RollUp, fields

ALL = AccessPolicy().profile("administrator").actions  # type: ignore[union-attr]
CLERK = Profile(
    "clerk",
    ALL,
    sees_all=True,
    fields={
        "lead": {
            "annual_revenue": "hidden",
            "email": "hidden",
            "external_id": "hidden",
            "secret": "hidden",
            "title": "read",
        },
        "account": {"annual_revenue": "hidden", "industry": "read"},
        "contact": {"email": "hidden"},
        "opportunity": {"amount": "hidden", "stage": "read"},
    },
)
DOUBLED = fields.custom("doubled", Integer(), formula="secret * 2")
VOLUME = fields.custom(
    "volume",
    MoneyAmount(),
    roll_up=RollUp(
        child="opportunity", relation="account_id", function="sum", field="amount"
    ),
)


def crm_on(store: Any, tenant: str, **policy: Any) -> CRM:
    made = CRM(
        store,
        policy=AccessPolicy(
            profiles=(*AccessPolicy().profiles, CLERK),
            default_access={"lead": "edit", "account": "edit"},
            **policy,
        ),
        fields={Lead: [fields.custom("secret", Integer()), DOUBLED], Account: [VOLUME]},
    ).tenant(tenant)
    with made.session(SYSTEM) as s:
        s.create(User(username="admin", profile="administrator"))
        s.create(User(username="clerk", profile="clerk"))
    return made


def fill(s: Session, secret: int = 7, mail: str = "wu@example.com") -> Lead:
    """Store records whose hidden values depend on the arguments."""
    account = s.create(Account(name="Acme", annual_revenue=Money(secret, "EUR")))
    s.create(
        Opportunity(name="Deal", account_id=account.id, amount=Money(secret, "EUR"))
    )
    s.create(Contact(last_name="Li", account_id=account.id, email=mail))
    return s.create(
        Lead(
            last_name="Wu",
            email=mail,
            title="CEO",
            annual_revenue=Money(secret, "EUR"),
            external_id=f"A-{secret}",
        ),
        secret=secret,
    )


@pytest.fixture
def crm(store: Any, tenant: str) -> CRM:
    made = crm_on(store, tenant)
    with made.session("admin") as s:
        fill(s)
    return made


def reasons(caught: Any) -> dict[str, str]:
    return {problem.field: problem.reason for problem in caught.value.problems}


HIDDEN = ("annual_revenue", "email", "external_id", "secret", "doubled")


@pytest.mark.capability("ACC-09")
def test_hidden_fields_are_empty_in_every_read(crm: CRM) -> None:
    """get, find, stream, related, and what writing verbs return; formulas with them."""
    with crm.session("admin") as s:
        (whole,) = s.find(Lead)
        assert (7, 14, "wu@example.com") == (
            whole["secret"],
            whole["doubled"],
            whole.email,
        )
    with crm.session("clerk") as s:
        (found,) = s.find(Lead)
        (account,) = s.find(Account)
        (contact,) = s.related(account, Contact)
        for lead in (
            found,
            s.get(Lead, whole.id),
            *s.stream(Lead),
            s.update(found, last_name="Wang"),
            s.copy(found),
        ):
            assert [None] * 5 == [lead[name] for name in HIDDEN]
            assert "CEO" == lead.title
        assert (None, None) == (contact.email, account["volume"])
    with crm.session("admin") as s:
        # The change of another field left everything hidden as it was.
        lead = s.get(Lead, whole.id)
        assert ("Wang", 7, "wu@example.com") == (
            lead.last_name,
            lead["secret"],
            lead.email,
        )


@pytest.mark.capability("ACC-09")
@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_field_is_answered_like_an_unknown_one(crm: CRM, name: str) -> None:
    """Filters, orders, groups, measures, keys, histories: the same error."""
    asks: list[Any] = [
        lambda s, n: s.find(Lead, F[n].is_null()),
        lambda s, n: s.count(Lead, ~F[n].is_null()),
        lambda s, n: s.find(Lead, order_by=F[n]),
        lambda s, n: list(s.stream(Lead, F[n].is_null())),
        lambda s, n: s.aggregate(Lead, {"n": count()}, group_by=[F[n]]),
        lambda s, n: s.aggregate(Lead, {"n": F[n].max()}),
        lambda s, n: s.delete_by_key(Lead, n, "A-7"),
        lambda s, n: s.mass_update(Lead, F.last_name == "Wu", {n: None}),
        lambda s, n: s.history(next(iter(s.find(Lead))), n),
        lambda s, n: s.preview_number(Lead, n),
    ]
    for ask in asks:
        found = []
        for field in (name, "nowhere"):
            with crm.session("clerk") as s, pytest.raises(ValidationError) as caught:
                ask(s, field)
            found.append([problem.reason for problem in caught.value.problems])
        assert [["unknown_field"]] * 2 == found


@pytest.mark.capability("ACC-09")
def test_a_hidden_field_is_not_followed_to(crm: CRM) -> None:
    """Conditions across references end at the same rights."""
    with crm.session("clerk") as s:
        assert 1 == s.count(Contact, F.account.name == "Acme")
        with pytest.raises(ValidationError) as caught:
            s.count(Contact, F.account.annual_revenue.is_null())
    assert ["unknown_field"] == [p.reason for p in caught.value.problems]


@pytest.mark.capability("ACC-09")
def test_writing_is_refused_and_changes_nothing(crm: CRM) -> None:
    """A hidden field is unknown, a readable one read-only; keeping a value is fine."""
    with crm.session("clerk") as s:
        (lead,) = s.find(Lead)
        with pytest.raises(ValidationError) as caught:
            s.update(lead, email="x@example.com", title="CFO", last_name="Li")
        assert {"email": "unknown_field", "title": "read_only"} == reasons(caught)
        assert lead == s.update(lead, title="CEO")
        with pytest.raises(ValidationError) as caught:
            s.create(Lead(last_name="Li", title="CFO"), secret=5)
        assert {"secret": "unknown_field", "title": "read_only"} == reasons(caught)
        report = s.mass_update(Lead, F.last_name == "Wu", {"title": "CFO"})
        assert ["read_only"] == [p.reason for o in report.refused for p in o.problems]
    with crm.session("admin") as s:
        assert 1 == s.count(Lead)


@pytest.mark.capability("ACC-09", "REC-03")
def test_a_required_field_that_is_hidden_is_not_demanded(
    store: Any, tenant: str
) -> None:
    """It may receive its default all the same."""
    crm = crm_on(store, tenant)
    with crm.session("admin") as s:
        s.customisation.change_field("lead", "email", required=True)
        s.customisation.put(
            "validation_rule", "id", {"required": ["external_id"]}, object=Lead
        )
        s.customisation.put(
            "layout",
            "main",
            {
                "sections": [
                    {
                        "key": "a",
                        "fields": [{"field": "annual_revenue", "required": True}],
                    }
                ]
            },
            object=Lead,
        )
    with crm.session("clerk") as s:
        assert s.create(Lead(last_name="Li")).version == 1
    with crm.session("admin") as s, pytest.raises(ValidationError) as caught:
        s.create(Lead(last_name="Li"))
    assert {"email": "required", "annual_revenue": "required"} == reasons(caught)
    with crm.session("admin") as s, pytest.raises(ValidationError) as caught:
        s.create(
            Lead(last_name="Li", email="l@example.com", annual_revenue=Money(1, "EUR"))
        )
    assert {"external_id": "required"} == reasons(caught)


@pytest.mark.capability("ACC-09", "DUP-03")
def test_duplicates_do_not_tell_hidden_values(crm: CRM) -> None:
    """A made-up record finds nobody by an address that its maker may not read."""
    probe = Contact(last_name="Anyone", email="wu@example.com")
    with crm.session("admin") as s:
        assert s.duplicates(probe)
    with crm.session("clerk") as s:
        assert not s.duplicates(Lead(last_name="Anyone", email="wu@example.com"))
        assert not s.duplicates(
            Lead(last_name="Anyone", secondary_email="wu@example.com")
        )


@pytest.mark.capability("ACC-09", "LEAD-03")
def test_a_conversion_carries_nothing_hidden_over(crm: CRM) -> None:
    """Neither out of hidden fields nor into closed ones; the links are made."""
    with crm.session("admin") as s:
        (lead,) = s.find(Lead)
        s.update(lead, company_name="Nova", industry="energy")
    with crm.session("clerk") as s:
        (lead,) = s.find(Lead)
        plan = s.leads.plan_conversion(lead)
        assert "annual_revenue" not in plan.account.values
        with pytest.raises(ValidationError):
            s.leads.convert(lead, account=Create({"industry": "media"}))
        done = s.leads.convert(lead)
        assert done.account is not None
        assert done.account.original_lead_id == lead.id
    with crm.session("admin") as s:
        account = s.get(Account, done.account.id)
        assert (None, None) == (account.annual_revenue, account.industry)
        assert done.contact is not None
        assert s.get(Contact, done.contact.id).email is None


@pytest.mark.capability("ACC-09")
def test_moving_a_stage_needs_the_right_to_the_stage(crm: CRM) -> None:
    """What follows from a move is the library's; the move itself is the actor's."""
    with crm.session("clerk") as s:
        (deal,) = s.find(Opportunity)
        with pytest.raises(ValidationError) as caught:
            s.sales.win(deal)
        assert {"stage": "read_only"} == reasons(caught)
    with crm.session("admin") as s:
        s.sales.win(s.get(Opportunity, deal.id))
    with crm.session("clerk") as s:
        (step,) = s.sales.stage_history(s.get(Opportunity, deal.id))
        assert step.amount is None
        (row,) = s.reporting.funnel().rows
        assert row.won.count == 1
        assert (None, None) == (row.won.amount or None, row.currency)


@pytest.mark.capability("ACC-09")
def test_an_import_knows_no_hidden_field(crm: CRM) -> None:
    """A column for it is unknown, one for a closed field is left out."""
    data = b"last_name,email,title\nLi,li@example.com,CFO\n"
    with crm.session("clerk") as s:
        plan = s.exchange.plan_import(data, Lead)
        assert ["last_name", None, None] == [column.field for column in plan.columns]
        wrong = s.exchange.plan_import(data, Lead, mapping={"email": "email"})
        assert ["unknown_field"] == [problem.reason for problem in wrong.problems]
    assert 1 == run_import(crm, "clerk", plan).created


@pytest.mark.capability("ACC-09", "REC-24")
def test_templates_and_descriptions_leave_hidden_fields_out(crm: CRM) -> None:
    """A hidden value renders like an empty one; a form does not know the field."""
    described = crm.schema("lead").describe("clerk")
    known = {field["name"]: field for field in described["fields"]}
    assert not set(HIDDEN) & set(known)
    assert known["title"]["read_only"]
    assert not known["last_name"]["read_only"]
    with crm.session("admin") as s:
        body = "{{ lead.email }}|{{ lead.title }}|{{ lead.secret }}"
        s.customisation.put(
            "template", "t", {"kind": "print", "object": "lead", "body": body}
        )
    with crm.session("clerk") as s:
        (lead,) = s.find(Lead)
        assert "|CEO|" == s.templates.render("t", lead).body


@pytest.mark.capability("ACC-09")
def test_a_taken_hidden_value_is_not_named(crm: CRM) -> None:
    """A restored record may find its key taken: which one is not told."""
    with crm.session("admin") as s:
        gone = s.delete(next(iter(s.find(Lead))))
        s.create(Lead(last_name="Li", external_id="A-7"))
    with crm.session("clerk") as s:
        with pytest.raises(UniqueViolation) as caught:
            s.restore(s.get(Lead, gone.id, deleted=True))
        assert {"record": "unique"} == reasons(caught)
        assert {"entity": "lead"} == dict(caught.value.details)


@pytest.mark.capability("ACC-09", "REC-18")
def test_rights_may_differ_by_record_type(store: Any, tenant: str) -> None:
    """The nearest word counts; a list cannot be asked by what is partly hidden."""
    crm = crm_on(store, tenant)
    with crm.session("admin") as s:
        s.customisation.put("record_type", "vip", {"label": "Vip"}, object=Lead)
    with crm.session("admin") as s:
        s.customisation.put(
            "profile",
            "desk",
            {
                "actions": {"*": ["create", "read", "edit"]},
                "fields": {
                    "lead:vip": {"title": "hidden"},
                    "lead": {"phone": "read", "title": "edit"},
                },
            },
        )
    with crm.session(SYSTEM) as s:
        s.create(User(username="desk", profile="desk"))
        plain = s.create(Lead(last_name="A", title="CEO"))
        vip = s.create(Lead(last_name="B", title="CFO", record_type="vip"))
    with crm.session("desk") as s:
        assert "CEO" == s.get(Lead, plain.id).title
        assert s.get(Lead, vip.id).title is None
        assert "CTO" == s.update(plain, title="CTO").title
        with pytest.raises(ValidationError) as caught:
            s.update(vip, title="CTO")
        assert {"title": "unknown_field"} == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.find(Lead, F.title == "CEO")
        assert {"title": "partly_hidden"} == reasons(caught)


@pytest.mark.capability("ACC-16")
@pytest.mark.parametrize(
    ("combination", "title", "may_delete"),
    [("union", "CEO", True), ("intersection", None, False)],
)
def test_several_profiles_count_together(
    store: Any, tenant: str, combination: str, title: str | None, may_delete: bool
) -> None:
    """A union takes the widest right, an intersection the narrowest; denied is denied."""
    crm = crm_on(store, tenant, combine_profiles=combination)
    with crm.session("admin") as s:
        reads = {"*": ["create", "read", "edit"]}
        s.customisation.put(
            "profile",
            "blind",
            {"actions": reads, "fields": {"lead": {"title": "hidden"}}},
        )
        s.customisation.put(
            "profile",
            "wide",
            {
                "actions": {"*": ["read", "edit", "delete", "create"]},
                "denied": {"lead": ["edit"]},
            },
        )
    with crm.session(SYSTEM) as s:
        s.create(User(username="two", profile="blind", further_profiles=("wide",)))
        lead = s.create(Lead(last_name="A", title="CEO"))
        with pytest.raises(ValidationError) as caught:
            s.create(User(username="x", further_profiles=("nope",)))
        assert {"further_profiles": "not_an_option"} == reasons(caught)
    with crm.session("two") as s:
        assert title == s.get(Lead, lead.id).title
        allowed = crm.schema("lead").describe("two")["permissions"]
    assert (may_delete, False) == (allowed["delete"], allowed["edit"])


@pytest.mark.capability("ACC-09")
def test_fields_of_a_superiors_record_may_be_closed(store: Any, tenant: str) -> None:
    """Where the policy says so, subordinates change only what is open to them."""
    crm = crm_on(store, tenant, superior_fields=frozenset({"account"}))
    with crm.session(SYSTEM) as s:
        boss = s.create(User(username="boss", profile="manager"))
        s.create(User(username="ann", profile="sales", manager_id=boss.id))
    with crm.session("admin") as s:
        s.customisation.change_field("account", "region", subordinates_may_edit=True)
    with crm.session("boss") as s:
        account = s.create(Account(name="Acme"))
    with crm.session("ann") as s:
        own = s.create(Account(name="Own"))
        assert "New" == s.update(own, name="New").name
        account = s.update(account, region="North")
        with pytest.raises(ValidationError) as caught:
            s.update(account, name="New")
        assert {"name": "read_only"} == reasons(caught)
    with crm.session("boss") as s:
        assert "New name" == s.update(account, name="New name").name


# -- stored profiles ---------------------------------------------------------------------


@pytest.mark.capability("ACC-16")
def test_administrators_store_profiles(crm: CRM) -> None:
    """A change applies to all users of a profile at once; one in use cannot go."""
    with crm.session("admin") as s:
        s.customisation.put("profile", "reader", {"actions": {"lead": ["read"]}})
    with crm.session(SYSTEM) as s:
        user = s.create(User(username="r", profile="reader"))
    with crm.session("r") as s:
        assert 1 == s.count(Lead)
        assert 0 == s.count(Account)
        with pytest.raises(Exception, match="may not"):
            s.create(Lead(last_name="Li"))
    with crm.session("admin") as s:
        s.customisation.put(
            "profile", "reader", {"actions": {"lead": ["read", "create"]}}
        )
        with pytest.raises(ValidationError) as caught:
            s.customisation.remove("profile", "reader")
        assert {"profile.reader": "in_use"} == reasons(caught)
    with crm.session("r") as s:
        s.create(Lead(last_name="Li"))
    with crm.session("admin") as s:
        s.update(s.get(User, user.id), profile="clerk")
    with crm.session("admin") as s:
        s.customisation.remove("profile", "reader")


@pytest.mark.capability("ACC-16")
def test_a_new_profile_has_no_access(crm: CRM) -> None:
    """Nothing is allowed before it is; a declared profile may be changed and be back."""
    with crm.session("admin") as s:
        s.customisation.put("profile", "fresh", {})
        s.customisation.put("profile", "clerk", {"actions": {"lead": ["read"]}})
    with crm.session(SYSTEM) as s:
        s.create(User(username="f", profile="fresh"))
    with crm.session("f") as s:
        assert 0 == s.count(Lead)
    with crm.session("clerk") as s:
        assert "wu@example.com" == next(iter(s.find(Lead))).email
    with crm.session("admin") as s:
        s.customisation.remove("profile", "clerk")
    with crm.session("clerk") as s:
        assert next(iter(s.find(Lead))).email is None


@pytest.mark.capability("ACC-16")
@pytest.mark.parametrize(
    ("key", "definition", "place", "reason"),
    [
        ("administrator", {}, "", "reserved_key"),
        ("p", {"actions": {"lead": ["fly"]}}, "actions.lead", "not_an_option"),
        ("p", {"denied": {"martian": ["read"]}}, "denied.martian", "unknown_entity"),
        ("p", {"fields": {"martian": {}}}, "fields.martian", "unknown_entity"),
        ("p", {"fields": {"lead": {"x": "hidden"}}}, "fields.lead", "unknown_field_in"),
        ("p", {"fields": {"lead:x": {}}}, "fields.lead:x", "not_an_option"),
        (
            "p",
            {"fields": {"lead": {"title": "secret"}}},
            "fields.lead.title",
            "not_an_option",
        ),
    ],
)
def test_a_bad_profile_is_refused(
    key: str, definition: dict[str, Any], place: str, reason: str
) -> None:
    """Place and rule are named."""
    crm = crm_on(MemoryStore(), "t")
    with crm.session("admin") as s, pytest.raises(ValidationError) as caught:
        s.customisation.put("profile", key, definition)
    where = ".".join(part for part in (f"profile.{key}", place) if part)
    assert reason == reasons(caught).get(where), reasons(caught)


# -- two worlds --------------------------------------------------------------------------


@pytest.mark.capability("ACC-09")
def test_two_worlds_that_differ_in_hidden_values_only_look_alike(
    store: Any, tenant: str
) -> None:
    """Every reading verb answers the same; the control sees the difference."""
    worlds = []
    for number, (secret, mail) in enumerate(
        [(7, "a@one.example"), (9, "b@two.example")]
    ):
        crm = crm_on(store, f"{tenant}-{number}")
        with crm.session("admin") as s:
            lead = fill(s, secret, mail)
            s.update(lead, email=f"x{mail}", title="CTO")
        worlds.append(crm)

    assert answers(worlds[0], "clerk") == answers(worlds[1], "clerk")
    assert answers(worlds[0], "admin") != answers(worlds[1], "admin")


def answers(crm: CRM, actor: str) -> list[Any]:
    """Return what an actor learns from all reading verbs, without ids and times."""
    with crm.session(actor) as s:
        told: list[Any] = []
        for kind in (Lead, Account, Contact, Opportunity):
            for record in s.stream(kind, order_by=F.created_at):
                values = {
                    name: record[name]
                    for name in type(record).__entity__.fields
                    if not name.endswith(("_id", "_at", "_by")) and name != "id"
                }
                told.append((record.display_name, values, dict(record.custom)))
                told.append(
                    [(e.action, e.version, e.changes) for e in s.history(record)]
                )
                found = s.duplicates(record)
                told.append([(m.name, m.score, m.evidence) for m in found.matches])
                told.append((found.hidden, found.too_common))
        rows = s.reporting.funnel().rows
        told.append([(row.currency, row.stages, row.lost) for row in rows])
        (lead,) = s.find(Lead)
        plan = s.leads.plan_conversion(lead)
        values = dict(plan.contact.values)
        values.pop("original_lead_id", None)
        told.append((values, plan.account.action, len(plan.obstacles)))
        return told
