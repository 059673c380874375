"""Examples of the answers about prices over a time."""

from typing import Any

from pydantic import BaseModel

from contracts.history import PriceHistory
from gateway.v1 import history_models

HISTORY_EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    PriceHistory: {
        "symbol": "SAP.DE",
        "name": "SAP SE",
        "range": "1mo",
        "interval": "1d",
        "currency": "EUR",
        "quoted_unit": "EUR",
        "previous_close": "236.40",
        "points": [
            {
                "time": "2026-11-02T08:00:00Z",
                "open": "236.90",
                "high": "240.05",
                "low": "236.10",
                "close": "239.10",
                "volume": 1204331,
            }
        ],
        "fetched_at": "2026-11-03T09:07:31Z",
        "delay_minutes": 15,
        "source": "sandbox",
        "stale": False,
        "stale_reason": None,
    },
    history_models.Sparklines: {
        "range": "1d",
        "interval": "15m",
        "items": [
            {
                "symbol": "SAP.DE",
                "sparkline": {
                    "currency": "EUR",
                    "previous_close": "239.10",
                    "times": [1793692800, 1793693700],
                    "closes": ["240.20", "241.85"],
                    "fetched_at": "2026-11-03T09:07:31Z",
                    "source": "sandbox",
                    "stale": False,
                    "stale_reason": None,
                },
            },
            {"symbol": "VOD.L", "sparkline": None},
        ],
    },
}
