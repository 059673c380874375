"""The whole system on one machine: real Kafka, PostgreSQL and Valkey, and a process for each role.

Nothing is installed: the parts come from package registries, are verified against committed locks
and kept in a cache folder; everything they write is in one data folder.
"""
