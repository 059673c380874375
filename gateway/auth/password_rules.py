"""What a password must be. Raises `ValueError` with the rule, never with the password."""

import unicodedata

from gateway.auth.common_passwords import is_common
from infra.security.address_hmac import contains_address

SHORTEST, LONGEST = 8, 128
_CLASSES = {
    "an upper-case letter": str.isupper,
    "a lower-case letter": str.islower,
    "a digit": str.isdigit,
    "a special character": lambda c: not c.isalnum(),
}


def check_password(password: str, email: str | None) -> str:
    """The password as it will be hashed (NFC), or every rule that it breaks."""
    password = unicodedata.normalize("NFC", password)
    faults = []
    if not SHORTEST <= len(password) <= LONGEST:
        faults.append(f"must have {SHORTEST} to {LONGEST} characters")
    if "\0" in password:
        faults.append("must not contain NUL")
    missing = [name for name, has in _CLASSES.items() if not any(map(has, password))]
    if missing:
        faults.append(f"needs {', '.join(missing)}")
    if is_common(password):
        faults.append("is one of the passwords that everybody tries first")
    if email and contains_address(password, email):
        faults.append("must not contain the e-mail address")
    if faults:
        raise ValueError("; ".join(faults))
    return password
