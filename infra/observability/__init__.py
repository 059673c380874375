"""Logs, metrics, trace context, and errors as text."""
