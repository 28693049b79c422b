"""Read the environment once: every setting typed, all mistakes reported together."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from observatory.proxies import Network


def default_data_directory() -> Path:
    """Return the default directory of the embedded database, its secrets and attachments."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "observatory"


OUR_PREFIX = "OBSERVATORY_"
NOT_A_KNOB = "OBSERVATORY_TEST_"  # read by the tests before settings load
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1", "[::1]"}
PRIVATE_NETWORKS = [
    *("127.0.0.0/8", "::1/128", "fc00::/7"),
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
]
# Placeholders of examples and images, and common first choices.
KNOWN_PASSWORDS = {
    *("postgres", "password", "admin", "root", "observatory", "secret", "changeme", "change-me"),
    *("123456", "12345678", "qwerty", "test", "example", "pass"),
}
SECRET_LENGTH = 50  # as in Django's own check
SECRET_DISTINCT = 10


@dataclass
class Environment:
    """Typed access to environment variables that collects mistakes until `check` is called."""

    values: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)
    asked: dict[str, None] = field(default_factory=dict)  # every variable, in the order of reading

    def text(self, name: str, default: str = "") -> str:
        """Return NAME, or the content of the file NAME_FILE names (container secrets)."""
        self.asked[name] = None
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

    def secret(self, name: str, default: str = "") -> str:
        """Return NAME, which must be long and look random. The caller handles an absent one."""
        text = self.text(name) or default
        if text:
            self._check_secret(name, text)
        return text

    def secrets(self, name: str) -> list[str]:
        """Return NAME split at commas, each part as strict as `secret`."""
        parts = self.items(name, [])
        for part in parts:
            self._check_secret(name, part)
        return parts

    def _check_secret(self, name: str, text: str) -> None:
        if len(text) < SECRET_LENGTH:
            self.mistakes.append(f"{name}: must have at least {SECRET_LENGTH} characters")
        elif text.startswith("django-insecure-") or len(set(text)) < SECRET_DISTINCT:
            self.mistakes.append(f"{name}: must be random, this one can be guessed")

    def url(self, name: str) -> str:
        """Return NAME, an http(s) address without path, without its closing slash."""
        text = self.text(name).rstrip("/")
        if not text:
            return ""
        try:
            parts = urlsplit(text)
            is_right = bool(parts.scheme in {"http", "https"} and parts.hostname)
            is_right = is_right and parts.port != 0  # reading it may raise
        except ValueError:
            is_right = False
        if not is_right or parts.path or parts.query or parts.username:
            self.mistakes.append(f"{name}: must be like https://host, got {text!r}")
            return ""
        return text

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """Return NAME split at commas: host names without scheme, port or `*`."""
        hosts = self.items(name, default)
        if "*" in hosts:
            self.mistakes.append(f"{name}: name the hosts, '*' is not accepted")
        for host in hosts:
            if "/" in host or (":" in host and not host.startswith("[")):
                self.mistakes.append(f"{name}: {host!r} must be a host name only")
        return hosts

    def origins(self, name: str, default: list[str]) -> list[str]:
        """Return NAME split at commas: each with its scheme, like https://host."""
        origins = self.items(name, default)
        for origin in origins:
            if not origin.startswith(("http://", "https://")):
                self.mistakes.append(f"{name}: {origin!r} must start with http:// or https://")
        return origins

    def networks(self, name: str, default: list[str]) -> tuple[Network, ...]:
        """Return NAME split at commas: IP addresses or networks like 10.0.0.0/8."""
        networks: list[Network] = []
        for text in self.items(name, default):
            try:
                networks.append(ip_network(text))
            except ValueError as error:
                self.mistakes.append(f"{name}: {error}")
        return tuple(networks)

    def broker(self, name: str, default: str) -> str:
        """Return NAME: redis(s):// or amqp(s):// with a host; filesystem:// is the embedded."""
        text = self.text(name, default)
        kind, _, rest = text.partition("://")
        if text and kind not in {"redis", "rediss", "amqp", "amqps", "filesystem"}:
            self.mistakes.append(
                f"{name}: must start with redis://, rediss://, amqp:// or amqps://,"
                f" got {kind[:20]!r}"
            )
        elif text and not rest and kind != "filesystem":
            self.mistakes.append(f"{name}: names no host ({kind}://HOST)")
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
        password = unquote(url.password or "")
        if password.lower() in KNOWN_PASSWORDS:
            self.mistakes.append(f"{name}: its password is commonly guessed")
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.strip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": password,
            "HOST": options.pop("host", None) or unquote(url.hostname or ""),
            "PORT": str(port or ""),
            "OPTIONS": dict(options),
        }

    def check(self) -> None:
        """Raise ImproperlyConfigured with every mistake, one per line, if there is any.

        An unknown variable with the OBSERVATORY_ prefix counts as one: a typing error would
        otherwise silently leave a default in force.
        """
        known = {*self.asked, *(f"{name}_FILE" for name in self.asked)}
        for name in sorted(self.values):
            if not name.startswith(OUR_PREFIX) or name.startswith(NOT_A_KNOB):
                continue
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f", do you mean {near[0]}?" if near else ""
                self.mistakes.append(f"{name}: there is no such setting{hint}")
        if self.mistakes:
            raise ImproperlyConfigured("\n".join(["the environment is not right", *self.mistakes]))
