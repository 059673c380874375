"""What every process runs on: settings, TLS, the clock, health, lifecycle, its HTTP server."""
