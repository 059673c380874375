"""Quotes: the price of a symbol, asked of providers once however many want it; and searches.

Consumes  quotes.commands   LookUpQuote, Search
Emits     quotes.events     QuoteUpdated, QuoteServedStale, QuoteUnavailable, QuoteNotFound,
                            QuoteHeldBack, ProviderCircuitChanged, ProviderRateLimited
Writes    quotes            the last good quote of each symbol
          query_answers     what could not be announced
Reads     the cache server (`contracts.quotes.cache_key`), which it also fills

Both are queries: no inbox row, no outcome row; past their deadline nobody waits for them.
"""
