"""Commands: what the gateway asks of the workers. Nobody else sends them."""

from contracts.confidential import Confidential
from contracts.message import Command
from contracts.sealed import Sealed
from contracts.values import Note, SearchText, SessionId, Symbol, Tier, UserId


class SignUp(Command):
    """Make an account for an address. The seal holds address, password, name and fingerprint."""

    sealed: Sealed


class SignIn(Command):
    """Exchange address and password for tokens, before the deadline in the envelope.

    The outcome is sealed to `reply_key` (X25519, base64url), which only the asking process opens.
    """

    sealed: Sealed
    reply_key: str


class RefreshToken(Command):
    """Exchange a refresh token for a new pair, before the deadline in the envelope.

    The seal holds the token; the outcome is sealed to `reply_key`, as that of signing in.
    """

    sealed: Sealed
    reply_key: str


class SignOut(Command):
    """End the session with whose access token this was asked."""

    session_id: SessionId


class RevokeSession(Command):
    """End a session of the actor's own, this one or another."""

    session_id: SessionId


class UpdateProfile(Command):
    """Change what is given of the actor's profile. The seal holds it."""

    sealed: Sealed


class ChangePassword(Command):
    """Replace the actor's password. The session stays, every other one ends.

    The seal holds both passwords.
    """

    session_id: SessionId
    sealed: Sealed


class ResetPassword(Command):
    """Set a new password with a mailed token. The seal holds both."""

    sealed: Sealed


class ChangeEmail(Command):
    """Ask for another address, which a mailed link then confirms.

    The seal holds the address and the actor's password. `session_id` is the session that asks: it
    goes on when the change ends the others.
    """

    sealed: Sealed
    session_id: SessionId | None = None


class UndoEmailChange(Command):
    """Give an account its former address back, with a token that was mailed there.

    The seal holds the token and a new password, for whoever changed the address knew the old one.
    """

    sealed: Sealed


class EraseAccount(Command):
    """Forget the actor. The seal holds the password."""

    sealed: Sealed


class ChangeTier(Command):
    """Move a user to another tier. The actor is an admin.

    The proof is a seal that holds the actor's access token; without one it is refused.
    """

    user_id: UserId
    tier: Tier
    proof: Sealed | None = None


class ChangePermissions(Command):
    """Let a user have these permissions and no others. The actor is an admin.

    They are names of `Permission`, as text so that there can be more of them one day. The proof is
    a seal that holds the actor's access token; without one it is refused.
    """

    user_id: UserId
    permissions: tuple[str, ...]
    proof: Sealed | None = None


class VerifyEmail(Command):
    """Redeem the token of a mailed link to another address, which this confirms.

    The link of a sign-up is redeemed by `ConfirmSignUp`; here it is refused with `proof-required`.
    The seal holds the token.
    """

    sealed: Sealed


class ConfirmSignUp(Command):
    """Redeem the token of a sign-up's mailed link, with proof that it is one's own sign-up.

    The seal holds the token, and the password of the sign-up or the secret it was answered with.
    """

    sealed: Sealed


class ResendVerification(Command):
    """Mail a new link to an address that is not verified yet. The seal holds the address."""

    sealed: Sealed


class ForgotPassword(Command):
    """Mail a link to set a new password, if somebody verified the address. The seal holds it."""

    sealed: Sealed


class AddToWatchlist(Command):
    """Follow a symbol, or change the note on one already followed.

    The note travels encrypted. In clear only an older gateway sends it.
    """

    symbol: Symbol
    note: Note | None = None
    encrypted_note: Confidential | None = None


class RemoveFromWatchlist(Command):
    """Follow a symbol no longer."""

    symbol: Symbol


class LookUpQuote(Command):
    """Fetch a quote that the cache has not, or not fresh enough. A query: it changes nothing."""

    symbol: Symbol


class Search(Command):
    """Find securities by symbol, name, ISIN or WKN. A query: it changes nothing.

    The record's key is an HMAC of the form that texts are compared by. The text travels encrypted,
    and `text` says nothing. In clear only an older gateway sends it.
    """

    text: SearchText
    encrypted_text: Confidential | None = None
