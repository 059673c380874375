"""Quotes: the price of a symbol, asked of a provider once however many want it.

Consumes  quotes.commands   LookUpQuote
Emits     quotes.events     QuoteUpdated, QuoteServedStale, QuoteUnavailable, QuoteNotFound,
                            ProviderCircuitChanged, ProviderRateLimited
Writes    quotes            the last good quote of each symbol
Reads     the cache server (`contracts.quotes.cache_key`), which it also fills

A look-up is a query: no inbox row, no outcome row; past its deadline nobody waits for it.
"""
