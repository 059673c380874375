from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class InboxSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="QNT9_INBOX_")

    dir: Path
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=8026, ge=0, le=65535)
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8025, ge=0, le=65535)
