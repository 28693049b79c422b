"""Arithmetic: read one chat message, in every spelling found in traced runs.

OpenAI's `{role, content}`, Anthropic's and Gemini's, LangChain's `{type, content}`, `{type, data:
{content}}` and serialised constructors (`{lc, id: [..., "AIMessage"], kwargs}`). Pages, corrections
and exports read messages through this module and interpret the content themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ROLES: Final = {
    "user": "user",
    "human": "user",
    "humanmessage": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "aimessage": "assistant",
    "model": "assistant",
    "system": "system",
    "systemmessage": "system",
    "developer": "developer",
    "tool": "tool",
    "toolmessage": "tool",
    "function": "function",
    "functionmessage": "function",
}
"""Each spelling in lower case, and the role as the OpenAI API names it."""
SAYS: Final = frozenset({"content", "tool_calls", "parts"})
"""Fields that hold what a message says."""
_ANY_ROLE: Final = "ChatMessage"  # LangChain's message that names its role itself


class Message(NamedTuple):
    """One message: its role (a value of ROLES) and the fields with its content.

    `path` leads from the document to `fields`: empty, ("kwargs",) or ("data",).
    """

    role: str
    fields: Mapping[str, Any]
    path: tuple[str, ...] = ()


def role_named(name: Any) -> str | None:
    """Return the role that `name` spells, None for an unknown one. A chunk counts as a message."""
    return ROLES.get(name.removesuffix("Chunk").lower()) if isinstance(name, str) else None


def message(value: Any) -> Message | None:
    """Read a JSON value as one message; None if it is not one."""
    if not isinstance(value, Mapping):
        return None
    name, fields = value.get("role") or value.get("type"), value
    path: tuple[str, ...] = ()
    constructor, arguments, inner = value.get("id"), value.get("kwargs"), value.get("data")
    if isinstance(arguments, Mapping) and isinstance(constructor, list) and constructor:
        fields, path = arguments, ("kwargs",)
        name = arguments.get("role") if constructor[-1] == _ANY_ROLE else constructor[-1]
    elif isinstance(inner, Mapping) and not SAYS & value.keys():
        fields, path = inner, ("data",)
    role = role_named(name)
    return None if role is None else Message(role, fields, path)
