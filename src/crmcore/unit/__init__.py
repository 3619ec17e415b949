"""The unit of work: how anything is read and written.

Takes an actor and a transaction; offers the generic verbs that every session has.
Each verb authorises, loads in one batch, decides purely and writes in one batch.
Knows no business entity: the areas bring records, rules and match keys.
Neighbours: ``access`` and ``matching`` decide, ``storage`` keeps, the areas build on it.
"""

from crmcore.unit.areas import Area
from crmcore.unit.changes import Changes
from crmcore.unit.context import Context
from crmcore.unit.drafts import Draft, EntityRule
from crmcore.unit.environment import Environment
from crmcore.unit.mass_edit import MassOutcome, MassReport
from crmcore.unit.record_settings import RecordSettings
from crmcore.unit.work import UnitOfWork, unit_of_work

__all__ = [
    "Area",
    "Changes",
    "Context",
    "Draft",
    "EntityRule",
    "Environment",
    "MassOutcome",
    "MassReport",
    "RecordSettings",
    "UnitOfWork",
    "unit_of_work",
]
