"""Whose word on a client's address and scheme is believed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.http import HttpRequest, HttpResponse

from observatory.proxies import client_of, is_trusted
from observatory.web.proxies import ProxyMiddleware

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", "not an address", "10.0.0.2"),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "[2001:db8::7]", "2001:db8::7"),
        ("", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_a_trusted_proxy(
    peer, forwarded_for, client
) -> None:
    assert client_of(peer, forwarded_for, PROXIES) == client


def test_no_peer_is_trusted_without_configured_proxies() -> None:
    assert not is_trusted("127.0.0.1", ())
    assert not is_trusted("", ())


def seen(peer: str, settings) -> dict[str, str]:
    settings.TRUSTED_PROXIES = PROXIES
    request = HttpRequest()
    request.META = {
        "REMOTE_ADDR": peer,
        "HTTP_X_FORWARDED_FOR": "198.51.100.1",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "evil.example",
    }
    ProxyMiddleware(lambda request: HttpResponse())(request)
    return request.META


def test_forwarded_headers_of_strangers_are_removed(settings) -> None:
    assert seen("203.0.113.7", settings) == {"REMOTE_ADDR": "203.0.113.7"}


def test_forwarded_headers_of_a_trusted_proxy_are_kept(settings) -> None:
    meta = seen("10.0.0.2", settings)
    assert meta["REMOTE_ADDR"] == "198.51.100.1"
    assert meta["HTTP_X_FORWARDED_PROTO"] == "https"
