"""The sandbox exchange: speaks Yahoo's keyless protocol on one machine, and fails on request.

Quotes   /v8/finance/chart/{symbol}, /v7/finance/spark, /v8/finance/spark, /v1/finance/search
Control  /_control/faults, /_control/clock, /_control/bucket, /_control/log

Its prices are invented: a random walk that depends on symbol and clock alone.
"""
