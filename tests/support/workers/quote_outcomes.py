"""Outcomes of quotes that handlers report."""

from contracts.outcomes import Rejected

UNKNOWN = Rejected("unknown-symbol")


QUOTE_UNAVAILABLE = Rejected("quote-unavailable")
