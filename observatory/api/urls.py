"""The wire's URL table. Each SDK derives several prefixes from one endpoint: see `mounted`.

Every path answers with and without a trailing slash, without redirecting: a redirect turns
the SDKs' POST into a GET.
"""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from observatory.api import info, reference
from observatory.api.adaline.urls import adaline
from observatory.api.datasets import urls as datasets
from observatory.api.feedback import urls as feedback
from observatory.api.kit.errors import not_found
from observatory.api.kit.paths import at
from observatory.api.projects import urls as projects
from observatory.api.prompts import urls as prompts
from observatory.api.queues import urls as queues
from observatory.api.runs import urls as runs
from observatory.api.v2.urls import v2

v1: list[URLPattern | URLResolver] = [
    at("info", info.Info, "info"),
    at("schema", reference.Schema, "schema"),
    at("docs", reference.SchemaPage, "docs"),
    *runs.v1,
    *projects.v1,
    *feedback.v1,
    *queues.v1,
    *datasets.v1,
    *prompts.v1,
]
platform: list[URLPattern | URLResolver] = [*queues.platform, *datasets.platform]


def mounted() -> list[URLPattern | URLResolver]:
    """Return v1 and platform under the prefixes that E = host, host/api and host/api/v1 give.

    Adaline's log API is beside them under its own: its clients are given E/v2. The generated
    clients know one prefix of v2, whatever E is.
    """
    table: list[URLPattern | URLResolver] = [
        re_path("^api/v2/", include((v2, "v2"), namespace="v2"))
    ]
    for number, prefix in enumerate(["", "api/", "api/v1/"]):
        table.append(re_path(f"^{prefix}", include((v1, "v1"), namespace=f"v1-{number}")))
    for number, prefix in enumerate(
        ["v1/platform/", "api/v1/platform/", "api/v1/v1/platform/", "platform/", "api/platform/"]
    ):
        table.append(
            re_path(f"^{prefix}", include((platform, "platform"), namespace=f"platform-{number}"))
        )
    for number, prefix in enumerate(["v2/", "api/v2/"]):
        table.append(
            re_path(f"^{prefix}", include((adaline, "adaline"), namespace=f"adaline-{number}"))
        )
    return table


urlpatterns = [*mounted(), re_path(r"^(?:api|v1)/", not_found)]
