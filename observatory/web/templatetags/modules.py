"""`{% module_script "obs/core/main.js" %}`: an ES module, with all it imports fetched at once."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from observatory.web.storage import IMPORT

register = template.Library()


@register.simple_tag
def module_script(name: str, after: str = "") -> SafeString:
    """Return the script element of the static file `name`, after links that preload its imports.

    Without the links a browser finds the imports of a module only once it has the module, level
    by level. `after` is a module that stands before it in the page, with links of its own.
    """
    there = {after, *imports_of(after)} if after else set()
    links = format_html_join(
        "\n",
        '<link rel="modulepreload" href="{}" fetchpriority="low">',
        ((static(module),) for module in imports_of(name) if module not in there),
    )
    return format_html('{}\n<script type="module" src="{}"></script>', links, static(name))


@cache
def imports_of(name: str) -> tuple[str, ...]:
    """Return the static files that the module `name` imports, itself or through others, sorted.

    Raises:
        LookupError: A module is not among the static files.
    """
    modules: set[str] = set()
    waiting = [name]
    while waiting:
        importer = waiting.pop()
        path = finders.find(importer)
        if path is None:
            raise LookupError(f"There is no static file {importer}")
        folder = posixpath.dirname(importer)
        for statement in re.finditer(IMPORT, Path(path).read_text()):
            module = posixpath.normpath(posixpath.join(folder, statement["url"]))
            if module not in modules:
                modules.add(module)
                waiting.append(module)
    return tuple(sorted(modules))
