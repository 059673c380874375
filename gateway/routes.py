"""Every route, in the order in which they are tried: the busiest first."""

from gateway.http import pages
from gateway.openapi import page
from gateway.v1 import (
    activity,
    admin,
    auth,
    browser_sessions,
    commands,
    history,
    jwks,
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
    *history.ENDPOINTS,
    *users.ENDPOINTS,
    *auth.ENDPOINTS,
    *browser_sessions.ENDPOINTS,
    *passwords.ENDPOINTS,
    *sessions.ENDPOINTS,
    *activity.ENDPOINTS,
    *admin.ENDPOINTS,
    *commands.ENDPOINTS,
    *stream.ENDPOINTS,
    *jwks.ENDPOINTS,
    *page.ENDPOINTS,
    *pages.ENDPOINTS,
)
