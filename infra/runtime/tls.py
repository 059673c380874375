"""Whom a client trusts, and why it trusted a server not."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_OTHER_PROTOCOL = {
    "WRONG_VERSION_NUMBER",  # no TLS at all
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",  # nothing that both can do
}


def certificates(path: Path) -> Path:
    """Check that a file holds certificates in PEM. Raises `ValueError`."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError("must hold certificates in PEM") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    return path


CaFile = Annotated[Path, AfterValidator(certificates)]
"""Certificates of authorities, in PEM: they alone are trusted."""


def kind_of(error: BaseException) -> str:
    """Return an error in a word for a log; of TLS, what was wrong."""
    return distrust(error) or type(error).__name__


def distrust(error: BaseException) -> str | None:
    """Return why TLS failed, where that is behind an error, in words the server did not write."""
    behind = _behind(error)
    if isinstance(behind, ssl.SSLCertVerificationError):
        return f"TLS: {behind.verify_message.removesuffix('.')}"
    return f"TLS: {behind.reason or type(behind).__name__}" if behind else None


def is_lasting(error: BaseException) -> bool:
    """Return whether TLS fails until somebody mends it; a server that went away may come back."""
    behind = _behind(error)
    if isinstance(behind, ssl.SSLCertVerificationError):
        return True
    return behind is not None and behind.reason in _OTHER_PROTOCOL


def _behind(error: BaseException) -> ssl.SSLError | None:
    behind: BaseException | None = error
    while behind:
        if isinstance(behind, ssl.SSLError):
            return behind
        behind = behind.__cause__ or behind.__context__
    return None
