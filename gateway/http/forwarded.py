"""Which addresses a request came over, as proxies tell: X-Forwarded-For, Forwarded (RFC 7239)."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from gateway.http.header_fields import members, unquoted

Source = Literal["auto", "x-forwarded-for", "forwarded"]
"""Which field the trusted proxies write. `auto`: X-Forwarded-For where it is, else Forwarded."""

_NODE = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(?:\d{1,5}|_[A-Za-z0-9._\-]+))?")
_PAIR = re.compile(r'(?:^|;)\s*for=("[^"]*"|[^;,"]*)\s*(?=;|$)', re.IGNORECASE)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(maxsize=4_096)
def address_of(node: str) -> Address | None:
    """The address of a node: without port and brackets, a mapped IPv4 as itself, without zone.

    None for what is no address, such as `unknown` and `_hidden`.
    """
    text = node.strip(" \t")
    match = _NODE.fullmatch(text)
    if match:
        text = match[1] if match[1] is not None else match[2]
        if match[1] is not None and ":" not in text:
            return None  # brackets are for IPv6
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def hops(headers: Mapping[str, str], source: Source) -> list[str]:
    """The nodes that the request came over, the nearest first, as they were written."""
    given = headers.get("x-forwarded-for") if source != "forwarded" else None
    if given is not None:
        return [hop for each in reversed(given.split(",")) if (hop := each.strip(" \t"))]
    if source == "x-forwarded-for":
        return []
    return [_for(element) for element in reversed(list(members(headers.get("forwarded", ""))))]


def _for(element: str) -> str:
    """What an element says of `for`; nothing where it says nothing or says it twice."""
    found = _PAIR.findall(element)
    return unquoted(found[0]) if len(found) == 1 else ""


def client_address(
    peer: Address, headers: Mapping[str, str], trusted: Iterable[Network], source: Source
) -> Address:
    """The nearest address that is not a trusted proxy's; what only others say is not believed."""
    found, networks = peer, tuple(trusted)
    for hop in hops(headers, source):
        if not is_within(found, networks):
            break
        address = address_of(hop)
        if address is None:
            break
        found = address
    return found


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
