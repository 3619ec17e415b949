"""Templates: mails, messages and print forms that administrators write (REC-24).

Takes stored templates and views of records; returns finished texts.
Offers ``session.templates``: render, preview, choose.
Never calls a method, never reads a file, a server or a field that the reader may not
see; time and space of a rendering are limited.
Neighbours: ``customisation`` stores the templates, ``records`` says what fields there are.
"""

from crmcore.templates.choosing import choose
from crmcore.templates.definitions import Template, TemplateText
from crmcore.templates.rendering import Rendered, check, render
from crmcore.templates.service import TemplateService
from crmcore.templates.surroundings import NoRights, Rights, Surroundings
from crmcore.templates.views import RecordView, Viewer

__all__ = [
    "NoRights",
    "RecordView",
    "Rendered",
    "Rights",
    "Surroundings",
    "Template",
    "TemplateService",
    "TemplateText",
    "Viewer",
    "check",
    "choose",
    "render",
]
