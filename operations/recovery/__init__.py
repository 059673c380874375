"""A database that is older than Kafka, brought up to what Kafka knows.

`survey` finds how far the database is behind, `apply` puts into it what it has to know and moves
the groups back, `progress` follows them until everything is handled again (docs/recovery.md).
"""
