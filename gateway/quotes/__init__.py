"""Quotes and searches: from the cache, else asked of the quotes worker, once for all."""
