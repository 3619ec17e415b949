"""Tags: words that people put on records, to find and to group them by.

Takes and returns Tag records; records hold the ids of theirs in ``tag_ids``.
Offers ``session.tags``: tag, untag, create, change, delete, known, counts.
Never decides who may edit a record: that is ``access``.
Neighbours: every entity with a field of ``fields.tags`` can be tagged.
"""

from crmcore.tags.entities import Tag
from crmcore.tags.service import TagCount, TagService
from crmcore.unit import Area

__all__ = ["AREA", "Tag", "TagCount", "TagService"]

AREA = Area(name="tags", entities=(Tag,), service=TagService)
