"""GET /attachments/{token}: a file of a run, by a signed URL and no other credential."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import not_found
from observatory.api.kit.stored_files import sent
from observatory.runs import attachments


class SignedAttachment(View):
    """GET the `presigned_url` that `s3_urls` of a run names; the Python SDK sends no headers."""

    http_method_names = ["get", "head"]
    is_public = True  # the token is the credential

    @endpoint(answer=Binary, gives="*/*")
    def get(self, request: HttpRequest, token: str) -> HttpResponseBase:
        attachment = attachments.opened(token)
        if attachment is None:
            return not_found(request)
        return sent(request, attachment, attachment.name, attachments.content)
