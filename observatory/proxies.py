"""Arithmetic: the address of a client behind trusted proxies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=1024)
def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in networks)


def is_trusted(address: str, proxies: Sequence[Network]) -> bool:
    """Return whether the forwarding headers of the peer at `address` are trusted.

    An empty address is a Unix socket, behind which there is a proxy of this machine; it is trusted
    as soon as any proxy is.
    """
    return bool(proxies) and (not address or _is_in(address, tuple(proxies)))


def client_of(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Return the address of the client behind `peer`.

    That is the last address in X-Forwarded-For that is not a trusted proxy itself: the client may
    have made up the ones before.
    """
    client = peer
    for hop in reversed(forwarded_for.split(",")):
        if not is_trusted(client, proxies):
            break
        named = hop.strip().removeprefix("[").removesuffix("]")
        try:
            client = str(ip_address(named))
        except ValueError:
            break
    return client
