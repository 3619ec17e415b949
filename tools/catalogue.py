"""Tells which texts a language's catalogue lacks: ``python -m tools.catalogue``.

Prints a stanza for each missing text, ready to be pasted into the catalogue, and names
the texts that the library no longer uses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from crmcore import CRM, MemoryStore, errors
from crmcore.access import ACTIONS
from crmcore.exchange import reasons, report
from crmcore.exchange.entities import ROW_OUTCOME
from crmcore.i18n import LOCALES
from crmcore.records import EntityDef, FieldDef, ListOf
from crmcore.sales import pipelines

FOLDER = Path(__file__).resolve().parents[1] / "src/crmcore/i18n/locales"


def needed_texts() -> frozenset[str]:
    """Return every English text that a reader can meet."""
    return frozenset(
        {
            *schema_texts(),
            *pipeline_texts(),
            *errors.REASONS.values(),
            *(action.capitalize() for action in ACTIONS),
            *error_texts(),
            *import_texts(),
        }
    )


def schema_texts() -> Iterator[str]:
    """Yield the labels of all entities, fields and choices."""
    for entity in CRM(MemoryStore()).schema().entities.values():
        yield entity.label
        for field in entity.fields.values():
            yield field.label
            yield from option_texts(field)


def option_texts(field: FieldDef) -> Iterator[str]:
    """Yield the labels of a field's choices."""
    kind = field.type.item if isinstance(field.type, ListOf) else field.type
    picklist = getattr(kind, "picklist", None)
    if picklist is not None:
        yield from (option.label for option in picklist.options)


def pipeline_texts() -> Iterator[str]:
    """Yield the labels of the pipelines that come with the library."""
    for value in vars(pipelines).values():
        if isinstance(value, pipelines.Pipeline):
            yield value.label
            yield from (stage.label for stage in value.stages)


def error_texts() -> Iterator[str]:
    """Yield the templates of all errors that a caller can meet."""
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.CRMError):
            yield value.template


def import_texts() -> Iterator[str]:
    """Yield what a report of an import says of its rows."""
    yield from reasons.ROW_REASONS.values()
    yield from reasons.EVIDENCE.values()
    yield from report._TITLES  # noqa: SLF001 - the titles of the report's columns
    yield from (option.label for option in ROW_OUTCOME.options)


def messages(locale: str) -> dict[str, Message]:
    """Return the entries of a catalogue by their English text."""
    with (FOLDER / f"{locale}.po").open("rb") as stream:
        catalogue = read_po(stream, locale=locale, abort_invalid=True)
    return {str(message.id): message for message in catalogue if message.id}


def placeholders(text: str) -> frozenset[str]:
    """Return the names in braces of a text."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)


def missing_texts(locale: str) -> list[str]:
    """Return the texts without a checked translation, in alphabetical order."""
    known = messages(locale)
    done = {text for text, m in known.items() if m.string and not m.fuzzy}
    return sorted(needed_texts() - done)


def unused_texts(locale: str) -> list[str]:
    """Return the texts of a catalogue that the library does not use."""
    return sorted(messages(locale).keys() - needed_texts())


def stanzas(texts: Iterable[str]) -> str:
    """Return empty catalogue entries for some texts."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "".join(f'\nmsgid "{text}"\nmsgstr ""\n' for text in quoted)


def label_clashes(locale: str, entity: EntityDef) -> dict[str, list[str]]:
    """Return translated labels that several fields of an entity share."""
    known = messages(locale)
    fields: dict[str, list[str]] = {}
    for field in entity.fields.values():
        label = str(known[field.label].string)
        fields.setdefault(label, []).append(field.name)
    return {label: names for label, names in fields.items() if len(names) > 1}


def main() -> int:
    """Print what is missing and unused; 1 where something is missing."""
    found = False
    for locale in LOCALES[1:]:
        missing, unused = missing_texts(locale), unused_texts(locale)
        found = found or bool(missing)
        sys.stdout.write(f"# {locale}: {len(missing)} missing{stanzas(missing)}\n")
        sys.stdout.writelines(f"# unused: {text}\n" for text in unused)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
