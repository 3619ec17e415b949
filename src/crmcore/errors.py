"""Every error a caller can meet.

::

    CRMError
    ├── ValidationError (ValueError)      every bad field with a reason key
    │   ├── UniqueViolation               a value that must be unique is taken
    │   ├── DuplicateFound                a likely duplicate stops the operation
    │   └── ImportRejected                a file that cannot be imported at all
    ├── AccessDenied (PermissionError)
    │   └── UnknownActor                  nobody active of this name
    ├── NotFound (LookupError)            absent, or invisible to the actor
    ├── Conflict                          try the whole unit of work again
    │   └── StaleRecord                   somebody changed the record meanwhile
    ├── AlreadyConverted
    ├── TransitionRefused
    ├── OperationConflict                 one operation key, two payloads
    ├── MissingExtra (ImportError)        an optional dependency is not installed
    └── StorageError
        ├── StoreUnavailable              connection lost, server away
        ├── StorageFull
        ├── SchemaOutdated                run ``crm.install()``
        └── StoreRefused                  a server set up with too weak guarantees

Each error has a stable ``code``, ``details`` as plain data, and a message that is
rendered in the language of ``locale`` (set by the session that raised it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from crmcore.i18n import translate

#: Reason key of a field problem -> English message. The keys are stable.
REASONS: dict[str, str] = {
    "required": "is required",
    "unknown_field": "is not a field of {entity}",
    "unknown_entity": "{value} is not an entity of this set-up",
    "not_an_extension": "must inherit from {base}",
    "not_declared": "is no entity: decorate it with entity or extends",
    "declared_twice": "is wanted by both {one} and {other}: one must extend the other",
    "not_a_field": "must be declared with one of crmcore.fields",
    "not_for_lookups": "does not fit a value that is shown from another record",
    "shown_from_elsewhere": "is itself shown from another record",
    "field_exists": "is already a field of {entity}",
    "read_only": "cannot be set",
    "not_text": "must be text",
    "null_character": "must not contain the character NUL",
    "invalid_unicode": "is not valid Unicode text",
    "too_long": "must have at most {maximum} characters",
    "not_integer": "must be a whole number",
    "not_number": "must be a number",
    "out_of_range": "must be between {minimum} and {maximum}",
    "too_small": "must be at least {minimum}",
    "too_great": "must be at most {maximum}",
    "too_many_digits": "must have at most {digits} digits after the point",
    "not_boolean": "must be true or false",
    "not_date": "must be a date",
    "not_datetime": "must be a point in time with a time zone",
    "not_money": "must be an amount of money with a currency",
    "unknown_currency": "{currency} is not a currency of ISO 4217",
    "not_number_like": "must be a number written like {example}",
    "not_money_like": "must be an amount of money written like {example}",
    "not_date_like": "must be a date written like {example}",
    "no_exchange_rate": "there is no rate from {source} to {target} on {day}",
    "not_positive": "must be greater than zero",
    "same_currency": "must be two different currencies",
    "unknown_timezone": "{value} is not a time zone",
    "not_an_option": "{value} is not one of the choices",
    "inactive_option": "{value} can no longer be chosen",
    "not_of_this_kind": "is no field of records of the kind {value}",
    "no_activities": "refers to a record that takes no activities",
    "type_not_allowed": "{value} is not open to you",
    "not_of_this_type": "{value} is not a choice of records of this type",
    "not_allowed_here": "{value} cannot be chosen under {controlling}",
    "fixed_once_created": "cannot be changed once the record is created",
    "unknown_relation": "there is no relation {value} of {entity}",
    "not_joined": "does not join {entity} with {target}",
    "same_record": "joins a record with itself",
    "unknown_tag": "there is no tag {value}",
    "not_fitting_here": "has a value that does not fit",
    "not_fitting": "refers to a record that may not be chosen here",
    "too_short": "must have at least {minimum} characters",
    "switched_off": "is switched off",
    "rule": "{message}",
    "required_by_rule": "is required: {message}",
    "not_json": "must be data that JSON can hold",
    "not_position": "must be a latitude and a longitude in degrees",
    "not_file": "must be a reference to a file: key, name, media type and size",
    "wrong_media_type": "cannot hold files of the type {value}",
    "file_too_large": "must have at most {maximum} bytes",
    "unknown_setting": "is not a setting",
    "unknown_setting_of": "{key} is not a setting of this type",
    "setting_missing": "the setting {key} is missing",
    "unknown_type": "{value} is not a field type",
    "unknown_picklist": "{value} is not a picklist",
    "bounds_crossed": "the minimum {minimum} is above the maximum {maximum}",
    "bad_name": "{value} is not a name",
    "bad_item": "lists cannot hold items of this type",
    "bad_key": "{key} is no key: use lower-case letters, digits and single underscores",
    "reserved_key": "the key {key} is reserved",
    "key_taken": "the key {key} is taken",
    "key_collides": "the key {key} is taken by another field",
    "retired_key": "{key} was retired: bring it back, or remove it for good",
    "not_retired": "{key} is in use: retire it first",
    "no_item": "there is no {key}",
    "declared_in_python": "is declared by the application and cannot be changed",
    "always_on": "cannot be switched off",
    "default_taken": "{other} is the default already",
    "several_defaults": "more than one option is the default",
    "not_a_picklist": "{key} is not a picklist field",
    "unknown_field_in": "{key} is not a field of this object",
    "listed_twice": "{key} is listed twice",
    "empty_rule": "demands nothing",
    "does_nothing": "does nothing",
    "only_before_write": "can only be done before a record is written",
    "unknown_action": "{value} is not a function that the application offers",
    "trigger_circle": "the trigger {key} sets others off more than {maximum} deep",
    "not_six_digits": "must be exactly six digits",
    "not_registered": "is not a registered access number",
    "not_personal": "is a setting of the whole tenant",
    "object_missing": "an object of the data type {value} is missing",
    "second_root": "must lie below another: there is a topmost department already",
    "not_a_principal": "{value} is no user, department, role or group",
    "in_use": "is in use",
    "referred_to": "is referred to by {count} records of {entity}",
    "too_many_dependents": "more than {maximum} records depend on it",
    "user_has_records": "owns or made records: make the user inactive instead",
    "not_confirmed": "has to be confirmed",
    "not_a_key": "has no unique values",
    "not_for_many": "cannot get one value in many records",
    "not_permitted": "you may not {action} it",
    "type_in_use": "cannot change while records hold values",
    "too_long_to_index": "cannot be indexed: at most {maximum} characters can be",
    "unknown_language": "{value} is not a language",
    "not_unique_here": "cannot be unique: it is worked out",
    "no_relation": "no field of {entity} refers to {target}",
    "several_relations": "several fields of {entity} refer to {target}: name one",
    "no_space": "may have at most {maximum} fields",
    "not_a_log": "{value} is not an object for operation logs",
    "other_category": "{value} means something else to the library's rules",
    "option_in_use": "{value} is used by records: deactivate it instead",
    "values_shared": "{count} records share a value with another one",
    "template_syntax": "line {line}: {problem}",
    "template_failed": "line {line}: {problem}",
    "unknown_filter": "line {line}: there is no filter {problem}",
    "unknown_path": "line {line}: {path} is not known here",
    "unknown_template": "there is no template {value}",
    "subject_line_break": "a subject has one line only",
    "needs_extra": "needs the extra: pip install 'crmcore[{extra}]'",
    "newer_file": "was written by a newer library; this one reads version {version}",
    "unknown_kind": "{value} is not a kind of customisation",
    "not_email": "is not a valid e-mail address",
    "not_phone": "is not a valid phone number",
    "not_url": "is not a valid web address",
    "not_reference": "must be a record or the id of one",
    "not_found": "refers to a record that does not exist",
    "not_list": "must be a list",
    "not_address": "must be an address",
    "duplicate_item": "holds the same value twice",
    "wrong_type": "cannot be compared with this value",
    "unknown_operator": "has no operator {operator}",
    "operator_not_allowed": "cannot be used with the operator {operator}",
    "not_sortable": "cannot be sorted by",
    "partly_hidden": "belongs to records of which some may be hidden from you",
    "not_groupable": "cannot be grouped by",
    "not_aggregable": "has no {function}",
    "mixed_currencies": "holds several currencies: group by its currency",
    "malformed": "is malformed",
    "too_deep": "is nested too deeply",
    "too_large": "has too many parts",
    "unknown_period": "{value} is not a known period",
    "formula_unexpected": "has an unexpected {value} at position {position}",
    "formula_incomplete": "ends too early, at position {position}",
    "number_too_long": "has a number with too many digits at position {position}",
    "unknown_function": "knows no function {name}",
    "wrong_arguments": "gives {name} too few or too many arguments",
    "wrong_kind": "cannot give {place} a {kind}",
    "kinds_differ": "mixes {left} and {right} in {place}",
    "wrong_result": "gives a {kind}, which the field cannot hold",
    "not_in_formulas": "cannot use {key}",
    "not_followed": "cannot follow {key}: changes of users reach no other records",
    "only_own_fields": "can only read fields of the record itself, not {key}",
    "grows_stale": "cannot use {name}: a stored value would grow stale",
    "foreign_cursor": "was made for another filter or order",
    "sealed": "is encrypted: lists can only ask whether it is there",
    "no_cipher": "needs a cipher, given as CRM(cipher=...)",
    "not_encryptable": "cannot be encrypted: only custom fields of text can",
    "not_searchable": "cannot be searched for parts of its text",
    "not_numbered": "holds no automatic numbers",
    "reset_not_shown": "must show the {period} at which numbers begin anew",
    "invisible_characters": "must not contain characters that cannot be seen",
    "unique": "is already used by another record",
    "duplicate": "looks like a record that exists",
    "already_mapped": "is the target of more than one column",
    "not_mapped": "is required, but no column and no default value fills it",
    "unknown_column": "is not a column of the file",
    "ambiguous": "matches more than one record",
    "wrong_account": "belongs to another account",
    "cycle": "would make a circle: {path}",
    "unknown_user": "is not the name of an active user",
    "unreadable": "cannot be read: {problem}",
    "name_incomplete": "a person needs a first and a last name",
    "stage_inactive": "the stage is no longer used",
    "same_stage": "it is in this stage already",
    "stage_order": "this stage does not follow",
    "missing_fields": "these fields are missing: {missing}",
    "invalid_record": "refers to a record that is no longer valid",
    "closed": "it is closed and must be reopened first",
    "not_closed": "it is not closed",
    "not_convertible": "leads in this status are not converted",
    "unit_section": "can only be set for an organisation",
    "unit_section_filled": "cannot change while the organisation fields are filled",
}


@attrs.frozen
class Problem:
    """One bad field: which, why, and what the rule is.

    ``field`` is the field's key, ``reason`` a key of :data:`REASONS`, ``details`` the
    values named in the message.
    """

    field: str
    reason: str
    details: Mapping[str, Any] = attrs.field(factory=dict)

    def message(self, locale: str = "en") -> str:
        """Return the problem in words, in the language of ``locale``."""
        text = translate(REASONS[self.reason], locale, **self.details)
        return f"{self.field}: {text}" if self.field else text


class CRMError(Exception):
    """Root of all errors; ``code`` is stable, ``details`` is plain data."""

    code: ClassVar[str] = "crm.error"
    template: ClassVar[str] = "The operation failed."
    retryable: bool = False

    def __init__(self, **details: Any) -> None:
        super().__init__()
        self.details = details
        self.locale = "en"

    def message(self, locale: str | None = None) -> str:
        """Return what happened in words, in the language of ``locale``."""
        chosen = locale or self.locale
        return translate(self.template, chosen, **_worded(self.details, chosen))

    def __str__(self) -> str:
        return self.message()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.details, self.locale)


def _worded(details: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Return details with the keys of entities and actions as words."""
    worded = dict(details)
    for name in ("entity", "action"):
        key = details.get(name)
        if isinstance(key, str):
            words = key.replace("_", " ")
            label = translate(words.capitalize(), locale)
            worded[name] = words if label == words.capitalize() else label
    return worded


