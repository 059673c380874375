"""Every part over TLS, as a managed server would have it."""
