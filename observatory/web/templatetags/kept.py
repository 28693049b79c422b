"""`{% kept KEY .. %} .. {% endkept %}`: a part of a page that its keys alone decide, drawn once."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString

register = template.Library()
MOST = 256  # renderings of one part; then it begins anew


class KeptNode(template.Node):
    """Renders its body once for each combination of keys, in each process.

    Nothing in the body may depend on anything else: not on who asks, not on the time. A key that
    is None says that this rendering is not to be kept.
    """

    def __init__(self, keys: list[FilterExpression], nodelist: NodeList) -> None:
        self.keys = keys
        self.nodelist = nodelist
        self.kept: dict[tuple[Any, ...], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        key = tuple(expression.resolve(context) for expression in self.keys)
        if None in key or settings.DEBUG:
            return self.nodelist.render(context)
        found = self.kept.get(key)
        if found is None:
            if len(self.kept) >= MOST:
                self.kept.clear()
            found = self.kept[key] = self.nodelist.render(context)
        return found


@register.tag("kept")
def keep(parser: Parser, token: Token) -> KeptNode:
    keys = [parser.compile_filter(word) for word in token.split_contents()[1:]]
    nodelist = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode(keys, nodelist)
