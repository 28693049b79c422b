"""Arithmetic: the User-Agent header as a readable browser name. No Django."""

from __future__ import annotations

# The first match decides: Edge and Opera also name Chrome, and Chrome names Safari.
BROWSERS = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
]
SYSTEMS = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
]


def browser_of(agent: str) -> str:
    """Return `agent`, the User-Agent header, as "Firefox on Linux"; "Unknown browser" for none."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if not browser and not system:
        return agent[:60] or "Unknown browser"
    return f"{browser or 'Browser'} on {system}" if system else browser
