import base64
import os

import pytest

from infra.resilience.policies import CircuitPolicy, RetryPolicy
from infra.runtime.settings import SettingsError
from workers.quotes.settings import QuotesSettings

GIVEN = {
    "QNT9_ENVIRONMENT": "development",
    "QNT9_QUOTES_SOURCE": "sandbox",
    "QNT9_YAHOO_URL": "http://127.0.0.1:8020",
    "QNT9_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "QNT9_KAFKA_USERNAME": "quotes",
    "QNT9_KAFKA_PASSWORD": "a-password",
    "QNT9_POSTGRES_DSN": "postgresql://127.0.0.1/qnt9",
    "QNT9_REDIS_URL": "redis://127.0.0.1",
    "QNT9_CLIENT_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
}


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


def test_the_numbers_of_the_policies_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = QuotesSettings.load()
    assert settings.retries == RetryPolicy(3, 2.0, 30.0)
    assert settings.circuit == CircuitPolicy(5, 30.0, 300.0, 3_600.0, 4)
    monkeypatch.setenv("QNT9_QUOTES_ATTEMPTS", "1")
    monkeypatch.setenv("QNT9_QUOTES_LIMITED_SECONDS", "600")
    settings = QuotesSettings.load()
    assert settings.retries.attempts == 1
    assert settings.circuit.limited_seconds == 600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QNT9_QUOTES_SOURCE", "a crystal ball"),
        ("QNT9_YAHOO_URL", "ftp://example.com"),
        ("QNT9_QUOTES_FAILURES", "0"),
        ("QNT9_QUOTES_OPEN_SECONDS", "-1"),
        ("QNT9_QUOTES_PARALLEL", "1000"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        QuotesSettings.load()
    assert [fault.partition(":")[0] for fault in error.value.faults] == [name]


def test_a_second_provider_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert QuotesSettings.load().second_key is None
    monkeypatch.setenv("QNT9_QUOTES_SECOND", "twelvedata")
    with pytest.raises(SettingsError) as error:
        QuotesSettings.load()
    assert [fault.partition(":")[0] for fault in error.value.faults] == ["QNT9_QUOTES_SECOND_KEY"]
    monkeypatch.setenv("QNT9_QUOTES_SECOND_KEY", "a-key")
    assert QuotesSettings.load().second_key == "a-key"
    assert "a-key" not in repr(QuotesSettings.load())
