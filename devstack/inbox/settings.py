from pathlib import Path

from pydantic import Field

from infra.runtime.settings import ProcessSettings


class InboxSettings(ProcessSettings):
    instance: str = "inbox"
    inbox_dir: Path
    inbox_smtp_host: str = "127.0.0.1"
    inbox_smtp_port: int = Field(default=8026, ge=0, le=65535)
    inbox_http_host: str = "127.0.0.1"
    inbox_http_port: int = Field(default=8025, ge=0, le=65535)
