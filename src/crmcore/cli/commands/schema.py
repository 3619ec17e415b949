"""``crmcore schema``: what a store has to know, and bringing it up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crmcore.access import SYSTEM
from crmcore.cli.options import JSONOption, StoreOption, TenantOption
from crmcore.cli.output import answering, table
from crmcore.cli.stores import open_crm, shown_url
from crmcore.crm import CRM, DEFAULT_TENANT
from crmcore.customisation import ChangeSet
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


@app.command()
def export(
    store: StoreOption,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JSONOption = False,
) -> None:
    """Write a tenant's customisation to a file."""
    with answering(as_json) as output, open_crm(store, tenant) as crm:
        with crm.session(SYSTEM) as session:
            change_set = session.customisation.export()
        file.write_text(change_set.to_text(), encoding="utf-8")
        count = len(change_set.items)
        output.show(f"{count} items written to {file}")
        output.answer({"file": str(file), "items": count})


@app.command()
def apply(
    store: StoreOption,
    file: Annotated[Path, typer.Argument(help="A file that export wrote.")],
    tenant: TenantOption = DEFAULT_TENANT,
    replace: Annotated[
        bool, typer.Option(help="Also remove what the file does not have.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the differences.")
    ] = False,
    as_json: JSONOption = False,
) -> None:
    """Bring a tenant's customisation to what a file says, all of it or nothing."""
    with answering(as_json) as output, open_crm(store, tenant) as crm:
        change_set = ChangeSet.from_text(file.read_text(encoding="utf-8"))
        with crm.session(SYSTEM) as session:
            service = session.customisation
            plan = service.plan_import(change_set, replace=replace)
            if dry_run:
                plan.refuse_problems()
            else:
                service.apply(plan)
        output.show(str(plan))
        lines = [str(difference) for difference in plan.differences]
        output.answer({"applied": not dry_run, "differences": lines})


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
