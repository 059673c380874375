"""One example of each body and answer, of each path parameter, and of each problem, for readers.

A test fails where one is missing or is not what its model would write.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from pydantic import BaseModel

from contracts.quotes import Quote
from contracts.securities import Found
from gateway.openapi.history_examples import HISTORY_EXAMPLES
from gateway.problems import PROBLEMS, ProblemError
from gateway.v1 import admin_models, models, quote_models, session_models

_USER = "01a1a0a3-0325-7614-ad32-fd110ba494f9"
_REQUEST = "b9c688d4-5df3-4c35-a8a5-54864183c355"
_HANDLE = (
    "HobNk8OWVSUzKmIe7JFzgVsiYTllZTgxOGEtOTBkNC04NTk1LWIxZGUtMjQ4ZTUyZDFiNDg5IiwicW50OS5jb2"
    "1tYW5kLmFkZF90b193YXRjaGxpc3QudjEiLDE3OTM2OTY4MjAsIjAxYTFhMGEzLTAzMjUtNzYxNC1hZDMyLWZk"
    "MTEwYmE0OTRmOSIsImRmODBmMGYzZWZhOGNkMTM5NjQ4ZTdlMjlkMjk1ZThlMmZkMjI4YjdmYjlhNTFlMGE2M2"
    "E5MjEwNjYwOGFhMzEiXQ"
)
_PASSWORD = "Quiet-harbour-61-lantern"  # noqa: S105  # the README's
_NEW_PASSWORD = "Copper-meadow-27-violin"  # noqa: S105  # nobody's
_SESSION = "01a1a0a8-8939-7f4e-9b57-7d4c1b3f0a22"
_TOKEN = "YgpDGATGFMpxKa4twEgpBbPJGrb4uQ7bkLD7ZcF17vQ"  # noqa: S105  # of nobody
_REFRESH_TOKEN = f"AaGgqIllctytDdsEKuo2kw.{_TOKEN}"
_SESSION = "01a1a0a8-8965-72dc-ad0d-db042aea3693"
_NOTE = "earnings on Friday"
_QUOTE = {
    "symbol": "SAP.DE",
    "name": "SAP SE",
    "price": "241.85",
    "currency": "EUR",
    "quoted_unit": "EUR",
    "previous_close": "239.10",
    "change_percent": "1.15",
    "market_state": "regular",
    "as_of": "2026-11-03T09:07:15Z",
    "fetched_at": "2026-11-03T09:07:31Z",
    "delay_minutes": 15,
    "source": "sandbox",
    "stale": False,
    "stale_reason": None,
}

EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    models.SignUpBody: {
        "email": "ada@example.com",
        "password": _PASSWORD,
        "display_name": "Ada",
    },
    models.SignInBody: {"email": "ada@example.com", "password": _PASSWORD},
    models.RefreshBody: {"refresh_token": _REFRESH_TOKEN},
    models.VerifyBody: {"token": _TOKEN, "password": _PASSWORD, "signup_secret": None},
    models.ResendBody: {"email": "ada@example.com"},
    models.ForgotBody: {"email": "ada@example.com"},
    models.ResetBody: {"token": _TOKEN, "new_password": _NEW_PASSWORD},
    models.ChangePasswordBody: {
        "current_password": _PASSWORD,
        "new_password": _NEW_PASSWORD,
    },
    models.ChangeEmailBody: {"new_email": "countess@example.com", "password": _PASSWORD},
    models.ProfileBody: {"display_name": "Ada King"},
    models.EraseBody: {"password": _PASSWORD},
    models.Underway: {"status": "accepted", "handle": None},
    models.Done: {"status": "done"},
    models.Activity: {
        "activity": [
            {
                "id": "01a1a0a8-8940-7ad0-a4d9-4bd05a7e5b5e",
                "action": "user.signin",
                "details": {"session_id": _SESSION},
                "ip_address": "203.0.113.7",
                "user_agent": "Mozilla/5.0",
                "created_at": "2026-11-03T09:06:02Z",
            }
        ],
        "next_cursor": None,
    },
    models.NoteBody: {"note": _NOTE},
    admin_models.TierBody: {"tier": "plus"},
    admin_models.PermissionsBody: {"permissions": ["admin"]},
    admin_models.Standing: {"id": _USER, "tier": "plus", "permissions": []},
    admin_models.Accounts: {
        "users": [
            {
                "id": _USER,
                "email": "ada@example.com",
                "display_name": "Ada",
                "email_confirmed_at": "2026-11-03T09:05:12Z",
                "tier": "free",
                "permissions": [],
                "created_at": "2026-11-03T09:00:00Z",
            }
        ],
        "next_cursor": None,
    },
    admin_models.AuditEntries: {
        "entries": [
            {
                "id": "01a1a0c2-6f50-7d54-8f49-52ea2c40f8d1",
                "user_id": _USER,
                "actor_id": "01a19f00-61a8-7c3e-9a4e-3c1d6f0b7e55",
                "action": "user.tier_changed",
                "details": {"former_tier": "free", "tier": "plus"},
                "ip_address": "203.0.113.7",
                "user_agent": "Mozilla/5.0",
                "created_at": "2026-11-03T09:30:02Z",
                "correlation_id": "01a1a0c2-6f11-7a02-9d1e-8b2f31c0aa17",
            }
        ],
        "next_cursor": None,
    },
    models.Accepted: {"status": "accepted"},
    models.SignedUp: {"status": "accepted", "signup_secret": _TOKEN},
    models.Pending: {"status": "pending", "handle": _HANDLE},
    models.Tokens: {
        "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMWExYTBhMyJ9.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": _REFRESH_TOKEN,
    },
    models.BrowserTokens: {
        "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMWExYTBhMyJ9.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": 900,
    },
    session_models.OpenSessions: {
        "sessions": [
            {
                "id": _SESSION,
                "created_at": "2026-11-03T09:06:02Z",
                "last_used_at": "2026-11-03T09:15:32Z",
                "client": "Firefox on Windows",
                "ip_address": "203.0.113.7",
                "user_agent": "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0",
                "current": True,
            }
        ]
    },
    models.Ticket: {"ticket": _TOKEN, "expires_in": 30},
    models.Verified: {"email_confirmed_at": "2026-11-03T09:05:12Z"},
    models.Profile: {
        "id": _USER,
        "email": "ada@example.com",
        "display_name": "Ada",
        "email_confirmed_at": "2026-11-03T09:05:12Z",
        "tier": "free",
        "permissions": [],
        "created_at": "2026-11-03T09:00:00Z",
    },
    models.Watchlist: {
        "items": [
            {
                "position": 0,
                "symbol": "SAP.DE",
                "note": _NOTE,
                "added_at": "2026-11-03T09:07:00Z",
                "quote": _QUOTE,
            }
        ],
        "limit": 50,
    },
    models.OrderBody: {"order": ["SAP.DE", "VOD.L"]},
    models.Ordered: {"order": ["SAP.DE", "VOD.L", "AAPL"]},
    models.ItemSaved: {"symbol": "SAP.DE", "note": _NOTE},
    models.CommandStatus: {
        "id": _HANDLE,
        "type": "qnt9.command.add_to_watchlist.v1",
        "status": "succeeded",
        "parked": False,
        "result": {"symbol": "SAP.DE", "note": _NOTE},
        "problem": None,
    },
    Quote: _QUOTE,
    quote_models.QuoteList: {
        "items": [
            {"symbol": "SAP.DE", "quote": _QUOTE, "problem": None},
            {
                "symbol": "BRK.B",
                "quote": None,
                "problem": {
                    "code": "unknown-symbol",
                    "title": "The symbol does not exist",
                    "status": 404,
                    "detail": "Did you mean BRK-B?",
                },
            },
        ]
    },
    **HISTORY_EXAMPLES,
    Found: {
        "query": "DE0007164600",
        "kind": "isin",
        "candidates": [
            {
                "symbol": "SAP.DE",
                "name": "SAP SE",
                "exchange": "XETRA",
                "currency": "EUR",
                "type": "equity",
                "isin": "DE0007164600",
                "match": "isin",
            }
        ],
        "complete": True,
    },
}

STREAM = """retry: 2000
id: 1J1mYbJ5pLKsSAuZ6mCbhfsSAuZ6mCbhKsSAuZ6mCbg

event: snapshot
data: {"quotes": {"SAP.DE": null}}

id: 9m1mYbJ5pLKsSAuZ6mCbhfsSAuZ6mCbhKsSAuZ6mCbh
event: own
data: {"id": "01a1a0a3-2c11-7b0e-9f6c-0d2f5a1b7c3e", "type": "qnt9.watchlist.item_removed.v1", …}

event: quote
data: {"symbol": "SAP.DE", "price": "241.85", "currency": "EUR", "as_of": "2026-11-03T09:07:15Z", …}

event: end
data: {"reason": "draining"}
"""

PATHS = {"symbol": "SAP.DE", "handle": _HANDLE, "id": _SESSION}


def problem_examples(codes: Iterable[str]) -> dict[str, Any]:
    """The bodies of these problems, by code."""
    faults = [{"field": "email", "message": "Field required"}]
    errors = {"invalid-fields": faults}
    return {
        code: {
            "summary": PROBLEMS[code].title,
            "value": orjson.loads(ProblemError(code, errors=errors.get(code, [])).body(_REQUEST)),
        }
        for code in sorted(set(codes))
    }
