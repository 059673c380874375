"""What the gateway can seal, and the one key with which it opens answers to itself."""

from typing import Any

from contracts.sealed_contents import content_of
from gateway.commands.publisher import Intent
from gateway.problems import ProblemError
from gateway.settings import GatewaySettings
from infra.security.seals import OpeningKeys, SealingKey, binding


class Seals:
    """One sealing key for each worker that takes secrets; a fresh reply key for each process."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._signup = SealingKey(settings.signup_seal_public)
        self._accounts = SealingKey(settings.accounts_seal_public)
        self._verification = SealingKey(settings.verification_seal_public)
        self._replies, self.reply_key = OpeningKeys.generate()

    def for_signup(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._signup, intent, "signup", content)

    def for_signin(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "signin", content)

    def for_refresh(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "refresh", content)

    def for_profile(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "profile", content)

    def for_password_change(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "password-change", content)

    def for_password_reset(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "password-reset", content)

    def for_confirmation(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "confirm-signup", content)

    def for_email_undo(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "email-undo", content)

    def for_email_change(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "email-change", content)

    def for_erasure(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "erase", content)

    def for_administration(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._accounts, intent, "administration", content)

    def for_verify(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._verification, intent, "verify", content)

    def for_resend(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._verification, intent, "resend", content)

    def for_forgot(self, intent: Intent, content: dict[str, Any]) -> str:
        return _seal(self._verification, intent, "forgot", content)

    def open_tokens(self, intent: Intent, sealed: str, purpose: str) -> dict[str, Any]:
        """The tokens. Raises `SealError` when the answer was for another process."""
        bound_to = binding(intent.id, f"{purpose}-outcome")
        content: dict[str, Any] = self._replies.open(sealed, bound_to)
        return content


def _seal(key: SealingKey, intent: Intent, purpose: str, content: dict[str, Any]) -> str:
    """What the worker accepts, and nothing else. Raises `ProblemError`."""
    bound_to = binding(intent.id, purpose, intent.time.isoformat())
    try:
        checked = content_of(purpose, {**content, "fingerprint": intent.fingerprint})
    except ValueError:
        raise ProblemError("invalid-fields") from None
    return key.seal(checked, bound_to)
