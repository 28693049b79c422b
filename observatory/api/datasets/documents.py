"""Types of the members of examples: documents that stay as they were sent, and times."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_app import versions
from observatory.api.kit.members import SelfReading
from observatory.runs import documents
from observatory.runs.documents import BadItem

if TYPE_CHECKING:
    Document = str
    IsoTime = datetime
else:

    class Document(metaclass=SelfReading):
        """A JSON object, given as its bytes; read as its text, each digit and space kept."""

        kinds = (str,)
        schema: ClassVar = {"type": "object"}

        @staticmethod
        def read(value: Any) -> str:
            if not isinstance(value, bytes) or not value.startswith(b"{"):
                raise ValueError("must be an object")
            try:
                clean, _ = documents.sanitize(value)
                documents.check(clean)
            except BadItem as error:
                raise ValueError(error.reason) from None
            return clean.decode()

    class IsoTime(metaclass=SelfReading):
        """ISO 8601 text, without a zone in UTC; read as an aware time."""

        kinds = (datetime,)
        schema: ClassVar = {"type": "string", "format": "date-time"}

        @staticmethod
        def read(value: Any) -> datetime:
            time = versions.parse_time(value) if isinstance(value, str) else None
            if time is None:
                raise ValueError("must be a time (ISO 8601)")
            return time
