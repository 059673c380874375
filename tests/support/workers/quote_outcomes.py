"""Outcomes of quotes that handlers report."""

from contracts.outcomes import Rejected

UNKNOWN = Rejected("unknown-symbol")


NOBODY_CAN_TELL = Rejected("quote-unavailable")
