"""The only module that marks HTML safe. All text from models and users passes through here.

Promise R1: such text runs no script and loads nothing remote. Markdown is rendered with HTML off
and then cleaned by an allow-list (no images, ids, styles or data attributes). Bidirectional and
other invisible controls are shown, because they make text misleading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import lucide
import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import JsonLexer

from observatory import exact

HEAD_CHARS = 65_536
"""A field longer than this shows its beginning and a link to the rest."""
MARKDOWN_CHARS = 40_000
"""Longer text is shown as it is: 100 KB of Markdown takes 29 ms to render."""
HIGHLIGHT_CHARS = 100_000
TREE_ROWS = 400

_TAGS = {
    *("a", "p", "br", "hr", "strong", "em", "s", "del", "code", "pre", "span", "blockquote"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_CLASSES = {"p": {"h", "h1", "h2", "h3", "h4", "h5", "h6"}}
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_MARKER = re.compile("\ue000U\\+([0-9A-F]{4})\ue001")


def _heading_open(self: RendererHTML, tokens: list[Token], idx: int, options: Any, env: Any) -> str:
    return f'<p class="h {tokens[idx].tag}">'


def _heading_close(
    self: RendererHTML, tokens: list[Token], idx: int, options: Any, env: Any
) -> str:
    return "</p>\n"


def _parser(*, breaks: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": breaks})
    parser.enable(["table", "strikethrough"]).disable("image")
    # Headings in a payload are only styled: the page has its own outline.
    parser.add_render_rule("heading_open", _heading_open)
    parser.add_render_rule("heading_close", _heading_close)
    return parser


_markdown = _parser(breaks=True)  # line breaks of models are intended
_document = _parser(breaks=False)


def _mark_hidden(text: str) -> str:
    """Put a private-use marker in place of each invisible control of `text`."""
    text = text.replace("\ue000", "\ufffd").replace("\ue001", "\ufffd").replace("\r\n", "\n")
    return _HIDDEN.sub(lambda found: f"\ue000U+{ord(found[0]):04X}\ue001", text)


def _show_hidden(html: str) -> str:
    return _MARKER.sub(r'<span class="ctl">U+\1</span>', html)


def plain(text: str) -> SafeString:
    """Return `text` escaped, its invisible controls shown as their code points."""
    return mark_safe(_show_hidden(escape(_mark_hidden(text))))  # noqa: S308


@lru_cache(maxsize=64)  # a queue's instructions appear with every item
def document(text: str) -> SafeString:
    """Return a user's Markdown as HTML; single line breaks become spaces."""
    return markdown(text, _document)


def markdown(text: str, parser: MarkdownIt = _markdown) -> SafeString:
    """Return `text` as HTML that runs nothing and loads nothing; long text stays plain."""
    if len(text) > MARKDOWN_CHARS:
        return mark_safe(f'<div class="plain">{plain(text)}</div>')  # noqa: S308
    html = nh3.clean(
        parser.render(_mark_hidden(text)),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
        strip_comments=True,
    )
    return mark_safe(f'<div class="prose">{_show_hidden(_text_only_links(html))}</div>')  # noqa: S308


def _text_only_links(html: str) -> str:
    """Drop relative links: in these pages they would point to this application's own URLs."""
    return re.sub(r'<a (?![^>]*href="(?:https?:|mailto:))[^>]*>', "<a>", html)


@dataclass(frozen=True, slots=True)
class Shown:
    """A payload to show; `n_chars` counts the whole, `is_cut` whether some is missing."""

    html: SafeString
    n_chars: int
    is_cut: bool


def payload(text: str) -> Shown:
    """Return a raw document as coloured lines, cut at HEAD_CHARS."""
    head = text[:HEAD_CHARS]
    return Shown(coloured_json(head), len(text), len(head) < len(text))


def coloured_json(text: str) -> SafeString:
    """Return `text` with JSON colours (classes, no styles); text that is not JSON stays plain."""
    if len(text) > HIGHLIGHT_CHARS or text[:1] not in '{["-0123456789tfn':
        return plain(text)
    formatter: Any = HtmlFormatter(nowrap=True, classprefix="k-")
    return mark_safe(_show_hidden(highlight(_mark_hidden(text), JsonLexer(), formatter)))  # noqa: S308


def json_tree(value: Any) -> SafeString:
    """Return `value` as nested lists that open and close, the two upper levels open.

    At most TREE_ROWS rows are drawn; the number of others is shown.
    """
    rows = _Rows(TREE_ROWS)
    html = _branch(value, rows, depth=0)
    note = (
        f'<p class="muted small">Showing the first {TREE_ROWS} rows. Raw holds everything.</p>'
        if rows.left < 0
        else ""
    )
    return mark_safe(f'<div class="json">{html}</div>{note}')  # noqa: S308


class _Rows:
    def __init__(self, left: int) -> None:
        self.left = left


def _branch(value: Any, rows: _Rows, depth: int) -> str:
    if not isinstance(value, dict | list) or not value or depth > 30:
        return _leaf(value)
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    lines = []
    for key, child in pairs:
        rows.left -= 1
        if rows.left < 0:
            break
        name = f'<span class="k">{plain(str(key))}</span>'
        if isinstance(child, dict | list) and child:
            mark = f"{{{len(child)}}}" if isinstance(child, dict) else f"[{len(child)}]"
            is_open = " open" if depth < 1 else ""
            inner = _branch(child, rows, depth + 1)
            lines.append(
                f"<li><details{is_open}><summary>{name} "
                f'<span class="z">{mark}</span></summary>{inner}</details></li>'
            )
        else:
            lines.append(f"<li>{name}: {_leaf(child)}</li>")
    return f"<ul>{''.join(lines)}</ul>"


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        cut = value[:4000]
        more = "" if len(cut) == len(value) else f' <span class="z">+{len(value) - 4000:,}</span>'
        return f'<span class="s">{plain(cut)}</span>{more}'
    if isinstance(value, bool) or value is None:
        return f'<span class="z">{exact.dumps(value).decode()}</span>'
    if isinstance(value, dict | list):
        return f'<span class="z">{"{}" if isinstance(value, dict) else "[]"}</span>'
    return f'<span class="n">{plain(str(value))}</span>'


@lru_cache(maxsize=256)
def icon(name: str) -> SafeString:
    """Return the Lucide icon `name` as inline SVG, hidden from screen readers."""
    hidden = {"class": "icon", "aria-hidden": "true", "focusable": "false"}
    svg = lucide._render_icon(name, 16, **hidden)
    return mark_safe(svg)  # noqa: S308


def diff_html(parts: list[tuple[str, str]]) -> SafeString:
    """Return `parts` of (equal | insert | delete, text) as `ins` and `del` with spoken marks."""
    pieces = []
    for kind, text in parts:
        shown = plain(text)
        if kind == "insert":
            pieces.append(f'<ins><span class="sr">inserted: </span>{shown}</ins>')
        elif kind == "delete":
            pieces.append(f'<del><span class="sr">deleted: </span>{shown}</del>')
        else:
            pieces.append(str(shown))
    return mark_safe("".join(pieces))  # noqa: S308
