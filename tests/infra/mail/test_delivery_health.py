"""How the other side is with us."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from infra.mail.delivery_health import DeliveryHealth
from infra.mail.transport import DeferredError
from tests.support.waiting import until

NOTHING = timedelta()


def away() -> float | None:
    return REGISTRY.get_sample_value("qnt9_mail_server_away")


def test_it_reports_why_mails_wait_until_one_is_taken() -> None:
    delivery_health = DeliveryHealth()
    delivery_health.deferred(DeferredError("503"), NOTHING)
    assert delivery_health.describe() == {"deferred_because": "503", "needs_an_operator": False}
    assert away() == 1
    delivery_health.taken()
    assert delivery_health.describe() == {"deferred_because": None, "needs_an_operator": False}
    assert away() == 0


def test_an_operator_is_called_once_for_one_fault(capsys: pytest.CaptureFixture[str]) -> None:
    delivery_health = DeliveryHealth()
    for _ in range(3):
        delivery_health.deferred(DeferredError("401", ours=True), NOTHING)
    assert delivery_health.describe() == {"deferred_because": "401", "needs_an_operator": True}
    delivery_health.taken()
    delivery_health.deferred(DeferredError("401", ours=True), NOTHING)
    assert "".join(capsys.readouterr()).count("mail_needs_an_operator") == 2


async def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    delivery_health = DeliveryHealth()
    assert not delivery_health.held
    delivery_health.deferred(DeferredError("429", wait_seconds=0.2), timedelta(seconds=0.2))
    delivery_health.deferred(DeferredError("503"), NOTHING)
    assert delivery_health.held
    await until(lambda: not delivery_health.held)
