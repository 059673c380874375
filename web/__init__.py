"""The front end: a process that serves static files, on an origin of its own.

It has no database, Kafka or cache credential. The pages call the gateway from the browser.
"""
