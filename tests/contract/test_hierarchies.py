"""Parents and superiors of records never lead back to where one started."""

from __future__ import annotations

import pytest

from crmcore import Account, Contact, ValidationError
from crmcore.testing import Office


@pytest.mark.capability("PTY-01")
def test_an_account_is_not_its_own_parent(office: Office) -> None:
    """Neither directly nor through others, nor by two changes at once."""
    with office.session() as s:
        top = s.create(Account(name="Top"))
        middle = s.create(Account(name="Middle", parent_id=top.id))
        bottom = s.create(Account(name="Bottom", parent_id=middle.id))
        other = s.create(Account(name="Other"))
        for batch in (
            [(top, {"parent_id": top.id})],
            [(top, {"parent_id": bottom.id})],
            [(top, {"parent_id": other.id}), (other, {"parent_id": bottom.id})],
        ):
            with pytest.raises(ValidationError) as raised:
                s.update_many(batch)
            assert {("parent_id", "cycle")} == {
                (p.field, p.reason) for p in raised.value.problems
            }
        moved = s.update_many(
            [(middle, {"parent_id": other.id}), (top, {"parent_id": bottom.id})]
        )

    assert [other.id, bottom.id] == [account.parent_id for account in moved]


@pytest.mark.capability("PTY-04")
def test_nobody_reports_to_oneself(office: Office) -> None:
    """The chain of superiors of contacts has no circle."""
    with office.session() as s:
        chief = s.create(Contact(last_name="Chief"))
        clerk = s.create(Contact(last_name="Clerk", reports_to_id=chief.id))
        for superior in (chief, clerk):
            with pytest.raises(ValidationError):
                s.update(chief, reports_to_id=superior.id)


def test_a_deleted_parent_is_still_on_the_way(office: Office) -> None:
    """A circle that a restoration would close is refused before."""
    with office.session() as s:
        top = s.create(Account(name="Top"))
        middle = s.create(Account(name="Middle", parent_id=top.id))
        bottom = s.create(Account(name="Bottom", parent_id=middle.id))
        s.delete(middle)
        with pytest.raises(ValidationError):
            s.update(top, parent_id=bottom.id)
