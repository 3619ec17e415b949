"""The operator's register, options, and settings, on every store (TEN-01, 03, 06)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Address,
    Lead,
    NotFound,
    UniqueViolation,
    User,
    ValidationError,
)
from crmcore.errors import TenantSuspended, UnknownTenant
from crmcore.records import DecimalNumber, FileReference, Integer
from crmcore.tenancy import (
    OrganisationProfile,
    Setting,
    SettingDefinition,
    TenancySettings,
    Tenant,
)
from tests.contract.customisation.reasons import reasons

DEFINITIONS = (
    SettingDefinition(
        key="page.size", type=Integer(minimum=1), default=50, personal=True
    ),
    SettingDefinition(key="discount.limit", type=DecimalNumber(digits=2)),
)


@pytest.fixture
def platform(store: Any, tenant: str) -> CRM:
    """A CRM with a register of its own, which the tests share with nobody."""
    settings = TenancySettings(
        registry=True, system_tenant=tenant, definitions=DEFINITIONS
    )
    return CRM(store, settings=[settings])


def operator_of(crm: CRM) -> CRM:
    settings = crm.environment.settings[TenancySettings]
    return crm.tenant(settings.system_tenant)


@pytest.mark.capability("TEN-01")
def test_only_registered_enterprises_work(platform: CRM) -> None:
    """Four parts suffice; a suspended one is refused, and comes back with everything."""
    operator = operator_of(platform)
    with pytest.raises(UnknownTenant), platform.tenant("123456").session(SYSTEM):
        pass
    with operator.session(SYSTEM) as s:
        s.tenancy.add_access_number("+86 10 8000")
        made = s.tenancy.create_tenant(
            "012345", "Acme", display_number="+86 10 8000", area_code="010"
        )
        assert ("012345", True) == (made.code, made.is_active)
    enterprise = platform.tenant("012345")
    with enterprise.session(SYSTEM) as s:
        lead = s.create(Lead(last_name="Wu"))

    with operator.session(SYSTEM) as s:
        made = s.tenancy.suspend_tenant(made)
    for _ in range(2):
        with pytest.raises(TenantSuspended), enterprise.session(SYSTEM):
            pass
    with operator.session(SYSTEM) as s:
        s.tenancy.resume_tenant(made)
        assert ["012345"] == [tenant.code for tenant in s.tenancy.tenants()]
    with enterprise.session(SYSTEM) as s:
        assert lead == s.get(Lead, lead.id)


@pytest.mark.capability("TEN-01")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("12345", "not_six_digits"),
        ("1234567", "not_six_digits"),
        ("12A456", "not_six_digits"),
        ("１２３４５６", "not_six_digits"),
        ("", "not_six_digits"),
        (123456, "not_six_digits"),
        ("000000", "reserved_key"),
        ("12345\n", "not_six_digits"),
    ],
)
def test_a_bad_identifier_is_refused(platform: CRM, code: Any, reason: str) -> None:
    """Exactly six digits, as a string; the operator's own is reserved."""
    with operator_of(platform).session(SYSTEM) as s:
        with pytest.raises(ValidationError) as caught:
            s.tenancy.create_tenant(code, "Acme")
        assert {"code": reason} == reasons(caught)
        assert () == s.tenancy.tenants()


@pytest.mark.capability("TEN-01")
def test_identifiers_and_numbers_are_bound_once(platform: CRM) -> None:
    """A number has to be registered, and is shown by one enterprise only."""
    with operator_of(platform).session(SYSTEM) as s:
        s.tenancy.add_access_number("8000")
        first = s.tenancy.create_tenant("111111", "A", display_number="8000")
        with pytest.raises(UniqueViolation):
            s.tenancy.create_tenant("111111", "B")
        with pytest.raises(UniqueViolation):
            s.tenancy.create_tenant("222222", "B", display_number="8000")
        for number in ("9000", "free text"):
            with pytest.raises(ValidationError) as caught:
                s.tenancy.change_tenant(first, display_number=number)
            assert {"display_number": "not_registered"} == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.tenancy.change_tenant(first, code="333333")
        assert {"code": "read_only"} == reasons(caught)
        freed = s.tenancy.change_tenant(first, display_number=None, name="New")
        s.tenancy.create_tenant("222222", "B", display_number="8000")
        assert "New" == s.tenancy.tenant(freed.code or "").name
        with pytest.raises(NotFound):
            s.tenancy.tenant("999999")


