"""The environment, read once: each knob typed, every mistake one line, all mistakes together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def default_data_directory() -> Path:
    """Where the embedded database, its secrets and attachments live unless told otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "observatory"


@dataclass
class Environment:
    """Typed access to environment variables that collects mistakes until `check` is called."""

    values: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        """Return NAME, or the content of the file NAME_FILE names (container secrets)."""
        if path := self.values.get(f"{name}_FILE"):
            try:
                return Path(path).read_text().strip()
            except OSError as error:
                self.mistakes.append(f"{name}_FILE: cannot read {path}: {error.strerror}")
                return default
        return self.values.get(name, "") or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return NAME as an integer in [low, high]."""
        text = self.text(name)
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            self.mistakes.append(f"{name}: must be a whole number, got {text!r}")
            return default
        if not low <= number <= high:
            self.mistakes.append(f"{name}: must be {low} to {high}, got {number}")
            return default
        return number

    def flag(self, name: str, default: bool) -> bool:
        """Return NAME as a boolean: 1/0, true/false, yes/no or on/off."""
        text = self.text(name).lower()
        if not text:
            return default
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off"}:
            return False
        self.mistakes.append(f"{name}: must be true or false, got {text!r}")
        return default

    def items(self, name: str, default: list[str]) -> list[str]:
        """Return NAME split at commas, blanks dropped."""
        text = self.text(name)
        return [item.strip() for item in text.split(",") if item.strip()] if text else default

    def choice(self, name: str, default: str, allowed: set[str]) -> str:
        """Return NAME, which must be one of `allowed`."""
        text = self.text(name, default)
        if text not in allowed:
            self.mistakes.append(
                f"{name}: must be one of {', '.join(sorted(allowed))}, got {text!r}"
            )
            return default
        return text

    def database(self, name: str) -> dict[str, object] | None:
        """Return NAME (postgresql://user:password@host:port/name?option=..) as Django's dict."""
        text = self.text(name)
        if not text:
            return None
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:
            self.mistakes.append(f"{name}: is not a URL")
            return None
        if url.scheme not in {"postgres", "postgresql"}:
            self.mistakes.append(
                f"{name}: must start with postgresql://, got {url.scheme or text[:12]!r}"
            )
            return None
        options = dict(parse_qsl(url.query))
        if not url.path.strip("/"):
            self.mistakes.append(f"{name}: names no database (postgresql://host/NAME)")
            return None
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.strip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": options.pop("host", None) or unquote(url.hostname or ""),
            "PORT": str(port or ""),
            "OPTIONS": dict(options),
        }

    def check(self) -> None:
        """Raise ImproperlyConfigured naming every mistake, one a line, if there is any."""
        if self.mistakes:
            raise ImproperlyConfigured("\n".join(["The environment is not right:", *self.mistakes]))
