"""Storage of static files for the web server."""

from __future__ import annotations

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

MODULES = "obs/*.js"  # of any depth
IMPORT = r"""(?m)^(?P<matched>(?P<names>(?:import|export)\b[^;"']*)["'](?P<url>\.[^"']+)["'];)"""


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed names, also in the imports of the ES modules; gzip and brotli.

    Django's own switch for modules reads every script: it takes an example in a comment of
    django_htmx for an import and fails. The name of a module holds the hashes of all it imports,
    so each pass settles one level of imports. Modules must not import each other in a circle.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (MODULES, ((IMPORT, '%(names)s"%(url)s";'),)),
    )
    max_post_process_passes = 20


class QuickStaticFilesStorage(StaticFilesStorage):
    """The same without brotli, which takes ten seconds of every first start.

    `observatory up` uses it: browser and server are near each other. A production image is built
    once and uses brotli too.
    """

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return super().create_compressor(**kwargs, use_brotli=False)
