"""Template tags: icons, payloads, numbers and times in readable form."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotations.routing import reasons
from observatory.exact import digits_of
from observatory.web import rendering

register = template.Library()
register.simple_tag(rendering.icon, name="icon")


@register.simple_tag
def csrf_cookie() -> str:
    """Return the name of the cookie that holds the CSRF token, for the page's scripts."""
    return settings.CSRF_COOKIE_NAME


@register.filter
def markdown(text: str) -> SafeString:
    """Return a model's text as safe HTML."""
    return rendering.markdown(text)


@register.filter
def document(text: str) -> SafeString:
    """Return a user's Markdown as safe HTML."""
    return rendering.document(text)


register.filter("json_tree", rendering.json_tree)

NO_VALUE = "-"


@register.filter
def plain(value: Any) -> SafeString:
    """Return a text (or the text of a value) escaped, its invisible controls shown."""
    return rendering.plain("" if value is None else str(value))


@register.filter
def shell(text: str) -> str:
    """Return `text` quoted as one word of a shell command."""
    return shlex.quote(text)


@register.filter
def duration(seconds: float | None) -> str:
    """Return `seconds` as 840 ms, 2.4 s, 3 min 20 s or 2 h 5 min."""
    if seconds is None:
        return NO_VALUE
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


@register.filter
def age(moment: datetime | None) -> SafeString | str:
    """Return the age of `moment`, in a <time> with the exact time."""
    if moment is None:
        return NO_VALUE
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 45:
        words = "just now"
    elif seconds < 3600:
        words = f"{max(1, round(seconds / 60))} min ago"
    elif seconds < 86_400:
        words = f"{round(seconds / 3600)} h ago"
    else:
        days = round(seconds / 86_400)
        words = f"{days} day{'' if days == 1 else 's'} ago"
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        words,
    )


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """Return `moment` to the second, in UTC."""
    if moment is None:
        return NO_VALUE
    return format_html(
        '<time datetime="{}" class="nowrap">{}</time>',
        moment.isoformat(),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def number(value: float | None, places: int = 0) -> str:
    """Return `value` with thousands separated and up to `places` decimals; `-` for none."""
    if value is None:
        return NO_VALUE
    if value and not 0.5 / 10**places <= abs(value) < 1e15:
        return f"{value:.3g}"  # rounded it would be 0, or a long line of digits
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def digits(value: float | None) -> str:
    """Return `value` exactly; `-` for none."""
    return NO_VALUE if value is None else digits_of(value)


@register.filter
def share(value: float | None) -> str:
    """Return a fraction in percent."""
    return NO_VALUE if value is None else f"{value * 100:.0f} %"


@register.filter
def at(mapping: dict[str, Any], key: str) -> Any:
    """Return `mapping[key]`, or None."""
    return mapping.get(key) if mapping else None


@register.filter
def reason(clauses: list[dict[str, Any]]) -> SafeString:
    """Return why a rule matched a run, e.g. "confidence 56 %, below 70 %"."""
    return plain(reasons.said(clauses))
