"""Where quotes come from, and how patiently it is asked."""

from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationInfo, field_validator

from infra.resilience.policies import CircuitPolicy, RetryPolicy
from infra.runtime.settings import Settings, WorkerSettings
from workers.quotes.http_client import Timeouts

Seconds = Annotated[float, Field(gt=0, le=3_600)]


class ProviderSettings(Settings):
    """Where quotes come from, and how long a call may take."""

    quotes_source: Literal["sandbox", "yahoo"]
    yahoo_url: AnyHttpUrl
    quotes_second: Literal["none", "twelvedata"] = "none"
    quotes_second_url: AnyHttpUrl = AnyHttpUrl("https://api.twelvedata.com")
    quotes_second_key: SecretStr | None = Field(default=None, validate_default=True)
    quotes_connect_seconds: Seconds = 3.0
    quotes_read_seconds: Seconds = 8.0

    @field_validator("quotes_second_key")
    @classmethod
    def _second_has_a_key(cls, key: SecretStr | None, given: ValidationInfo) -> SecretStr | None:
        if given.data.get("quotes_second", "none") != "none" and not key:
            raise ValueError("is needed by the second provider")
        return key

    @property
    def second_key(self) -> str | None:
        """The key of the second provider, where there is one."""
        key = self.quotes_second_key
        return key.get_secret_value() if key and self.quotes_second != "none" else None

    @property
    def timeouts(self) -> Timeouts:
        """The time-outs of one call."""
        return Timeouts(self.quotes_connect_seconds, self.quotes_read_seconds)


class QuotesSettings(WorkerSettings, ProviderSettings):
    """What the process needs: the providers, and by which numbers they are called."""

    quotes_attempts: int = Field(default=3, ge=1, le=10)
    quotes_retry_seconds: Seconds = 2.0
    quotes_retry_seconds_most: Seconds = 30.0
    quotes_failures: int = Field(default=5, ge=1, le=100)
    quotes_open_seconds: Seconds = 30.0
    quotes_limited_seconds: Seconds = 300.0
    quotes_limited_seconds_most: Seconds = 3_600.0
    quotes_parallel: int = Field(default=4, ge=1, le=32)

    @property
    def retries(self) -> RetryPolicy:
        """How often a call is tried again, and how long it waits between."""
        return RetryPolicy(
            self.quotes_attempts, self.quotes_retry_seconds, self.quotes_retry_seconds_most
        )

    @property
    def circuit(self) -> CircuitPolicy:
        """When a provider is left alone, and for how long."""
        return CircuitPolicy(
            self.quotes_failures,
            self.quotes_open_seconds,
            self.quotes_limited_seconds,
            self.quotes_limited_seconds_most,
            self.quotes_parallel,
        )
