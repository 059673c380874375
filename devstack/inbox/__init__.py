"""The development inbox: takes every mail by SMTP, keeps it as a file, shows it as page and JSON.

Nothing leaves the machine: it is the recipient of all mail while the system runs for development.
"""
