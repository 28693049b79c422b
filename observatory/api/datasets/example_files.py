"""GET /example-attachments/{token}: a file of an example, by a signed URL alone."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from datasets_app import files
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import not_found
from observatory.api.kit.stored_files import sent


class SignedExampleFile(View):
    """GET the `presigned_url` that `attachment_urls` of an example names."""

    http_method_names = ["get", "head"]
    is_public = True  # the token is the credential

    @endpoint(answer=Binary, gives="*/*")
    def get(self, request: HttpRequest, token: str) -> HttpResponseBase:
        opened = files.opened(token)
        if opened is None:
            return not_found(request)
        file, name = opened
        return sent(request, file, name, files.content)