def _rebuild(kind: type[CRMError], details: dict[str, Any], locale: str) -> CRMError:
    error = kind(**details)
    error.locale = locale
    return error


class ValidationError(CRMError, ValueError):
    """Input was refused; ``problems`` lists every bad field (REC-03)."""

    code = "record.invalid"
    template = "The input was refused."

    def __init__(self, problems: Iterable[Problem] = (), **details: Any) -> None:
        super().__init__(**details)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, field: str, reason: str, **details: Any) -> ValidationError:
        """Make the error for one bad field."""
        return cls([Problem(field, reason, details)])

    def message(self, locale: str | None = None) -> str:
        """Return all problems in words, in the language of ``locale``."""
        chosen = locale or self.locale
        if not self.problems:
            return super().message(chosen)
        return "; ".join(problem.message(chosen) for problem in self.problems)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_validation, (
            type(self),
            self.problems,
            self.details,
            self.locale,
        )


def _rebuild_validation(
    kind: type[ValidationError],
    problems: tuple[Problem, ...],
    details: dict[str, Any],
    locale: str,
) -> ValidationError:
    error = kind(problems, **details)
    error.locale = locale
    return error


class UniqueViolation(ValidationError):
    """A value that must be unique is taken (DUP-01).

    ``details`` holds ``entity``, ``field`` and, only where the actor may see the other
    record, its ``existing_id``.
    """

    code = "record.not_unique"


