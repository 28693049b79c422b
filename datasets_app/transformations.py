"""Arithmetic: a dataset's transformations of inputs and outputs, path by path.

A transformation is `{path: ["inputs", "messages"], transformation_type: KIND}`. Lists on the way to
its target are walked item by item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datasets_app import messages
from observatory import exact

KINDS: Final = (  # the order in which they are applied
    "convert_to_openai_message",
    "convert_to_openai_tool",
    "remove_system_messages",
    "remove_extra_fields",
    "extract_tools_from_run",
)
SIDES: Final = ("inputs", "outputs")
MAX_STEPS: Final = 100


class BadTransformation(ValueError):
    """An invalid list of transformations, with place and reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transformation. `path` begins with `inputs` or `outputs`."""

    kind: str
    path: tuple[str, ...]


def parsed(transformations: Any) -> list[Step]:
    """Return the steps in the order in which they are applied. Raises BadTransformation."""
    if transformations is None:
        return []
    if not isinstance(transformations, list) or len(transformations) > MAX_STEPS:
        raise BadTransformation(f"must be an array of at most {MAX_STEPS}")
    steps = []
    for index, transformation in enumerate(transformations):
        kind = (
            transformation.get("transformation_type") if isinstance(transformation, dict) else None
        )
        if kind not in KINDS:
            raise BadTransformation(f"[{index}].transformation_type: one of {', '.join(KINDS)}")
        path = transformation.get("path")
        if not isinstance(path, list) or not all(isinstance(step, str) for step in path):
            raise BadTransformation(f"[{index}].path: must be an array of names")
        if not path or path[0] not in SIDES:
            raise BadTransformation(f"[{index}].path: must begin with inputs or outputs")
        steps.append(Step(kind, tuple(path)))
    return sorted(steps, key=lambda step: KINDS.index(step.kind))


def applied(
    document: str,
    side: str,
    steps: Sequence[Step],
    *,
    schema: Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return a JSON object after the steps of its `side`; the same text if none changes it.

    `schema` is the dataset's for that side: it decides which fields are extra, which messages are
    required and whether one or many. `tools` are those of the source run.
    """
    own = [step for step in steps if step.path[0] == side]
    if not own:
        return document
    whole = {side: exact.loads(document)}
    outer = {"properties": {side: schema or {}}, "required": [side]}
    for step in own:
        for parent, within in list(_parents(whole, outer, step.path[:-1], outer)):
            _ACTIONS[step.kind](parent, step.path[-1], _Place(within, outer, side, tools))
    after = whole[side]
    if not isinstance(after, dict) or exact.is_same(after, exact.loads(document)):
        return document
    return exact.dumps(after).decode()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step applies: the schema of its target's parent, and what else it may use."""

    within: Mapping[str, Any]
    whole: Mapping[str, Any]
    side: str
    tools: Sequence[Mapping[str, Any]]

    def schema_of(self, name: str) -> Mapping[str, Any]:
        return _property(self.within, name, self.whole)

    def is_required(self, name: str) -> bool:
        required = self.within.get("required")
        return isinstance(required, list) and name in required


def _parents(
    value: Any, schema: Mapping[str, Any], path: Sequence[str], whole: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """Yield each object at `path`, with its schema."""
    if isinstance(value, list):
        items = _resolved(schema.get("items"), whole)
        for item in value:
            yield from _parents(item, items, path, whole)
    elif isinstance(value, dict):
        if not path:
            yield value, schema
        elif path[0] in value:
            inner = _property(schema, path[0], whole)
            yield from _parents(value[path[0]], inner, path[1:], whole)


def _property(schema: Mapping[str, Any], name: str, whole: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return _resolved(properties.get(name) if isinstance(properties, dict) else None, whole)


def _resolved(schema: Any, whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with references within its side's schema followed, {} if there is none."""
    for _ in range(20):  # a cycle of references ends somewhere
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        roots = whole["properties"]
        schema = next(
            (
                target
                for root in roots.values()
                if (target := _pointed(root, reference)) is not None
            ),
            None,
        )
    return {}


def _pointed(root: Any, reference: str) -> Any:
    target = root
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, dict) else None
    return target


# What each kind does ------------------------------------------------------------------------------


def _convert_message(parent: dict[str, Any], name: str, target: _Place) -> None:
    role = "assistant" if target.side == "outputs" else "user"
    converted = messages.messages(parent.get(name), role=role)
    if (
        converted is None
        and target.is_required(name)
        and name not in SIDES
        and not parent.get(name)
    ):
        extracted = messages.extracted(parent)
        if extracted is not None:
            converted, rest = extracted
            parent.clear()
            parent.update(rest)
    if converted:
        kind = target.schema_of(name).get("type")
        is_list = kind == "array" or (kind is None and isinstance(parent.get(name), list))
        parent[name] = converted if is_list else converted[-1]


def _convert_tool(parent: dict[str, Any], name: str, target: _Place) -> None:
    converted = messages.tools(parent.get(name))
    if converted is not None:
        parent[name] = converted
    else:
        _extract_tools(parent, name, target)


def _extract_tools(parent: dict[str, Any], name: str, target: _Place) -> None:
    if not parent.get(name) and target.tools:
        parent[name] = list(target.tools)


def _remove_system(parent: dict[str, Any], name: str, target: _Place) -> None:
    value = parent.get(name)
    if isinstance(value, list):
        parent[name] = [item for item in value if messages.role_of(item) != "system"]


def _remove_extra(parent: dict[str, Any], name: str, step_target: _Place) -> None:
    schema = step_target.schema_of(name)
    targets = parent.get(name)
    if isinstance(targets, list):
        schema = _resolved(schema.get("items"), step_target.whole)
    known = schema.get("properties")
    if not isinstance(known, dict):
        return
    for target in targets if isinstance(targets, list) else [targets]:
        if isinstance(target, dict):
            for extra in target.keys() - known.keys():
                del target[extra]


_ACTIONS = {
    "convert_to_openai_message": _convert_message,
    "convert_to_openai_tool": _convert_tool,
    "remove_system_messages": _remove_system,
    "remove_extra_fields": _remove_extra,
    "extract_tools_from_run": _extract_tools,
}
