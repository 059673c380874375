"""Quotes: the price of a symbol, asked of providers once however many want it; histories, searches.

Consumes  quotes.commands   LookUpQuote, LookUpHistory, Search
Emits     quotes.events     QuoteUpdated, QuoteServedStale, QuoteUnavailable, QuoteNotFound,
                            QuoteHeldBack, ProviderCircuitChanged, ProviderRateLimited
Writes    quotes            the last good quote of each symbol
          query_answers     what could not be announced
Reads     the cache server (`contracts.quotes.cache_key`, `contracts.history`), which it also fills

All are queries: no inbox row, no outcome row; past their deadline nobody waits for them.
"""
