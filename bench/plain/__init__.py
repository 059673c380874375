"""The plain services: the same work without a bus, as it is usually and as it can leanest be done."""
