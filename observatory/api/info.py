"""GET /info: the feature switchboard of the SDKs. No credential needed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from observatory.api.kit.endpoint import endpoint
from observatory.api.projects import schemas as sessions

COMPATIBLE_WITH = "0.18.0"  # the hosted version with the same wire; the SDKs compare it


def switchboard() -> dict[str, Any]:
    """Return what /info answers. The Python SDK reads the batch keys with []: all or none."""
    return {
        "version": COMPATIBLE_WITH,
        "batch_ingest_config": {
            "use_multipart_endpoint": True,
            "size_limit": settings.INGEST_MAX_RUNS,
            "size_limit_bytes": settings.INGEST_MAX_BODY_BYTES,
            "scale_up_qsize_trigger": 1000,
            "scale_up_nthreads_limit": 16,
            "scale_down_nempty_trigger": 4,
        },
        "instance_flags": {
            "dataset_examples_multipart_enabled": True,
            "examples_multipart_enabled": True,
            "zstd_compression_enabled": True,
            "gzip_body_enabled": True,
            "ch_query_enabled": True,
            "sdb_query_enabled": True,
        },
    }


class Info(APIView):
    """GET /info, as both SDKs fetch it before their first trace."""

    authentication_classes = ()
    permission_classes = ()

    @endpoint(answer=sessions.Switchboard)
    def get(self, request: Request) -> Response:
        return Response(switchboard())
