"""The plain services: the same work without a bus, as is usual and as lean as can be."""
