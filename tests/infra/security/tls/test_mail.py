"""A mail server by `smtps://` and by STARTTLS, with a login."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import DeferredError
from tests.support.infra.mail_builders import Note, an_outgoing_mail
from tests.support.infra.tls.authority import Authority, Certificate
from tests.support.mail_server import MailServer
from tests.support.workers.verification_slice import FROM

USER, PASSWORD = "mailer", "Kx7-tq2_VwZs0"
SECONDS = 5.0
WAYS = ("smtps", "STARTTLS")


@asynccontextmanager
async def a_server(way: str, certificate: Certificate) -> AsyncIterator[MailServer]:
    context = certificate.server_context()
    server = MailServer(
        tls=context if way == "smtps" else None,
        starttls=context if way == "STARTTLS" else None,
        login=(USER, PASSWORD),
    )
    server.open.set()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def settings(
    way: str,
    server: MailServer,
    authority: Path | None,
    *,
    host: str = "127.0.0.1",
    password: str = PASSWORD,
) -> MailSettings:
    """As a process in production has them."""
    scheme = "smtps" if way == "smtps" else "smtp"
    return MailSettings.model_validate(
        {
            "environment": "development" if way == "in clear" else "production",
            "smtp_url": f"{scheme}://{USER}:{password}@{host}:{server.port}",
            "smtp_starttls": way == "STARTTLS",
            "smtp_ca_file": authority,
            "smtp_seconds": 0.5 if way == "in clear" else SECONDS,
            "mail_from": FROM,
        }
    )


async def refusal(server: MailServer, refused: MailSettings) -> str:
    """Why the mail was put off: it stays ours, and goes when somebody has mended it."""
    note = Note()
    async with asyncio.timeout(SECONDS):
        with pytest.raises(DeferredError) as error:
            await Smtp(refused).deliver(an_outgoing_mail(), note)
    assert (note.lines, server.taken) == ([], [])
    assert not error.value.perhaps_taken
    assert error.value.ours or refused.smtp_seconds != SECONDS
    assert PASSWORD not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("way", WAYS)
async def test_with_the_authority_and_a_login_it_takes_mail(
    way: str, host: str, authority: Authority, certificate: Certificate
) -> None:
    async with a_server(way, certificate) as server:
        note = Note()
        await Smtp(settings(way, server, authority.file, host=host)).deliver(
            an_outgoing_mail(), note
        )
        assert note.lines == ["sending", "sent"]
        assert server.logged_in == 1
        assert [mail.recipient for mail in server.taken] == ["ada@example.com"]


@pytest.mark.parametrize("way", WAYS)
async def test_another_authority_is_refused(
    way: str, certificate: Certificate, stranger: Authority
) -> None:
    async with a_server(way, certificate) as server:
        said = await refusal(server, settings(way, server, stranger.file))
    assert said == "TLS: unable to get local issuer certificate"


@pytest.mark.parametrize("way", WAYS)
async def test_an_authority_that_no_one_named_is_refused(
    way: str, certificate: Certificate
) -> None:
    async with a_server(way, certificate) as server:
        assert (await refusal(server, settings(way, server, None))).startswith("TLS: ")


@pytest.mark.parametrize("way", WAYS)
async def test_a_certificate_of_another_host_is_refused(
    way: str, authority: Authority, of_another_host: Certificate
) -> None:
    async with a_server(way, of_another_host) as server:
        said = await refusal(server, settings(way, server, authority.file))
    assert said.startswith("TLS: IP address mismatch")


@pytest.mark.parametrize("way", WAYS)
async def test_a_wrong_password_is_a_fault_to_fix(
    way: str, authority: Authority, certificate: Certificate
) -> None:
    async with a_server(way, certificate) as server:
        wrong = settings(way, server, authority.file, password="another-password-7")
        assert await refusal(server, wrong) == "535 5.7.8"


@pytest.mark.parametrize("way", WAYS)
async def test_in_clear_the_server_takes_nothing(way: str, certificate: Certificate) -> None:
    async with a_server(way, certificate) as server:
        said = await refusal(server, settings("in clear", server, None))
    assert said in {"cannot connect", "530 5.7.0", "SMTPException"}


async def test_a_server_that_speaks_in_clear_where_tls_is_expected_gets_no_password(
    authority: Authority,
) -> None:
    server = MailServer()
    server.open.set()
    await server.start()
    try:
        assert (await refusal(server, settings("smtps", server, authority.file))).startswith("TLS")
    finally:
        await server.stop()


@pytest.mark.parametrize("alert", [None, 0, 80])  # none; close_notify; internal_error
async def test_a_server_that_goes_in_the_middle_of_the_handshake_calls_no_operator(
    alert: int | None, authority: Authority
) -> None:
    async with going_in_the_handshake(alert) as port:
        server = MailServer(port=port)
        with pytest.raises(DeferredError) as error:
            await Smtp(settings("smtps", server, authority.file)).deliver(
                an_outgoing_mail(), Note()
            )
    assert not error.value.ours
    assert not error.value.perhaps_taken


@pytest.mark.parametrize("alert", [40, 70])  # handshake_failure; protocol_version
async def test_a_server_that_speaks_another_tls_is_a_fault_to_fix(
    alert: int, authority: Authority
) -> None:
    async with going_in_the_handshake(alert) as port:
        server = MailServer(port=port)
        said = await refusal(server, settings("smtps", server, authority.file))
    assert said.startswith("TLS: ")


@asynccontextmanager
async def going_in_the_handshake(alert: int | None) -> AsyncIterator[int]:
    """The port of one that answers the first bytes with an alert (RFC 8446, 6), or with none."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if alert is not None:
            writer.write(bytes((21, 3, 3, 0, 2, 2 if alert else 1, alert)))
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_an_authority_without_tls_is_a_fault_of_settings(authority: Authority) -> None:
    with pytest.raises(ValidationError, match="needs smtps://"):
        settings("in clear", MailServer(port=25), authority.file)
