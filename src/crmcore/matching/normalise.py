"""Normal forms of names and addresses, for comparing what two people typed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from crmcore.records import fold, full_name
from crmcore.records.contact_types import phone_digits
from crmcore.records.text import is_east_asian

__all__ = [
    "company_name",
    "email_domain",
    "is_free_mail",
    "mail_key",
    "person_name",
    "phone_key",
    "web_domain",
]

_NOT_WORD = re.compile(r"[^\w&]+")
_LEGAL_FORMS = frozenset(
    "inc incorporated corp corporation co company ltd limited llc llp plc lp gmbh ag kg "
    "ug ohg sa sas sarl sl srl spa bv nv oy ab as aps kk pty pte bhd".split()
)
_CHINESE_LEGAL_FORMS = ("股份有限公司", "有限责任公司", "有限公司", "集团公司", "公司")
_FREE_MAIL = frozenset(
    "gmail.com googlemail.com yahoo.com yahoo.co.uk hotmail.com outlook.com live.com "
    "msn.com icloud.com me.com aol.com gmx.de gmx.net web.de mail.com proton.me "
    "protonmail.com mail.ru yandex.ru qq.com 163.com 126.com yeah.net sina.com "
    "sina.cn sohu.com foxmail.com 139.com 189.cn aliyun.com 21cn.com tom.com".split()
)


def person_name(last: str | None, first: str | None) -> str | None:
    """Return a full name without case, order and punctuation; None unless both parts.

    A name in Chinese, Japanese or Korean script (王小明) is full without a blank.
    """
    words = sorted(w for part in (last, first) if part for w in _words(part))
    if words and all(is_east_asian(word) for word in words):
        joined = full_name(last, first).replace(" ", "")
        return fold(joined) if len(joined) > 1 else None
    return " ".join(words) if len(words) > 1 else None


def company_name(name: str | None) -> str | None:
    """Return a company's name without case, punctuation and legal form."""
    if not name:
        return None
    words = ["and" if word == "&" else word for word in _words(name)]
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    joined = " ".join(words)
    for form in _CHINESE_LEGAL_FORMS:
        if joined.endswith(form) and len(joined) > len(form) + 1:
            return joined.removesuffix(form).strip()
    return joined or None


def _words(text: str) -> list[str]:
    return [word for word in _NOT_WORD.split(fold(text)) if word]


def mail_key(address: str) -> str:
    """Return an e-mail address without regard to case."""
    return fold(address)


def email_domain(address: str | None) -> str | None:
    """Return the domain of an e-mail address, None for free-mail providers."""
    domain = fold(address).rpartition("@")[2] if address else ""
    return domain if domain and not is_free_mail(domain) else None


def is_free_mail(domain: str) -> bool:
    """Tell whether anybody can get an address of this domain."""
    return domain in _FREE_MAIL


def web_domain(address: str | None) -> str | None:
    """Return the host of a web address without ``www``."""
    host = urlsplit(address).hostname if address else None
    return host.removeprefix("www.") if host else None


def phone_key(number: str) -> str | None:
    """Return the digits of a phone number, None where there are too few to identify."""
    digits = phone_digits(number)
    return digits if len(digits) >= 7 else None
