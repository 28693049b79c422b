"""Manifests: their canonical form, their hash, and the prompt in a manifest with a model."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from observatory import exact

PLAYGROUND: Final = "PromptPlayground"
SEQUENCE: Final = ("langchain", "schema", "runnable", "RunnableSequence")
_OF_A_SEQUENCE: Final = ("first", "middle", "last", "name")


def digest(manifest: dict[str, Any]) -> str:
    """Return the sha256 of the canonical form: the order of keys does not count."""
    text = exact.spelled(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def commit_hash(digest: str, parent: str | None) -> str:
    """Return the hash of a commit: of its manifest and its history."""
    return hashlib.sha256(f"{parent or ''}:{digest}".encode()).hexdigest()


def _kind(part: Any) -> str:
    names = part.get("id") if isinstance(part, dict) else None
    return str(names[-1]) if isinstance(names, list) and names else ""


def loadable(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest as LangChain loads it: a PromptPlayground becomes a sequence.

    The hosted service's playground stores a prompt and its model under a class of its own, which no
    client knows. Without a model it becomes its prompt.
    """
    parts = manifest.get("kwargs")
    if _kind(manifest) != PLAYGROUND or not isinstance(parts, dict):
        return manifest
    if not isinstance(parts.get("first"), dict):
        return manifest
    if not isinstance(parts.get("last"), dict):
        return dict(parts["first"])
    kept = {name: parts[name] for name in _OF_A_SEQUENCE if name in parts}
    return {"lc": 1, "type": "constructor", "id": list(SEQUENCE), "kwargs": kept}


def without_model(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the prompt of a `prompt | model` sequence; None if the manifest is no sequence."""
    is_playground, manifest = _kind(manifest) == PLAYGROUND, loadable(manifest)
    parts = manifest.get("kwargs")
    if _kind(manifest) != SEQUENCE[-1] or not isinstance(parts, dict):
        return None
    first = parts.get("first")
    if not isinstance(first, dict):
        return None
    return first if is_playground or "Prompt" in _kind(first) else None
