"""Settings and mails of tests of the SendGrid adapter."""

import pytest

from infra.mail.settings import MailSettings
from infra.mail.transport import DeferredError, Mailer
from tests.support.infra.mail_builders import Note, an_outgoing_mail
from tests.support.sendgrid_server import (
    KEY,
)
from tests.support.workers.verification_slice import FROM

SECONDS = 5.0


def settings_for(url: str, **more: object) -> MailSettings:
    given = {"mail_from": FROM, "mail_transport": "sendgrid", "sendgrid_key": KEY}
    given |= {"environment": "development", "sendgrid_url": url}
    return MailSettings.model_validate(given | more)


async def deferred(mailer: Mailer) -> tuple[DeferredError, Note]:
    note = Note()
    with pytest.raises(DeferredError) as raised:
        await mailer.deliver(an_outgoing_mail(), note)
    return raised.value, note
