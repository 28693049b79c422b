"""URLs of the three faces: API, pages and admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("observatory.web.urls")),
    path("", include("observatory.api.urls")),
]

handler500 = "observatory.web.outage.server_error"