class DuplicateFound(ValidationError):
    """Likely duplicates stop the operation; ``candidates`` are redacted (DUP-02)."""

    code = "record.duplicate"
    template = "{count} possible duplicates were found."

    @property
    def candidates(self) -> tuple[Any, ...]:
        """Return the matches that the actor may know of."""
        return tuple(self.details.get("candidates", ()))


class ImportRejected(ValidationError):
    """The file or its mapping cannot be imported; nothing was written (IMP-03)."""

    code = "import.rejected"
    template = "The file cannot be imported: {problem}"


class AccessDenied(CRMError, PermissionError):
    """The actor may not do this; ``details`` names ``action`` and ``entity``."""

    code = "access.denied"
    template = "You may not {action} {entity}."


class ReadOnlyRecord(AccessDenied):
    """An invalid or archived record can only be looked at (REC-06).

    ``details`` names ``action``, ``entity``, ``id`` and the ``state``.
    """

    code = "access.read_only_record"
    template = "You may not {action} {entity} {id}: it can only be viewed."


class UnknownTenant(AccessDenied):
    """There is no such enterprise in the operator's register (TEN-01)."""

    code = "tenant.unknown"
    template = "There is no enterprise {tenant}."


class TenantSuspended(AccessDenied):
    """The enterprise is suspended: no work, and no data are lost (TEN-01)."""

    code = "tenant.suspended"
    template = "The enterprise {tenant} is suspended."


