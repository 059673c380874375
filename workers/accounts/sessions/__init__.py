"""Sessions that have begun: refreshed, ended from within, ended from another."""
