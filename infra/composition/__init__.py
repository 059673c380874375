"""How a process is put together of the other packages of `infra`, and how it begins."""
