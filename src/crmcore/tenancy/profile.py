"""The organisation profile: who the tenant is on its documents (TEN-06)."""

from __future__ import annotations

import attrs

from crmcore.records import Address, FileReference

__all__ = ["OrganisationProfile"]


@attrs.frozen(kw_only=True)
class OrganisationProfile:
    """Name, logo and billing address of the tenant's own organisation."""

    name: str | None = None
    logo: FileReference | None = None
    billing_address: Address | None = None
