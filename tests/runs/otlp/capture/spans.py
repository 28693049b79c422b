"""Keep the spans of a program as a fixture: one OTLP request in JSON, without machine paths."""

from __future__ import annotations

import base64
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent.parent / "fixtures"
DROPPED = ("process.", "host.", "os.")


def save(name: str, request: dict[str, Any], versions: dict[str, str]) -> None:
    """Write `request`, an ExportTraceServiceRequest in OTLP's JSON, and what made it."""
    text = json.dumps({"made_by": versions, "request": request}, indent=1, ensure_ascii=False)
    for path, shown in (
        (sys.prefix, "/venv"),
        (sys.base_prefix, "/python"),
        (str(Path.cwd()), "/app"),
    ):
        text = text.replace(path, shown)
    text = re.sub(r"127\.0\.0\.1:\d+", "models.example", text)
    document = _scrubbed(json.loads(text))
    target = FIXTURES / f"{name}.json"
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    spans = [
        s for r in document["request"]["resourceSpans"] for g in r["scopeSpans"] for s in g["spans"]
    ]
    print(name, versions, len(spans), "spans", target.stat().st_size, "bytes")


def of_memory(spans: Any) -> dict[str, Any]:
    """Return finished spans of the SDK as one request."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    return _hexadecimal(MessageToDict(encode_spans(spans)))


def of_bodies(bodies: list[bytes]) -> dict[str, Any]:
    """Return requests, as an exporter sent them in protobuf, as one."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    requests = [MessageToDict(ExportTraceServiceRequest.FromString(body)) for body in bodies]
    return _hexadecimal(
        {"resourceSpans": [one for sent in requests for one in sent["resourceSpans"]]}
    )


def versions(*names: str) -> dict[str, str]:
    """Return the versions of the packages that made the spans."""
    return {name: version(name) for name in names}


def _hexadecimal(value: Any) -> Any:
    """Return the request with ids as OTLP's JSON has them."""
    if isinstance(value, list):
        return [_hexadecimal(one) for one in value]
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {
            k: base64.b64decode(v).hex() if k in ids and isinstance(v, str) else _hexadecimal(v)
            for k, v in value.items()
        }
    return value


def _scrubbed(value: Any) -> Any:
    """Return the request without what names the machine."""
    if isinstance(value, list):
        kept = [one for one in value if not str(_key(one)).startswith(DROPPED)]
        return [_scrubbed(one) for one in kept]
    if isinstance(value, dict):
        if value.get("key") == "exception.stacktrace":
            return {"key": value["key"], "value": {"stringValue": "Traceback ..."}}
        return {key: _scrubbed(one) for key, one in value.items()}
    return value


def _key(one: Any) -> Any:
    return one.get("key") if isinstance(one, dict) else ""
