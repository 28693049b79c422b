"""Writes docs/reference/endpoints.md and openapi.yaml: `python -m tests.reference`."""

from __future__ import annotations

import re
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
TARGET = REFERENCE / "endpoints.md"
OPENAPI = REFERENCE / "openapi.yaml"
METHODS = ["get", "post", "put", "patch", "delete"]
HEAD = """# Endpoints

LangSmith's wire, as the SDKs speak it. Every path is served with and without a trailing slash, and
under `/`, `/api` and `/api/v1` (platform paths: under `/v1/platform` and `/api/v1/platform`; v2 under
`/api/v2` alone). Written from the code by `python -m tests.reference`.

| path | methods | what |
|---|---|---|
"""


def rows() -> list[str]:
    """Return one table row for each route of the API."""
    from observatory.api import urls

    found = []
    for prefix, patterns in (
        ("/", urls.v1),
        ("/v1/platform/", urls.platform),
        ("/v2/", urls.adaline),
        ("/api/v2/", urls.v2),
    ):
        for pattern in patterns:
            view = pattern.callback.view_class
            route = readable(str(pattern.pattern))
            methods = " ".join(m.upper() for m in METHODS if hasattr(view, m))
            what = (view.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
            what = re.sub(r"\s+", " ", what).replace("|", "\\|")
            found.append(f"| `{prefix}{route}` | {methods} | {what} |")
    return found


def readable(route: str) -> str:
    """Return a route's regular expression with its groups as {name}."""
    route = route.removeprefix("^").removesuffix("$").removesuffix("/?")
    while match := re.search(r"\(\?P<(\w+)>", route):
        depth, end = 0, match.start()
        for end in range(match.start(), len(route)):
            depth += {"(": 1, ")": -1}.get(route[end], 0)
            if depth == 0:
                break
        route = f"{route[: match.start()]}{{{match[1]}}}{route[end + 1 :]}"
    return route


def text() -> str:
    return HEAD + "\n".join(rows()) + "\n"


def openapi() -> str:
    """Return the OpenAPI document as /api/schema gives it in YAML."""
    from drf_spectacular.renderers import OpenApiYamlRenderer2

    from observatory.api.reference import document

    return OpenApiYamlRenderer2().render(document(), renderer_context={}).decode()


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    TARGET.write_text(text())
    OPENAPI.write_text(openapi())
