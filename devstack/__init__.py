"""The whole system on one machine: its supervisor, a sandbox stock exchange, a mail inbox."""
