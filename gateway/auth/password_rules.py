"""What a password must be. Raises `ValueError` with the rule, never with the password.

`python -m gateway.auth.password_rules` looks at the `{"password", "email"}` of its standard input,
for the command line: exit code 1, and the rules that it breaks.
"""

import json
import sys
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


if __name__ == "__main__":
    from gateway.auth.password_strength import is_guessable  # the edge needs neither for its rules

    given = json.load(sys.stdin)
    try:
        checked = check_password(**given)
    except ValueError as error:
        sys.exit(str(error))
    if is_guessable(checked, given.get("email")):
        sys.exit("is of a kind that is guessed early")
