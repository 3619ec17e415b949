"""``crmcore dedupe``: who is in the store more than once, and what says so."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from crmcore.access import SYSTEM
from crmcore.cli.clusters import Cluster, Look, look_for_duplicates
from crmcore.cli.options import ActorOption, JSONOption, StoreOption, TenantOption
from crmcore.cli.output import Output, answering, table
from crmcore.cli.stores import open_crm
from crmcore.crm import DEFAULT_TENANT
from crmcore.records import EntityDef

__all__ = ["dedupe"]


class Kind(StrEnum):
    """What can be looked through."""

    lead = "lead"
    contact = "contact"
    account = "account"


def dedupe(
    store: StoreOption,
    entity: Annotated[Kind, typer.Option(help="What to look through.")] = Kind.lead,
    limit: Annotated[
        int, typer.Option(min=1, help="Show this many clusters; --json has all.")
    ] = 20,
    actor: ActorOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JSONOption = False,
) -> None:
    """Find duplicates by the stored match keys: clusters, pairs and their reasons.

    Leads are compared with contacts as well. Nothing is changed.
    """
    with answering(as_json) as output, open_crm(store, tenant) as crm:
        definition = crm.schema().entity(entity.value)
        with crm.session(actor or SYSTEM) as session:
            total = session.count(definition.record_class)
            with output.progress("Looking for duplicates", total) as advance:
                look = look_for_duplicates(session, definition, advance)
        _show(output, definition, look, limit)
        output.answer(_data(definition, look))


def _show(output: Output, entity: EntityDef, look: Look, limit: int) -> None:
    for number, cluster in enumerate(look.clusters[:limit], start=1):
        output.show(_cluster_table(number, cluster))
    found = sum(len(cluster.members) for cluster in look.clusters)
    output.show(
        f"{look.checked} {entity.plural} checked. Pairs that look alike: "
        f"{len(look.pairs)}; clusters: {len(look.clusters)}, of {found} records."
    )
    if len(look.clusters) > limit:
        output.show(f"{len(look.clusters) - limit} more clusters: --limit, or --json.")
    if look.hidden:
        output.show(f"{look.hidden} matches are not shown: you may not see them.")
    if look.too_common:
        kinds = ", ".join(sorted(look.too_common))
        output.show(f"Left out, since too many records share them: {kinds}.")


def _cluster_table(number: int, cluster: Cluster) -> Any:
    rows = [
        (pair.first.label, pair.second.label, f"{pair.score:.2f}", pair.reason)
        for pair in cluster.pairs
    ]
    title = f"{number}. {len(cluster.members)} records"
    return table(("record", "looks like", ("score", "right"), "reason"), rows, title)


def _data(entity: EntityDef, look: Look) -> dict[str, Any]:
    return {
        "entity": entity.name,
        "checked": look.checked,
        "pairs": len(look.pairs),
        "hidden": look.hidden,
        "too_common": sorted(look.too_common),
        "clusters": look.clusters,
    }
