"""How a process starts, runs and ends: settings, health, lifecycle, its HTTP server, the clock."""
