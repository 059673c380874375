"""HTTP/1.1 on a connection that is bounded in bytes, time and number, with llhttp as its parser."""
