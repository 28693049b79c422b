"""A model server on this machine that speaks the OpenAI API, for programs that need a model.

It answers by rule, not by thinking: a first request that offers tools is answered with a call of
the first one, a request for structured output with an object of that schema, anything else with
the same sentence. Every answer has usage figures with details.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SENTENCE = "Refunds take five working days."
USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 8,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
}


def example_of(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """Return a value that satisfies a JSON schema, as far as the programs here use them."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example_of(root.get("$defs", {})[name], root)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], root)
    match schema.get("type"):
        case "object":
            return {k: example_of(v, root) for k, v in schema.get("properties", {}).items()}
        case "array":
            return [example_of(schema.get("items", {}), root)]
        case "boolean":
            return True
        case "integer" | "number":
            return 1
    return "a7"


def _arguments(function: dict[str, Any]) -> str:
    return json.dumps(example_of(function.get("parameters") or {"type": "object"}))


def chat_message(body: dict[str, Any]) -> dict[str, Any]:
    """Return the assistant's message for a chat completion request."""
    messages = body["messages"]
    if body.get("tools") and not any(message["role"] == "tool" for message in messages):
        function = body["tools"][0]["function"]
        call = {"name": function["name"], "arguments": _arguments(function)}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_a7", "type": "function", "function": call}],
        }
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        content = json.dumps(example_of(wanted["json_schema"]["schema"]))
    else:
        content = SENTENCE
    return {"role": "assistant", "content": content}


def _chunks(message: dict[str, Any], model: str) -> Iterator[dict[str, Any]]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    if message.get("tool_calls"):
        calls = [{"index": n, **call} for n, call in enumerate(message["tool_calls"])]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "tool_calls": calls}]
    else:
        words = message["content"].split(" ")
        deltas = [{"role": "assistant", "content": words[0]}]
        deltas += [{"content": f" {word}"} for word in words[1:]]
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    yield {**head, "choices": [], "usage": USAGE}


def chat_completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to POST /v1/chat/completions."""
    message = chat_message(body)
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": USAGE,
    }


def response(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to POST /v1/responses."""
    sent = body["input"] if isinstance(body["input"], list) else []
    was_called = any(item.get("type") == "function_call_output" for item in sent)
    if body.get("tools") and not was_called:
        tool = body["tools"][0]
        output: dict[str, Any] = {
            "type": "function_call",
            "id": "fc_a7",
            "call_id": "call_a7",
            "name": tool["name"],
            "arguments": _arguments(tool),
            "status": "completed",
        }
    else:
        text = {"type": "output_text", "text": SENTENCE, "annotations": [], "logprobs": []}
        output = {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [text],
        }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
        "output": [output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "usage": {
            "input_tokens": 21,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 8,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 29,
        },
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/responses"):
            self._send(json.dumps(response(body)), "application/json")
        elif body.get("stream"):
            chunks = _chunks(chat_message(body), body["model"])
            lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
            self._send("".join([*lines, "data: [DONE]\n\n"]), "text/event-stream")
        else:
            self._send(json.dumps(chat_completion(body)), "application/json")

    def _send(self, text: str, content_type: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the output for the programs."""


@contextmanager
def model_server() -> Iterator[str]:
    """Yield the base URL (http://127.0.0.1:PORT/v1) of a running model server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