class UnknownActor(AccessDenied):
    """Nobody acts: the user is unknown, pending or inactive (ACC-01)."""

    code = "access.unknown_actor"
    template = "There is no active user of this name."


class NotFound(CRMError, LookupError):
    """No such record, or none that the actor may see."""

    code = "record.not_found"
    template = "There is no {entity} {id}."


class Conflict(CRMError):
    """Somebody else wrote at the same time; run the unit of work again."""

    code = "store.conflict"
    template = "Somebody else changed the data at the same time. Try again."
    retryable = True


class StaleRecord(Conflict):
    """The record was changed since it was read; nothing was written (REC-01).

    ``details`` holds ``entity``, ``id`` and the ``expected`` version.
    """

    code = "record.stale"
    template = "The {entity} {id} was changed by somebody else since it was read."
    retryable = False


class AlreadyConverted(CRMError):
    """The lead was converted before; ``details`` holds the three ids (LEAD-03)."""

    code = "lead.already_converted"
    template = "The lead {lead_id} was converted already."


class TransitionRefused(CRMError):
    """A state cannot be entered.

    ``details`` holds ``source``, ``target``, the reason key of :data:`REASONS` and,
    where fields are missing, their names under ``missing``.
    """

    code = "workflow.transition_refused"
    template = "The step from {source} to {target} is refused: {problem}"

    def message(self, locale: str | None = None) -> str:
        """Return what stands in the way in words, in the language of ``locale``."""
        chosen = locale or self.locale
        missing = ", ".join(self.details.get("missing", ()))
        problem = translate(REASONS[self.details["reason"]], chosen, missing=missing)
        values = {**self.details, "problem": problem}
        return translate(self.template, chosen, **values)


class OperationConflict(CRMError):
    """The operation key was used before for something else."""

    code = "operation.conflict"
    template = "The operation key {key} was used before with another content."


class MissingExtra(CRMError, ImportError):
    """An optional dependency is missing; ``details`` names the ``extra``."""

    code = "install.missing_extra"
    template = "{feature} needs the extra: pip install 'crmcore[{extra}]'"


class StorageError(CRMError):
    """The store failed."""

    code = "store.error"
    template = "The store failed: {problem}"


class StoreUnavailable(StorageError):
    """The store cannot be reached, or the connection broke.

    ``outcome_unknown`` in ``details`` is true when the break came during a commit: only
    a retry under the same operation key is safe.
    """

    code = "store.unavailable"
    template = "The store cannot be reached: {problem}"
    retryable = True

    @property
    def outcome_unknown(self) -> bool:
        """Tell whether the lost commit may have taken effect."""
        return bool(self.details.get("outcome_unknown"))


class StorageFull(StorageError):
    """The store has no space left; nothing of the unit of work was kept."""

    code = "store.full"
    template = "The store has no space left."


class SchemaOutdated(StorageError):
    """The store's schema is missing, older or newer than this library's."""

    code = "store.schema_outdated"
    template = "The schema is {state}. Run install()."


class StoreRefused(StorageError):
    """The store's set-up gives too weak guarantees; ``problem`` says which."""

    code = "store.refused"
    template = "This store cannot be used: {problem}"
