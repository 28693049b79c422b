"""What models wrote is shown, and is never more than text (promise R1)."""

from __future__ import annotations

import ast
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observatory.web import rendering
from observatory.web.templatetags import obs
from tests.hostile import VECTORS

TAGS = {
    *("a", "p", "br", "hr", "strong", "em", "s", "del", "ins", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "div", "span"),
    *("details", "summary"),
}
ATTRIBUTES = {"class", "href", "title", "rel", "start", "open"}
ROOT = Path(__file__).resolve().parents[2]


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def assert_harmless(html: str) -> None:
    for tag, attributes in read(html).tags:
        assert tag in TAGS, html
        assert set(attributes) <= ATTRIBUTES, html
        href = attributes.get("href")
        if href is not None:
            assert href.startswith(("https://", "http://", "mailto:")), html
            assert "nofollow" in (attributes.get("rel") or ""), html


SHOWERS = {
    "markdown": rendering.markdown,
    "document": rendering.document,
    "plain": rendering.plain,
    "json": lambda text: rendering.coloured_json(json.dumps({text: [text]}, ensure_ascii=False)),
    "broken json": rendering.coloured_json,
    "brace": lambda text: rendering.coloured_json("{" + text),
    "tree": lambda text: rendering.json_tree({text: [text, {text: text}]}),
    "diff": lambda text: rendering.diff_html([("equal", text), ("insert", text), ("delete", text)]),
}


@pytest.mark.parametrize("name", SHOWERS)
@pytest.mark.parametrize("vector", VECTORS)
def test_hostile_text_is_harmless(name, vector) -> None:
    assert_harmless(str(SHOWERS[name](vector)))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*VECTORS, "\n\n", "**", "`", "[", "](", ")", "<", ">", "&", "\\", "_"]),
        max_size=6,
    )
)
def test_hostile_texts_put_together_are_harmless(parts) -> None:
    text = "".join(parts)
    for shower in SHOWERS.values():
        assert_harmless(str(shower(text)))


def test_markdown_is_rendered() -> None:
    html = str(
        rendering.markdown(
            "# Title\n\n**bold** [site](https://ok.example) `code`\n\n- one\n- two\n\n| a |\n|---|\n| b |"
        )
    )
    assert '<p class="h h1">Title</p>' in html
    assert "<strong>bold</strong>" in html
    assert 'href="https://ok.example"' in html
    assert "<li>one</li>" in html
    assert "<td>b</td>" in html
    assert "<h1" not in html


def test_bidirectional_controls_are_shown() -> None:
    assert "U+202E" in rendering.plain("invoice\u202egnp.exe")
    assert "U+202E" in rendering.markdown("invoice\u202egnp.exe")
    assert "U+200B" in rendering.json_tree({"a": "x\u200by"})
    assert rendering.plain("\U0001f469\u200d\U0001f4bb") == "\U0001f469\u200d\U0001f4bb"


def test_a_long_field_is_cut_and_says_so() -> None:
    shown = rendering.payload('"' + "x" * 200_000 + '"')
    assert shown.is_cut
    assert shown.n_chars == 200_002
    assert len(shown.html) < 400_000


def test_a_wide_document_counts_what_it_does_not_draw() -> None:
    html = str(rendering.json_tree({str(n): n for n in range(7_000)}))
    assert html.count("<li>") == rendering.TREE_ROWS
    assert "Showing the first" in html


def test_a_deep_document_is_drawn_to_a_depth() -> None:
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    assert len(str(rendering.json_tree(deep))) < 50_000


def test_only_one_module_calls_anything_safe() -> None:
    guilty = []
    for path in [
        *ROOT.glob("observatory/**/*.py"),
        *ROOT.glob("annotations/**/*.py"),
        *ROOT.glob("datasets_app/**/*.py"),
    ]:
        if path.name == "rendering.py" and path.parent.name == "web":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = (
                getattr(node, "id", None)
                or getattr(node, "attr", None)
                or getattr(node, "name", None)
            )
            if name in {"mark_safe", "SafeText", "__html__"}:
                guilty.append(str(path.relative_to(ROOT)))
    guilty += [
        str(path.relative_to(ROOT))
        for path in ROOT.glob("templates/**/*.html")
        if "|safe" in path.read_text() or "autoescape off" in path.read_text()
    ]
    assert guilty == []


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        (
            [
                {"field": "is_root", "operator": "eq", "expected": True, "actual": True},
                {"field": "metadata_key", "operator": "eq", "actual": "confidence"},
                {"field": "metadata_value", "operator": "lt", "expected": 70, "actual": 41},
            ],
            "confidence 41 %, below 70 %",
        ),
        (
            [{"field": "feedback_key", "operator": "eq", "actual": "needs_review"}],
            "has feedback needs_review",
        ),
        (
            [{"field": "inputs", "operator": "search", "expected": "refund", "actual": "..."}],
            "inputs mention refund",
        ),
        ([{"field": "is_root", "operator": "eq", "expected": True, "actual": True}], ""),
    ],
)
def test_the_reason_names_the_key_with_its_value_and_never_that_a_run_is_a_root(
    clauses, said
) -> None:
    assert obs.reason(clauses) == said
