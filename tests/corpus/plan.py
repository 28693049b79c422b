"""What each operation takes: read from OpenAPI, completed by hand, kept in `requests/`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from observatory.api import reference
from observatory.api.kit.openapi import routes
from tests import tenancy
from tests.corpus import right

HERE = Path(__file__).resolve().parent
REQUESTS = HERE / "requests"
METHODS = ("get", "post", "put", "patch", "delete")
MAX_DEPTH = 4
NOON = "2026-11-20T12:00:00Z"

Plan = dict[str, dict[str, Any]]
"""Operation, "POST /api/v1/runs" -> {"query": ..., "bodies": [...], "media": [...]}."""


def operations() -> list[str]:
    """Return every operation that the URL table has, whether or not it is described."""
    return sorted(
        f"{method.upper()} {route.path}"
        for route in routes()
        for method in route.methods
        if method in METHODS and method in getattr(route.view, "http_method_names", METHODS)
    )


def tag_of(operation: str) -> str:
    """Return the resource of an operation: the name of its files."""
    path = operation.split(" ")[1]
    version = "v2-" if path.startswith("/api/v2/") else ""
    path = re.sub(r"^/(?:api/)?(?:v\d/)?(?:v1/)?(?:platform/)?", "", path)
    return version + re.sub(r"\W+", "-", path.split("/")[0])


def stored() -> Plan:
    """Return the plan as the repository has it."""
    plan: Plan = {}
    for file in sorted(REQUESTS.glob("*.json")):
        plan |= json.loads(file.read_text())
    return plan


def store(plan: Plan) -> None:
    REQUESTS.mkdir(exist_ok=True)
    by_tag: dict[str, Plan] = {}
    for operation in sorted(plan):
        by_tag.setdefault(tag_of(operation), {})[operation] = plan[operation]
    for file in REQUESTS.glob("*.json"):
        if file.stem not in by_tag:
            file.unlink()
    for tag, operations_of_tag in by_tag.items():
        text = json.dumps(operations_of_tag, indent=1, sort_keys=True, ensure_ascii=True)
        (REQUESTS / f"{tag}.json").write_text(f"{text}\n")


def derived() -> Plan:
    """Return the plan that OpenAPI and the right values by hand give today."""
    document = reference.document()
    plan: Plan = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if method in METHODS:
                operation = f"{method.upper()} {path}"
                plan[operation] = _Reader(document, operation).read(described)
    return plan


def completed(kept: Plan, today: Plan) -> Plan:
    """Return `kept` with the operations, parameters, bodies and fields that only `today` has."""
    plan = json.loads(json.dumps(kept))
    for operation, new in today.items():
        old = plan.setdefault(operation, new)
        old["query"] = new["query"] | old["query"]
        unmatched = [*old["bodies"]]
        for body in new["bodies"]:  # OpenAPI may list an object and an array in another order
            alike = [one for one in unmatched if type(one["full"]) is type(body["full"])]
            if not alike:
                old["bodies"].append(body)
                continue
            old_body = alike[0]
            unmatched.remove(old_body)
            old_body["fields"] = body["fields"] | old_body["fields"]
            if isinstance(old_body["full"], dict) and isinstance(body["full"], dict):
                old_body["full"] = body["full"] | old_body["full"]
    return {operation: entry for operation, entry in plan.items() if operation in operations()}


class _Reader:
    """Reads one operation of an OpenAPI document."""

    def __init__(self, document: dict[str, Any], operation: str) -> None:
        self.schemas = document["components"]["schemas"]
        self.operation = operation

    def read(self, described: dict[str, Any]) -> dict[str, Any]:
        content = described.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        by_hand = right.QUERIES.get(self.operation, {})
        return {
            "media": sorted(content),
            "query": {
                parameter["name"]: {
                    "kind": self.kind(parameter["schema"]),
                    "required": parameter["required"]
                    or parameter["name"] in right.NEEDED.get(self.operation, ()),
                    "left_out": parameter["name"] in {"cursor", "tag_value_id"}
                    or parameter["name"] in right.LEFT_OUT.get(self.operation, ()),
                    "right": by_hand.get(
                        parameter["name"], self.value(parameter["schema"], parameter["name"])
                    ),
                }
                for parameter in described.get("parameters", ())
                if parameter["in"] == "query"
            },
            "bodies": [self.body(each) for each in self.wholes(schema)] if schema else [],
        }

    def wholes(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the whole body may be, the one first that the right request sends."""
        wholes = self.alternatives(schema)
        return wholes[::-1] if self.operation in right.LISTS else wholes

    def alternatives(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        schema = self.resolved(schema)
        parts = [part for word in ("anyOf", "oneOf") for part in schema.get(word, ())]
        return [each for part in parts for each in self.alternatives(part)] or [schema]

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]]
        if len(schema.get("allOf", ())) == 1:
            return self.resolved(schema["allOf"][0])
        return schema

    def meant(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the first alternative of `schema` that is not null."""
        not_null = [each for each in self.alternatives(schema) if each.get("type") != "null"]
        return not_null[0] if not_null else self.resolved(schema)

    def kind(self, schema: dict[str, Any]) -> str:
        """Return "uuid", "time", "text", "integer", "number", "boolean", "array", "object", "any"."""
        schema = self.meant(schema)
        named = {"uuid": "uuid", "date-time": "time"}.get(schema.get("format", ""))
        word = named or schema.get("type") or ("text" if "enum" in schema else "any")
        if isinstance(word, list):
            word = next(each for each in word if each != "null")
        if word == "array":
            return f"array of {self.kind(schema.get('items') or {})}"
        return {"string": "text"}.get(word, word)

    def body(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a minimal and a full body, and the fields of the full one with their kinds."""
        by_hand = right.BODIES.get(self.operation, {})
        is_list = schema.get("type") == "array"
        inner = self.meant(schema["items"]) if is_list else schema
        properties = inner.get("properties", {})
        full = {
            name: by_hand.get(name, self.value(part, name))
            for name, part in properties.items()
            if name != "cursor" and name not in right.LEFT_OUT.get(self.operation, ())
        } | {name: value for name, value in by_hand.items() if properties}
        needed = {*inner.get("required", ()), *right.NEEDED.get(self.operation, ())}
        minimal: Any = {name: full[name] for name in sorted(needed) if name in full}
        whole: Any = full
        if not properties:
            whole = minimal = self.value(inner, self.operation.rsplit("/", 1)[1])
        fields = dict(self.fields(inner, "[]" if is_list else "", frozenset()))
        required = [f"{'[]' if is_list else ''}.{name}" for name in sorted(needed)]
        return {
            "list": is_list,
            "minimal": [minimal] if is_list else minimal,
            "full": [whole] if is_list else whole,
            "fields": fields,
            "required": required,
        }

    def fields(self, schema: dict[str, Any], path: str, above: frozenset[str]) -> Any:
        """Yield (path, kind) of every field below `schema`: `.a`, `.items[].run_id`, `[].key`."""
        if path.count(".") >= MAX_DEPTH:
            return
        for name, part in schema.get("properties", {}).items():
            here = f"{path}.{name}"
            yield here, self.kind(part)
            below, steps = self.meant(part), here
            while below.get("type") == "array":
                below, steps = self.meant(below.get("items") or {}), f"{steps}[]"
                yield steps, self.kind(below)
            title = json.dumps(sorted(below.get("properties", {})))
            if "properties" in below and title not in above:
                yield from self.fields(below, steps, above | {title})

    def value(self, schema: dict[str, Any], name: str, depth: int = 0) -> Any:
        """Return a right value of a field called `name`: by its name, else by its schema."""
        schema = self.meant(schema)
        kind = self.kind(schema)
        if kind.startswith("array"):
            if isinstance(right.FIELDS.get(name), list):
                return right.FIELDS[name]
            return [self.value(schema.get("items") or {}, name, depth + 1)]
        if re.search(r"(_at|_time|_after|_before)$", name) and kind in {"text", "any"}:
            return NOON
        if "enum" in schema and right.FIELDS.get(name) not in schema["enum"]:
            return schema["enum"][0]
        if name in right.FIELDS and kind not in {"uuid", "time", "boolean"}:
            return right.FIELDS[name]
        if "const" in schema:
            return schema["const"]
        match kind:
            case "uuid":
                words = (each for word, each in tenancy.WORDS.items() if word in name)
                return "{" + next(words, "fresh") + "}"
            case "time":
                return NOON
            case "integer" | "number":
                return max(1, schema.get("minimum", 1))
            case "boolean":
                return True
            case "text":
                return f"text of {name}"
            case "object" if "properties" in schema and depth < MAX_DEPTH:
                return {
                    part: self.value(each, part, depth + 1)
                    for part, each in schema["properties"].items()
                }
            case "object":
                return {"a": 1}
        return {"a": 1}
