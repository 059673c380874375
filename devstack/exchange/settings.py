from pydantic import Field

from infra.runtime.settings import ProcessSettings


class ExchangeSettings(ProcessSettings):
    instance: str = "exchange"
    exchange_http_host: str = "127.0.0.1"
    exchange_http_port: int = Field(default=8020, ge=0, le=65535)
