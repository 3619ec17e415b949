"""``crmcore schema``: what a store has to know, and bringing it up to date."""

from __future__ import annotations

from typing import Any

import typer

from crmcore.cli.options import JSONOption, StoreOption
from crmcore.cli.output import answering, table
from crmcore.cli.stores import open_crm, shown_url
from crmcore.crm import CRM
from crmcore.errors import SchemaOutdated
from crmcore.records import EntityDef, FieldDef

__all__ = ["app"]

app = typer.Typer(help="The store's schema.", no_args_is_help=True)


@app.command()
def upgrade(store: StoreOption, as_json: JSONOption = False) -> None:
    """Create the schema, or upgrade it; does nothing where it is current."""
    with answering(as_json) as output:
        with open_crm(store, install=True) as crm:
            crm.store.verify(crm.declared_schema)
            name = crm.store.name
        output.show(f"The schema is current ({name}): {shown_url(store)}")
        output.answer({"store": shown_url(store), "kind": name, "schema": "current"})


@app.command()
def show(store: StoreOption, as_json: JSONOption = False) -> None:
    """Show the entities with their fields, and whether the store is up to date."""
    with answering(as_json) as output, open_crm(store, verify=False) as crm:
        state = schema_state(crm)
        entities = crm.declared_schema.entities.values()
        output.show(
            table(
                ("entity", ("fields", "right"), "unique", "required"),
                [_line(entity) for entity in entities],
                f"The schema is {state}",
            )
        )
        output.answer(
            {"schema": state, "entities": {e.name: _described(e) for e in entities}}
        )


def schema_state(crm: CRM) -> str:
    """Return "current", or what is wrong with the store's schema."""
    try:
        crm.store.verify(crm.declared_schema)
    except SchemaOutdated as outdated:
        return str(outdated.details["state"])
    return "current"


def _line(entity: EntityDef) -> tuple[Any, ...]:
    fields = entity.input_fields.values()
    return (
        entity.name,
        len(entity.fields),
        ", ".join(f.name for f in fields if f.unique),
        ", ".join(f.name for f in fields if f.required),
    )


def _described(entity: EntityDef) -> dict[str, Any]:
    return {
        "label": entity.label,
        "fields": [_field(field) for field in entity.fields.values()],
        "indexes": entity.indexes,
    }


def _field(field: FieldDef) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": type(field.type).__name__,
        "label": field.label,
        "required": field.required,
        "unique": field.unique,
        "indexed": field.indexed,
        "searchable": field.searchable,
        "sensitive": field.sensitive,
        "system": field.system,
        "custom": field.custom,
    }
