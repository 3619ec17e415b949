"""What a record is: values with fields, and the schema that describes them.

Takes declared classes and custom fields; returns an immutable Schema.
Each field type reads, checks, stores and compares its values the same everywhere.
Never touches a store, a clock or an actor.
Neighbours: ``criteria`` asks questions about records, ``storage`` keeps them.
"""

from crmcore.records import fields
from crmcore.records.applicability import (
    NOT_APPLICABLE,
    NotApplicable,
    OrNotApplicable,
)
from crmcore.records.composites import (
    AddressBlock,
    AnyReference,
    Choices,
    ContactPoints,
    FormerNames,
    ListOf,
    MasterDetail,
    MoneyAmount,
    Reference,
)
from crmcore.records.contact_types import Email, Phone, WebAddress
from crmcore.records.conventions import Conventions
from crmcore.records.converted_money import ConvertedMoney, ConvertedMoneyAmount
from crmcore.records.definitions import EntityDef
from crmcore.records.documents import Document
from crmcore.records.exchange_rates import ExchangeRate, Rates
from crmcore.records.extension import extends
from crmcore.records.field_definitions import Column, FieldDef
from crmcore.records.layouts import Layout, LayoutField, LayoutSection
from crmcore.records.lookup_values import LookupValue
from crmcore.records.many_to_many import ManyToMany
from crmcore.records.media import AudioFile, File, FileReference, ImageFile
from crmcore.records.numbering import AutoNumber, NumberFormat
from crmcore.records.picklists import Option, Picklist
from crmcore.records.places import Geolocation, Position
from crmcore.records.record import UNSAVED, Record, entity
from crmcore.records.record_types import RecordType
from crmcore.records.roll_ups import RollUp
from crmcore.records.schema import Schema
from crmcore.records.text import fold, full_name, identity_key
from crmcore.records.triggers import Trigger
from crmcore.records.types import (
    Boolean,
    Choice,
    DateOnly,
    DateTime,
    DecimalNumber,
    FieldType,
    Identifier,
    Integer,
    Link,
    LongText,
    OpenChoice,
    Percent,
    Refused,
    Storage,
    Text,
)
from crmcore.records.validation_rules import ValidationRule
from crmcore.records.values import Address, ContactPoint, Money, Ref

__all__ = [
    "NOT_APPLICABLE",
    "UNSAVED",
    "Address",
    "AddressBlock",
    "AnyReference",
    "AudioFile",
    "AutoNumber",
    "Boolean",
    "Choice",
    "Choices",
    "Column",
    "ContactPoint",
    "ContactPoints",
    "Conventions",
    "ConvertedMoney",
    "ConvertedMoneyAmount",
    "DateOnly",
    "DateTime",
    "DecimalNumber",
    "Document",
    "Email",
    "EntityDef",
    "ExchangeRate",
    "FieldDef",
    "FieldType",
    "File",
    "FileReference",
    "FormerNames",
    "Geolocation",
    "Identifier",
    "ImageFile",
    "Integer",
    "Layout",
    "LayoutField",
    "LayoutSection",
    "Link",
    "ListOf",
    "LongText",
    "LookupValue",
    "ManyToMany",
    "MasterDetail",
    "Money",
    "MoneyAmount",
    "NotApplicable",
    "NumberFormat",
    "OpenChoice",
    "Option",
    "OrNotApplicable",
    "Percent",
    "Phone",
    "Picklist",
    "Position",
    "Rates",
    "Record",
    "RecordType",
    "Ref",
    "Reference",
    "Refused",
    "RollUp",
    "Schema",
    "Storage",
    "Text",
    "Trigger",
    "ValidationRule",
    "WebAddress",
    "entity",
    "extends",
    "fields",
    "fold",
    "full_name",
    "identity_key",
]
