"""Manifests: their canonical form, their hash, and the prompt in one that carries a model."""

from __future__ import annotations

import hashlib
from typing import Any

from observatory import exact


def digest(manifest: dict[str, Any]) -> str:
    """Return the sha256 of the canonical form: the order of keys does not count."""
    text = exact.spelled(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def commit_hash(digest: str, parent: str | None) -> str:
    """Return the hash of a commit: its manifest and everything before it."""
    return hashlib.sha256(f"{parent or ''}:{digest}".encode()).hexdigest()


def _kind(part: Any) -> str:
    names = part.get("id") if isinstance(part, dict) else None
    return str(names[-1]) if isinstance(names, list) and names else ""


def without_model(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the prompt of a `prompt | model` sequence; None if the manifest is no sequence."""
    parts = manifest.get("kwargs")
    if _kind(manifest) != "RunnableSequence" or not isinstance(parts, dict):
        return None
    first = parts.get("first")
    return first if isinstance(first, dict) and "Prompt" in _kind(first) else None
