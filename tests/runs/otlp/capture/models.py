"""A server that answers as three model providers do, always the same, for the capture of spans.

The first question is answered by two tool calls, their results by a text, and a question that
contains "fail" by an error.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "gpt-4o-mini-2024-07-18"
ANSWER = "Sunny in Paris, 18 degrees in Rome."
CALLS = {"call_paris": "Paris", "call_rome": "Rome"}
USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 10, "audio_tokens": 0},
}


def openai_chat(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER, "refusal": None}
    roles = [message["role"] for message in asked["messages"]]
    if asked.get("tools") and "tool" not in roles:
        name = asked["tools"][0]["function"]["name"]
        calls = [
            {"id": i, "type": "function", "function": {"name": name, "arguments": _arguments(city)}}
            for i, city in CALLS.items()
        ]
        message |= {"content": None, "tool_calls": calls}
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_770_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": USAGE,
    }


def openai_responses(asked: dict[str, Any]) -> dict[str, Any]:
    turns = asked["input"] if isinstance(asked["input"], list) else []
    is_answered = any(turn.get("type") == "function_call_output" for turn in turns)
    if asked.get("tools") and not is_answered:
        name = asked["tools"][0]["name"]
        output: list[dict[str, Any]] = [
            {
                "type": "function_call",
                "id": f"fc_{city}",
                "call_id": i,
                "name": name,
                "arguments": _arguments(city),
                "status": "completed",
            }
            for i, city in CALLS.items()
        ]
    else:
        text = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
        output = [
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
             "content": [text]}
        ]  # fmt: skip
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_770_000_000,
        "model": MODEL,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "metadata": {},
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": asked.get("tools") or [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 0},
            "output_tokens": 30,
            "output_tokens_details": {"reasoning_tokens": 10},
            "total_tokens": 150,
        },
    }


def anthropic(asked: dict[str, Any]) -> dict[str, Any]:
    blocks = [
        block
        for message in asked["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
    ]
    content: list[dict[str, Any]] = [{"type": "text", "text": ANSWER}]
    if asked.get("tools") and not any(block["type"] == "tool_result" for block in blocks):
        name = asked["tools"][0]["name"]
        content = [
            {"type": "tool_use", "id": i, "name": name, "input": {"city": city}}
            for i, city in CALLS.items()
        ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-20250514",
        "content": content,
        "stop_reason": "tool_use" if content[0]["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 30,
            "cache_read_input_tokens": 80,
            "cache_creation_input_tokens": 10,
            "output_tokens": 30,
        },
    }


def gemini(asked: dict[str, Any]) -> dict[str, Any]:
    parts = [part for turn in asked["contents"] for part in turn["parts"]]
    said: list[dict[str, Any]] = [{"text": ANSWER}]
    if asked.get("tools") and not any("functionResponse" in part for part in parts):
        declarations = asked["tools"][0]["functionDeclarations"]
        said = [
            {"functionCall": {"id": i, "name": declarations[0]["name"], "args": {"city": city}}}
            for i, city in CALLS.items()
        ]
    return {
        "candidates": [
            {"content": {"role": "model", "parts": said}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": 120,
            "cachedContentTokenCount": 80,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 10,
            "totalTokenCount": 150,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "resp_1",
    }


def _arguments(city: str) -> str:
    return json.dumps({"city": city})


class _Answers(BaseHTTPRequestHandler):
    received: list[bytes]

    def do_POST(self) -> None:
        length = self.headers.get("content-length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        if self.path.endswith("/traces"):
            self.received.append(body)
            return self._send(200, {})
        asked = json.loads(body)
        if "fail" in json.dumps(
            asked.get("messages") or asked.get("input") or asked.get("contents")
        ):
            error = {"message": "The prompt was refused", "type": "invalid_request_error"}
            return self._send(400, {"error": {**error, "code": "refused", "param": None}})
        if self.path.endswith("/responses"):
            return self._send(200, openai_responses(asked))
        if self.path.endswith("/messages"):
            return self._send(200, anthropic(asked))
        if ":generateContent" in self.path:
            return self._send(200, gemini(asked))
        if asked.get("stream"):
            return self._stream(openai_chat(asked))
        return self._send(200, openai_chat(asked))

    def _stream(self, answer: dict[str, Any]) -> None:
        """Send a chat completion in one piece, then its usage."""
        choice = answer["choices"][0]
        calls = [
            {**made, "index": n} for n, made in enumerate(choice["message"].get("tool_calls", []))
        ]
        delta = {"role": "assistant", "content": choice["message"]["content"], "tool_calls": calls}
        begin = {"index": 0, "delta": delta if calls else {**delta, "tool_calls": None}}
        end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        named = {**answer, "object": "chat.completion.chunk", "usage": None}
        chunks = [
            {**named, "choices": [begin]},
            {**named, "choices": [end]},
            {**named, "choices": [], "usage": answer["usage"]},
        ]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
        self.wfile.write("".join(lines).encode())

    def do_GET(self) -> None:
        self._send(200, {})

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving(received: list[bytes]) -> Iterator[str]:
    """Serve on a free port and yield the address; requests for traces are added to `received`."""
    handler = type("Answers", (_Answers,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
