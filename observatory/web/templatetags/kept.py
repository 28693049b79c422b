"""`{% kept KEY .. %} .. {% endkept %}`: cache a part of a page by keys, per process."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString

register = template.Library()
MAX_RENDERINGS = 256  # renderings of one part; then the cache is cleared


class KeptNode(template.Node):
    """Renders its body once for each combination of keys, in each process.

    The body must not depend on anything else: not on the user, not on the time. A key that is None
    disables the cache for this rendering.
    """

    def __init__(self, keys: list[FilterExpression], nodelist: NodeList) -> None:
        self.keys = keys
        self.nodelist = nodelist
        self.kept: dict[tuple[Any, ...], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        key = tuple(expression.resolve(context) for expression in self.keys)
        if None in key or settings.DEBUG:
            return self.nodelist.render(context)
        rendered = self.kept.get(key)
        if rendered is None:
            if len(self.kept) >= MAX_RENDERINGS:
                self.kept.clear()
            rendered = self.kept[key] = self.nodelist.render(context)
        return rendered


@register.tag("kept")
def keep(parser: Parser, token: Token) -> KeptNode:
    keys = [parser.compile_filter(word) for word in token.split_contents()[1:]]
    nodelist = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode(keys, nodelist)
