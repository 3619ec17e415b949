"""References to pictures, recordings and other files, which the host's store keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from crmcore.records.conventions import Conventions
from crmcore.records.types import FieldType, Integer, Refused, Text, clean_text

__all__ = ["AudioFile", "File", "FileReference", "ImageFile"]


@attrs.frozen
class FileReference:
    """A file in the host's store: its key there, name, media type and size in bytes."""

    key: str
    name: str
    media_type: str
    size: int


_PARTS: Mapping[str, FieldType] = {
    "": Text(maximum=255),
    "name": Text(maximum=255),
    "media_type": Text(maximum=100),
    "size": Integer(minimum=0),
}
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*")
_PATH = re.compile(r"[/\\]")


@attrs.frozen(kw_only=True)
class File(FieldType):
    """A file of any media type, of at most ``maximum`` bytes (REC-10)."""

    kind: ClassVar[str] = "file"
    comparable: ClassVar[bool] = True
    ordered: ClassVar[bool] = False
    #: What the media type has to begin with.
    family: ClassVar[str] = ""
    maximum: int = 20_000_000

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return the key (the main part), name, media type and size."""
        return _PARTS

    def split(self, value: FileReference | None) -> tuple[Any, ...]:
        """Return the four parts."""
        if value is None:
            return (None,) * 4
        return (value.key, value.name, value.media_type, value.size)

    def join(self, stored: tuple[Any, ...]) -> FileReference | None:
        """Return the reference of its stored parts."""
        return None if stored[0] is None else FileReference(*stored)

    def coerce(self, value: Any, conventions: Conventions) -> FileReference:
        """Return the reference; names with a path and other media types are refused."""
        given = value
        if isinstance(value, Mapping) and set(value) == set(_NAMES):
            given = FileReference(**value)
        if not isinstance(given, FileReference):
            raise Refused("not_file")
        media_type = clean_text(given.media_type, 100).lower()
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise Refused("not_file")
        if not media_type.startswith(self.family):
            raise Refused("wrong_media_type", value=media_type)
        key, name = clean_text(given.key, 255), clean_text(given.name, 255)
        if not key or not name or _PATH.search(name) or name in {".", ".."}:
            raise Refused("not_file")
        if type(given.size) is not int or given.size < 0:
            raise Refused("not_file")
        if given.size > self.maximum:
            raise Refused("file_too_large", maximum=self.maximum)
        return FileReference(key, name, media_type, given.size)

    def to_json(self, value: FileReference) -> dict[str, Any]:
        """Return the four parts by name."""
        return attrs.asdict(value)


_NAMES = tuple(attribute.name for attribute in attrs.fields(FileReference))


@attrs.frozen(kw_only=True)
class ImageFile(File):
    """A picture."""

    kind: ClassVar[str] = "image"
    family: ClassVar[str] = "image/"


@attrs.frozen(kw_only=True)
class AudioFile(File):
    """A recording."""

    kind: ClassVar[str] = "audio"
    family: ClassVar[str] = "audio/"
