"""Types of members of queues that read themselves; see `kit.members`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from annotations.queues import question_conditions
from annotations.queues.question_conditions import InvalidCondition
from observatory.api.kit.members import SelfReading
from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback

if TYPE_CHECKING:
    Scale = dict[str, Any]
    Condition = dict[str, Any]
    Document = dict[str, Any]
else:

    class Scale(metaclass=SelfReading):
        """A feedback config, or the record of one with the config inside; read as the config."""

        kinds = (dict,)
        schema: ClassVar = {"$ref": "#/components/schemas/Scale"}

        @staticmethod
        def read(value: Any) -> dict[str, Any]:
            if isinstance(value, dict) and isinstance(value.get("feedback_config"), dict):
                value = value["feedback_config"]
            return judgement.parse_scale(value)

    class Condition(metaclass=SelfReading):
        """When a question is asked or required; see `question_conditions`."""

        kinds = (dict,)
        schema: ClassVar = {"type": "object"}

        @staticmethod
        def read(value: Any) -> dict[str, Any] | None:
            try:
                return question_conditions.parse("", judgement.storable_document(value))
            except InvalidCondition as error:
                if not error.field:
                    raise ValueError(error.reason) from None
                raise InvalidFeedback(error.field.lstrip("."), error.reason) from None

    class Document(metaclass=SelfReading):
        """A JSON object that jsonb can hold."""

        kinds = (dict,)
        schema: ClassVar = {"type": "object"}
        read = staticmethod(judgement.parse_document)