@pytest.mark.capability("TEN-01", "TEN-02")
def test_the_register_is_the_operators(platform: CRM) -> None:
    """Neither an enterprise nor an ordinary user of the platform may touch or read it."""
    operator = operator_of(platform)
    with operator.session(SYSTEM) as s:
        s.create(User(username="op", profile="administrator"))
        s.create(User(username="clerk", profile="sales"))
        made = s.tenancy.create_tenant("111111", "A")
    with operator.session("op") as s:
        assert "B" == s.tenancy.change_tenant(made, name="B").name
    attempts: list[Any] = [
        lambda s: s.tenancy.create_tenant("222222", "B"),
        lambda s: s.tenancy.suspend_tenant(made),
        lambda s: s.tenancy.tenants(),
        lambda s: s.tenancy.tenant("111111"),
        lambda s: s.tenancy.add_access_number("1"),
        lambda s: s.tenancy.access_numbers(),
    ]
    for crm, actor in ((operator, "clerk"), (platform.tenant("111111"), SYSTEM)):
        for attempt in attempts:
            with crm.session(actor) as s, pytest.raises(AccessDenied):
                attempt(s)
    with platform.tenant("111111").session(SYSTEM) as s:
        assert 0 == s.count(Tenant)
        with pytest.raises(AccessDenied):
            s.create(Tenant(code="222222", name="B"))


@pytest.mark.capability("TEN-01")
def test_without_a_register_every_name_is_a_tenant(store: Any, tenant: str) -> None:
    """The register is an option, off by default."""
    with CRM(store).tenant(tenant).session(SYSTEM) as s:
        assert 0 == s.count(Lead)
        assert not s.feature("beta")
    crm = CRM(store, settings=[TenancySettings(features=frozenset({"beta"}))])
    with crm.tenant(tenant).session(SYSTEM) as s:
        assert s.feature("beta")


@pytest.mark.capability("TEN-03")
def test_options_come_from_the_operators_rows(platform: CRM) -> None:
    """A row of the group in the system tenant is offered to all; elsewhere it is not."""
    operator = operator_of(platform)
    with operator.session(SYSTEM) as s:
        s.tenancy.put_config("corpConf", "reservation", "on", "Reservation menu")
        s.tenancy.put_config("corpConf", "customer_flow", "off")
        s.tenancy.put_config("other", "spam", "on")
        made = s.tenancy.create_tenant("111111", "A")
        assert ("reservation",) == made.options
    enterprise = platform.tenant("111111")
    with enterprise.session(SYSTEM) as s:
        s.tenancy.put_config("corpConf", "own", "on")
        offered = [option.key for option in s.tenancy.options()]
        assert ["customer_flow", "reservation"] == offered
        assert [True, False, False, False] == [
            s.feature(n) for n in ("reservation", "customer_flow", "own", "spam")
        ]
        assert {"own": "on"} == s.tenancy.config("corpConf")
    with operator.session(SYSTEM) as s:
        with pytest.raises(ValidationError) as caught:
            s.tenancy.change_tenant(made, options=["own"])
        assert {"options": "not_an_option"} == reasons(caught)
        s.tenancy.change_tenant(made, options=["customer_flow"])
    with enterprise.session(SYSTEM) as s:
        assert s.feature("customer_flow")
        assert not s.feature("reservation")
    with operator.session(SYSTEM) as s:
        # Withdrawn by the operator: off, although it is ticked.
        s.tenancy.remove_config("corpConf", "customer_flow")
    with enterprise.session(SYSTEM) as s:
        assert not s.feature("customer_flow")


@pytest.mark.capability("TEN-03")
def test_readiness_names_what_is_missing(store: Any, tenant: str) -> None:
    """A work-order object and a customer object are needed; accounts are customers."""
    crm = CRM(store).tenant(tenant)
    with crm.session(SYSTEM) as s:
        (problem,) = s.tenancy.check_ready()
        assert ("object_missing", "work_order") == (
            problem.reason,
            problem.details["value"],
        )
        assert "work_order" in problem.message("zh_CN")
        s.customisation.add_object("ticket", label="Ticket", data_type="work_order")
    with crm.session(SYSTEM) as s:
        assert () == s.tenancy.check_ready()


# -- settings ----------------------------------------------------------------------------


