"""Plain English in docstrings, comments, error texts, templates and documents.

Each rule names the words, why they are avoided, and what to write instead. No file is exempt but
history: migrations and the changelog. Text in backquotes is code and is not read, nor is quoted
text where a program would not speak of itself.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HISTORY = re.compile(r"(^|/)migrations/|^docs/changelog\.md$")
CODE, PAGE, DOCUMENT = "code", "page", "document"


@dataclass(frozen=True)
class Rule:
    """Words to avoid, as a regular expression, in texts of `kinds`; `example` breaks the rule."""

    name: str
    pattern: str
    reason: str
    instead: str
    example: str
    kinds: tuple[str, ...] = (CODE, PAGE, DOCUMENT)


RULES = (
    Rule(
        "elders",
        r"elders?",
        "a family metaphor for a tree",
        "parent, root, ancestors",
        "Runs whose elders come later.",
    ),
    Rule(
        "told",
        r"told",
        "a response or a page does not tell",
        "returned, shown, reported, computed",
        "Which fields are told.",
    ),
    Rule(
        "whoever",
        r"whom?ever",
        "hides the role",
        "the reviewer, the client, the caller",
        "Whoever acts on a change claims it.",
    ),
    Rule(
        "nobody",
        r"nobody|somebody|anybody|everybody",
        "hides the role",
        "no reviewer, a client, any member, all reviewers",
        "A link that nobody clicked.",
    ),
    Rule(
        "ours",
        r"(of|is|are|not) ours",
        "claims instead of naming",
        "the project's, its own, vendored",
        "A file under a name of ours.",
    ),
    Rule(
        "heed",
        r"heed(s|ed|ing)?",
        "archaic",
        "use, respect, obey",
        "Heed what queries say.",
    ),
    Rule(
        "shall",
        r"shall",
        "archaic outside of standards",
        "must, will, or the present tense",
        "Return what the selector shall report.",
    ),
    Rule(
        "given out",
        r"given out|hands? out nothing",
        "vague",
        "issued, returned, reserved",
        "A cursor that was never given out.",
    ),
    Rule(
        "none that",
        r"(is|was) none that|which is none of",
        "a riddle",
        "invalid, unknown, not a ...",
        "This cursor is none that an answer contained.",
    ),
    Rule(
        "comes to",
        r"(come|comes|came) to(?=\s*[.,:;]|\s*$| together| for each)",
        "vague",
        "total, result, statistics",
        "What a thread came to: the figures that were selected.",
    ),
    Rule(
        "a character that no text holds",
        r"that no (text|string|column|reader|document)s? (holds?|takes?|has)",
        "a riddle",
        "name the character or the limit",
        "It holds a character that no text holds.",
    ),
    Rule(
        "first person",
        r"I|my|mine|we|our|ours|ourselves",
        "a docstring describes the code, which is not a person",
        "the imperative, or the role in the third person",
        "It counts if a seat is mine.",
        (CODE,),
    ),
    Rule(
        "a rate",
        r"(once|twice|times|rows?|runs|bytes|[KM]iB|statements?|queries|requests?|spans) an? "
        r"(second|minute|hour|day|item|request|page|batch|statement|transaction|workspace)"
        r"(?=\s*$|\s*[.,;:)]|\s+(?:and|at|or|in)\b)",
        "reads as an article",
        "per second, per item",
        "Runs stored a second, read twice a minute.",
    ),
)


@dataclass(frozen=True)
class Text:
    """A piece of prose with its file, first line and kind."""

    file: str
    line: int
    kind: str
    words: str


def files(*endings: str) -> list[str]:
    """Return the files of the repository, also new ones, as paths from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [
        name
        for name in listed.splitlines()
        if name.endswith(endings) and not HISTORY.search(name) and (ROOT / name).is_file()
    ]


def texts_of(file: str, source: str) -> Iterator[Text]:
    """Yield the prose of a file."""
    if file.endswith(".py"):
        yield from _of_python(file, source)
    elif file.endswith(".html"):
        yield from _of_template(file, source)
    else:
        for number, line in enumerate(_without_code(source).splitlines(), 1):
            yield Text(file, number, DOCUMENT, line)


def _of_python(file: str, source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(file, token.start[0], CODE, _without_quotes(token.string))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield Text(file, node.lineno, CODE, _without_quotes(node.value.value))
        elif isinstance(node, ast.Raise) and node.exc is not None:
            for part in ast.walk(node.exc):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield Text(file, part.lineno, CODE, part.value)


def _of_template(file: str, source: str) -> Iterator[Text]:
    markup = r"<(script|style|svg)\b.*?</\1>|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>"
    visible = re.sub(markup, _blank, source, flags=re.DOTALL)
    for number, line in enumerate(visible.splitlines(), 1):
        yield Text(file, number, PAGE, line)


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`]*`", _blank, text, flags=re.DOTALL)


def _without_quotes(text: str) -> str:
    return re.sub(r'"[^"\n]*"', _blank, _without_code(text))


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


@cache
def prose() -> tuple[Text, ...]:
    """Return the prose of the repository."""
    return tuple(
        text
        for file in files(".py", ".html", ".md")
        for text in texts_of(file, (ROOT / file).read_text())
    )


def broken(rule: Rule, texts: Iterable[Text]) -> list[str]:
    """Return where `texts` break `rule`, each as "file:line: words"."""
    flags = 0 if rule.name == "first person" else re.IGNORECASE
    pattern = re.compile(rf"\b(?:{rule.pattern})(?!\w)", flags)
    return [
        f"{text.file}:{text.line}: {match[0]}"
        for text in texts
        if text.kind in rule.kinds
        for match in pattern.finditer(text.words)
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_prose_avoids_these_words(rule: Rule) -> None:
    found = broken(rule, prose())
    assert not found, f"{rule.reason}; write: {rule.instead}\n" + "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("a.py", '"""{}"""\n'),
        ("a.py", 'class Run:\n    """A run."""\n\n    name: str\n    """{}"""\n'),
        ("a.py", "x = 1  # {}\n"),
        ("a.py", 'raise ValueError(f"{{x}}: {}")\n'),
        ("a.html", '<p title="x">{{% if x %}}{}{{% endif %}}</p>\n'),
        ("a.md", "# Runs\n\n{}\n"),
    ],
    ids=["docstring", "attribute", "comment", "error", "template", "document"],
)
def test_every_kind_of_prose_is_read(rule: Rule, file: str, source: str) -> None:
    texts = list(texts_of(file, source.format(rule.example)))
    assert bool(broken(rule, texts)) == any(text.kind in rule.kinds for text in texts)


def test_code_and_quotations_are_not_prose() -> None:
    source = '''"""`told` is returned by `nobody`; "needs my review" is a filter."""\n'''
    texts = list(texts_of("a.py", source))
    assert not [place for rule in RULES for place in broken(rule, texts)]


def test_bench_is_the_benchmark_and_workbench_the_workbench() -> None:
    """Only `observatory bench` and its package are called so."""
    named = [
        file
        for file in files("")
        if re.search(r"(^|[/_.-])bench($|[/_.-])", file)
        and not file.startswith(("observatory/console/bench/", "tests/bench/"))
    ]
    assert named == ["observatory/console/management/commands/bench.py"]
    pages = [
        f"{file}:{number}"
        for file in files(".html", ".css", ".js")
        if "/vendor/" not in file and not file.startswith("tests/")
        for number, line in enumerate((ROOT / file).read_text().splitlines(), 1)
        if re.search(r"(?<![a-z])bench(?![a-z])", line)
    ]
    assert not pages
