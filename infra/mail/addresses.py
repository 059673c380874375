"""Addresses as they stand in a mail and on the wire."""

from email import policy
from email.headerregistry import Address
from email.parser import HeaderParser

from email_validator import EmailNotValidError, validate_email


def parse_sender(value: str) -> Address:
    """The one address of a From line. Raises `ValueError`."""
    if not value.isprintable():
        raise ValueError("must be one line")
    header = HeaderParser(policy=policy.SMTP).parsestr(f"From: {value}\n\n")["From"]
    addresses: tuple[Address, ...] = header.addresses
    if header.defects or len(addresses) != 1 or not addresses[0].domain:
        raise ValueError("must be one address, as in: QNT9 <no-reply@example.com>")
    return addresses[0]


def on_the_wire(address: str) -> str:
    """The address with its domain in ASCII, where the part before it lets that suffice."""
    if address.isascii():
        return address
    try:
        parsed = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return address
    return parsed.ascii_email or address
