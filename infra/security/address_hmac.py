"""E-mail addresses outside of messages: the HMAC that stands for one on the bus."""

import hashlib
import hmac

from contracts.addresses import folded_address, parse_address


def normalise(address: str) -> str:
    """The address as mail is sent to it. Raises `ValueError` for none."""
    return parse_address(address)


def contains_address(password: str, address: str) -> bool:
    """Whether a password tells the address, or the name before the @."""
    address = folded_address(address)
    local = address.rpartition("@")[0]
    folded = password.casefold()
    return address in folded or (len(local) >= 4 and local in folded)


def address_hash(key: bytes, address: str) -> str:
    """HMAC-SHA256 of the folded address, in hex: the same for all spellings that are one account's.

    Raises `ValueError` for what is no address; what `normalise` returns always is one.
    """
    folded = folded_address(parse_address(address))
    return hmac.new(key, folded.encode(), hashlib.sha256).hexdigest()
