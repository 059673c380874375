"""What a password must be. Raises `ValueError` with the rule, never with the password.

`python -m gateway.passwords` looks at the `{"password", "email"}` of its standard input, for the
command line: exit code 1, and the rules that it breaks.
"""

import json
import sys
import unicodedata
from functools import cache
from importlib.resources import files

from infra.addresses import contains_address

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
    if password.casefold() in common_passwords():
        faults.append("is one of the passwords that everybody tries first")
    if email and contains_address(password, email):
        faults.append("must not contain the e-mail address")
    if faults:
        raise ValueError("; ".join(faults))
    return password


@cache
def common_passwords() -> frozenset[str]:
    """Passwords that meet the other rules and are guessed first."""
    text = (files("gateway") / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.strip().casefold() for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    try:
        check_password(**json.load(sys.stdin))
    except ValueError as error:
        sys.exit(str(error))
