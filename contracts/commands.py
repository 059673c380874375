"""Commands that the gateway sends to the workers. No other process sends them."""

from contracts.confidential import Confidential
from contracts.history import HistoryDetail, HistoryRange
from contracts.message import Command
from contracts.sealed import Sealed
from contracts.values import Note, SearchText, SessionId, Symbol, Tier, UserId, WatchlistOrder


class SignUp(Command):
    """Create an account for an address. The seal holds address, password, name and fingerprint."""

    sealed: Sealed


class SignIn(Command):
    """Exchange address and password for tokens, before the deadline in the envelope.

    The outcome is sealed to `reply_key` (X25519, base64url), which only the sender can open.
    """

    sealed: Sealed
    reply_key: str


class RefreshToken(Command):
    """Exchange a refresh token for a new pair, before the deadline in the envelope.

    The seal holds the token. The outcome is sealed to `reply_key`, as for `SignIn`.
    """

    sealed: Sealed
    reply_key: str


class SignOut(Command):
    """End the session whose access token sent the request."""

    session_id: SessionId


class RevokeSession(Command):
    """End a session of the actor, the current one or another."""

    session_id: SessionId


class UpdateProfile(Command):
    """Change the given fields of the actor's profile. The seal holds them."""

    sealed: Sealed


class ChangePassword(Command):
    """Replace the actor's password. The current session stays; every other one ends.

    The seal holds both passwords.
    """

    session_id: SessionId
    sealed: Sealed


class ResetPassword(Command):
    """Set a new password with a mailed token. The seal holds both."""

    sealed: Sealed


class ChangeEmail(Command):
    """Request an address change, which a mailed link then confirms.

    The seal holds the address and the actor's password. `session_id` is the requesting session,
    which continues when the change ends the others.
    """

    sealed: Sealed
    session_id: SessionId | None = None


class UndoEmailChange(Command):
    """Undo an address change with a token that was mailed to the former address.

    The seal holds the token and a new password, because the person who changed the address knew
    the old one.
    """

    sealed: Sealed


class EraseAccount(Command):
    """Erase the actor's account. The seal holds the password."""

    sealed: Sealed


class ChangeTier(Command):
    """Change the tier of a user. The actor is an admin.

    The proof is a seal with the actor's access token. Without it the command is refused.
    """

    user_id: UserId
    tier: Tier
    proof: Sealed | None = None


class ChangePermissions(Command):
    """Replace the permissions of a user. The actor is an admin.

    The values are names of `Permission`, as text so that more of them can follow. The proof is a
    seal with the actor's access token. Without it the command is refused.
    """

    user_id: UserId
    permissions: tuple[str, ...]
    proof: Sealed | None = None


class VerifyEmail(Command):
    """Redeem the mailed token of an address change, which confirms the new address.

    The token of a sign-up is refused with `proof-required`; `ConfirmSignUp` redeems it. The seal
    holds the token.
    """

    sealed: Sealed


class ConfirmSignUp(Command):
    """Redeem the mailed token of a sign-up, with proof of that sign-up.

    The seal holds the token, and the password of the sign-up or the secret of its answer.
    """

    sealed: Sealed


class ResendVerification(Command):
    """Mail a new link to an unverified address. The seal holds the address."""

    sealed: Sealed


class ForgotPassword(Command):
    """Mail a link to set a new password if the address is verified. The seal holds the address."""

    sealed: Sealed


class AddToWatchlist(Command):
    """Add a symbol to the watchlist, or change its note.

    `encrypted_note` holds the note. Only older gateways send `note` in clear.
    """

    symbol: Symbol
    note: Note | None = None
    encrypted_note: Confidential | None = None


class RemoveFromWatchlist(Command):
    """Remove a symbol from the watchlist."""

    symbol: Symbol


class ReorderWatchlist(Command):
    """Put the named symbols of the watchlist first, in this order. The others stay as they were."""

    order: WatchlistOrder


class LookUpQuote(Command):
    """Fetch a quote that is missing or not fresh in the cache. A query: it changes nothing."""

    symbol: Symbol


class LookUpHistory(Command):
    """Fetch the price history of a symbol that is missing or not fresh in the cache. A query.

    With `detail` of `closes`, the points have times and closes only and are further apart.
    """

    symbol: Symbol
    range: HistoryRange
    detail: HistoryDetail = "full"


class Search(Command):
    """Find securities by symbol, name, ISIN or WKN. A query: it changes nothing.

    The record key is an HMAC of the compared form of the text. `encrypted_text` holds the text, and
    `text` is a placeholder. Only older gateways send `text` in clear.
    """

    text: SearchText
    encrypted_text: Confidential | None = None