@pytest.fixture
def crm(store: Any, tenant: str) -> CRM:
    made = CRM(store, settings=[TenancySettings(definitions=DEFINITIONS)]).tenant(
        tenant
    )
    with made.session(SYSTEM) as s:
        s.create(User(username="admin", profile="administrator"))
        s.create(User(username="ann", profile="sales"))
        s.create(User(username="bob", profile="sales"))
    return made


@pytest.mark.capability("TEN-06")
def test_the_nearest_value_of_a_setting_counts(crm: CRM) -> None:
    """The own one, the tenant's, the default; taken back, the next one counts again."""
    with crm.session("admin") as s:
        assert 50 == s.tenancy.setting("page.size")
        assert 20 == s.tenancy.set_setting("page.size", 20)
        assert Decimal("7.50") == s.tenancy.set_setting("discount.limit", "7.5")
    with crm.session("ann") as s:
        assert 20 == s.tenancy.setting("page.size")
        s.tenancy.set_setting("page.size", 10, own=True)
        s.tenancy.set_setting("page.size", 11, own=True)
        assert (11, Decimal("7.50")) == tuple(
            s.tenancy.settings(["page.size", "discount.limit"]).values()
        )
    with crm.session("bob") as s:
        assert 20 == s.tenancy.setting("page.size")
    with crm.session("ann") as s:
        s.tenancy.set_setting("page.size", None, own=True)
        assert 20 == s.tenancy.setting("page.size")
        s.tenancy.set_setting("page.size", 12, own=True)
    with crm.session("admin") as s:
        s.tenancy.set_setting("page.size", 30)
        s.tenancy.set_setting("page.size", None)
        assert 50 == s.tenancy.setting("page.size")
        assert {"page.size", "mail.signature"} <= set(s.tenancy.settings())


@pytest.mark.capability("TEN-06")
def test_a_bad_setting_is_refused(crm: CRM) -> None:
    """The setting and the rule are named, and nothing changes."""
    with crm.session("admin") as s:
        for key, value, reason in (
            ("page.size", 0, "too_small"),
            ("page.size", "many", "not_integer"),
            ("nowhere", 1, "unknown_setting"),
        ):
            with pytest.raises(ValidationError) as caught:
                s.tenancy.set_setting(key, value)
            assert {key: reason} == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.tenancy.set_setting("discount.limit", 1, own=True)
        assert {"discount.limit": "not_personal"} == reasons(caught)
        assert 50 == s.tenancy.setting("page.size")
    with crm.session("ann") as s:
        with pytest.raises(AccessDenied):
            s.tenancy.set_setting("page.size", 5)
        assert 0 == s.count(Setting)


@pytest.mark.capability("TEN-06")
def test_the_organisation_profile_is_the_administrators(crm: CRM) -> None:
    """Name, logo and billing address; each change is in the history."""
    logo = FileReference(
        key="logo.png", name="logo.png", media_type="image/png", size=10
    )
    address = Address(street="Main St 1", city="Berlin", country="DE")
    with crm.session("ann") as s:
        assert OrganisationProfile() == s.tenancy.organisation_profile()
        with pytest.raises(AccessDenied):
            s.tenancy.change_organisation_profile(name="Acme")
    with crm.session("admin") as s:
        s.tenancy.change_organisation_profile(
            name="Acme", logo=logo, billing_address=address
        )
        s.tenancy.change_organisation_profile(name="Acme Ltd")
        with pytest.raises(ValidationError) as caught:
            s.tenancy.change_organisation_profile(spam=1)
        assert {"spam": "unknown_setting"} == reasons(caught)
    with crm.session("ann") as s:
        found = s.tenancy.organisation_profile()
    assert ("Acme Ltd", logo, address) == (
        found.name,
        found.logo,
        found.billing_address,
    )
    with crm.session("admin") as s:
        row = next(r for r in s.find(Setting) if r.key == "organisation.name")
        assert ["created", "updated"] == [entry.action for entry in s.history(row)]


@pytest.mark.capability("TEN-06", "TEN-01")
def test_settings_do_not_cross(crm: CRM, tenant: str) -> None:
    """Another tenant has its own."""
    with crm.session("admin") as s:
        s.tenancy.set_setting("page.size", 5)
    with crm.tenant(f"{tenant}-2").session(SYSTEM) as s:
        assert 50 == s.tenancy.setting("page.size")
