"""Handing mail over: what a mail is, and the two ways out, SMTP and SendGrid's HTTP API."""
