"""Tells which texts a language's catalogue lacks: ``python -m tools.catalogue``.

Prints a stanza for each missing text, ready to be pasted into the catalogue, and names
the texts that the library no longer uses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from crmcore import CRM, MemoryStore, errors
from crmcore.access import ACTIONS
from crmcore.exchange import reasons, report
from crmcore.exchange.entities import ROW_OUTCOME
from crmcore.i18n import LOCALES
from crmcore.i18n.plurals import SINGULARS
from crmcore.records import EntityDef, FieldDef, ListOf
from crmcore.sales import pipelines

FOLDER = Path(__file__).resolve().parents[1] / "src/crmcore/i18n/catalogues"


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
    """Return the entries of a catalogue by their English text, the plural one."""
    return {_plural_of(message.id): message for message in _catalogue(locale)}


def _plural_of(text: str | list[str] | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[-1]


def _catalogue(locale: str) -> list[Message]:
    return [message for message in _read(locale) if message.id]


def _read(locale: str) -> Catalog:
    with (FOLDER / f"{locale}.po").open("rb") as stream:
        return read_po(stream, locale=locale, abort_invalid=True)


def forms(message: Message) -> tuple[str, ...]:
    """Return the translations of an entry: one, or one for each plural form."""
    string = message.string or ""
    return (string,) if isinstance(string, str) else tuple(string)


def placeholders(text: str) -> frozenset[str]:
    """Return the names in braces of a text."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)


def wrong_placeholders(locale: str) -> list[tuple[str, str]]:
    """Return translations that name other values than the English text."""
    return [
        (text, form)
        for text, message in messages(locale).items()
        for form in forms(message)
        if placeholders(text) != placeholders(form)
    ]


def wrong_plurals(locale: str) -> list[str]:
    """Return the texts whose plural forms are missing, unwanted or incomplete."""
    number = _read(locale).num_plurals
    return [
        text
        for text, message in messages(locale).items()
        if (text in SINGULARS) != message.pluralizable
        or (message.pluralizable and message.id[0] != SINGULARS[text][0])
        or (message.pluralizable and len(forms(message)) != number)
    ]


def missing_texts(locale: str) -> list[str]:
    """Return the texts without a checked translation, in alphabetical order."""
    known = messages(locale)
    done = {text for text, m in known.items() if all(forms(m)) and not m.fuzzy}
    return sorted(needed_texts() - done)


def unused_texts(locale: str) -> list[str]:
    """Return the texts of a catalogue that the library does not use."""
    obsolete = [_plural_of(message.id) for message in _read(locale).obsolete.values()]
    return sorted({*(messages(locale).keys() - needed_texts()), *obsolete})


def repeated_texts(locale: str) -> list[str]:
    """Return the texts that stand twice: a context is a note, never another entry."""
    texts = [_plural_of(message.id) for message in _catalogue(locale)]
    return sorted({text for text in texts if texts.count(text) > 1})


def stanzas(texts: Iterable[str]) -> str:
    """Return empty catalogue entries for some texts."""
    return "".join(map(_stanza, texts))


def _stanza(text: str) -> str:
    if text not in SINGULARS:
        return f'\nmsgid "{_quoted(text)}"\nmsgstr ""\n'
    singular = _quoted(SINGULARS[text][0])
    plural = _quoted(text)
    return f'\nmsgid "{singular}"\nmsgid_plural "{plural}"\nmsgstr[0] ""\n'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


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
