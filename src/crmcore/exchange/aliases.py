"""What other systems and people call our fields, beside key and labels."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["NEVER_GUESSED", "aliases_of"]

_Names = Mapping[str, tuple[str, ...]]

_EVERYWHERE: _Names = {
    "owner_id": (
        "owner",
        "owner id",
        "assigned to",
        "sales",
        "负责人",
        "销售",
        "所有者",
    ),
    "external_id": ("id", "record id", "外部编号", "编号"),
    "description": ("notes", "remarks", "comment", "备注", "说明"),
    "phone": ("telephone", "phone number", "work phone", "电话", "联系电话", "座机"),
    "mobile": ("mobile phone", "cell phone", "mobile number", "手机", "手机号"),
    "email": ("mail", "email address", "邮箱", "电子邮件", "电子邮箱"),
    "website": ("web", "url", "homepage", "网站", "网址"),
    "fax": ("传真",),
    "industry": ("sector", "行业"),
    "lead_source": ("source", "account source", "来源", "线索来源", "客户来源"),
    "number_of_employees": ("employees", "head count", "员工人数", "人数"),
    "annual_revenue": ("revenue", "年收入", "年营业额"),
    "email_opt_out": ("has opted out of email",),
    "amount": ("value", "金额"),
    "close_date": ("预计成交日期", "成交日期"),
}

_PERSON: _Names = {
    "last_name": (
        "surname",
        "family name",
        "name",
        "full name",
        "姓",
        "姓名",
        "联系人",
    ),
    "first_name": ("given name", "forename", "名"),
    "company_name": (
        "company",
        "organisation",
        "organization",
        "account",
        "公司",
        "单位",
    ),
    "account_id": ("account", "account name", "company", "客户", "公司"),
    "title": ("job title", "position", "职位", "职务"),
    "department": ("部门",),
    "birthday": ("birthdate", "date of birth", "生日"),
    "salutation": ("称呼", "称谓"),
}

_BUSINESS: Mapping[str, _Names] = {
    "account": {
        "name": ("account", "account name", "company", "公司", "公司名称", "客户名称"),
        "parent_id": ("parent account", "parent", "上级客户", "母公司"),
        "number": ("account number",),
    },
    "opportunity": {
        "name": ("opportunity", "deal", "商机名称"),
        "account_id": ("account", "account name", "客户"),
        "stage": ("stage name", "deal stage", "阶段"),
    },
    "lead": _PERSON,
    "contact": {**_PERSON, "reports_to_id": ("reports to", "上级")},
    "user": {
        "username": ("user name", "login", "用户名", "账号"),
        "name": ("full name", "姓名"),
        "manager_id": ("manager", "superior", "上级", "主管"),
        "profile": ("角色",),
    },
}

_ADDRESS_WORDS: _Names = {
    "street": ("street", "address", "街道", "地址"),
    "city": ("city", "城市"),
    "province": ("state", "province", "省份", "省"),
    "postal_code": ("postal code", "zip", "zip code", "邮编"),
    "country": ("country", "国家"),
}

#: The address that unmarked columns belong to, and the prefixes of the others.
_ADDRESSES: Mapping[str, _Names] = {
    "lead": {"mailing_address": ("", "mailing ")},
    "contact": {"mailing_address": ("", "mailing "), "other_address": ("other ",)},
    "account": {
        "billing_address": ("", "billing "),
        "delivery_address": ("shipping ", "delivery "),
    },
}

#: Fields that the library sets: taken from a file only where the caller says so.
NEVER_GUESSED = frozenset(
    {
        "closed_at",
        "converted_account_id",
        "converted_at",
        "converted_by",
        "converted_contact_id",
        "converted_opportunity_id",
        "forecast_category",
        "former_names",
        "last_open_stage",
        "latest_activity_at",
        "original_lead_id",
        "possible_duplicate",
        "probability",
        "probability_source",
        "stage_category",
        "stage_changed_at",
    }
)


def _of_addresses(entity: str) -> Mapping[str, tuple[str, ...]]:
    return {
        f"{field}.{part}": tuple(f"{prefix}{w}" for prefix in prefixes for w in words)
        for field, prefixes in _ADDRESSES.get(entity, {}).items()
        for part, words in _ADDRESS_WORDS.items()
    }


def aliases_of(entity: str) -> Mapping[str, tuple[str, ...]]:
    """Return target -> other names of an entity's fields, the likeliest first."""
    own = _BUSINESS.get(entity, {})
    return {**_EVERYWHERE, **own, **_of_addresses(entity)}
