"""Every route, in the order in which they are tried: the busiest first."""

from gateway.auth import wellknown
from gateway.http import documents, pages
from gateway.v1 import (
    activity,
    admin,
    auth,
    commands,
    passwords,
    quotes,
    sessions,
    stream,
    users,
    watchlist,
)

ENDPOINTS = (
    *watchlist.ENDPOINTS,
    *quotes.ENDPOINTS,
    *users.ENDPOINTS,
    *auth.ENDPOINTS,
    *passwords.ENDPOINTS,
    *sessions.ENDPOINTS,
    *activity.ENDPOINTS,
    *admin.ENDPOINTS,
    *commands.ENDPOINTS,
    *stream.ENDPOINTS,
    *wellknown.ENDPOINTS,
    *documents.ENDPOINTS,
    *pages.ENDPOINTS,
)
