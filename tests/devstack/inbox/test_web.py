import re

from devstack.inbox.web import linked
from tests.support.devstack.inbox_client import Inbox, a_mail


async def test_messages_come_newest_first_and_as_many_as_asked(inbox: Inbox) -> None:
    for number in range(4):
        await inbox.receive(a_mail(subject=str(number)))
    assert [m["subject"] for m in await inbox.messages()] == ["3", "2", "1", "0"]
    assert [m["subject"] for m in await inbox.messages(limit="2")] == ["3", "2"]
    assert (await inbox.http.get("/api/v1/messages?limit=none")).status_code == 422


async def test_one_message_is_found_by_its_id_and_all_are_deleted(inbox: Inbox) -> None:
    await inbox.receive(a_mail())
    (listed,) = await inbox.messages()
    one = f"/api/v1/messages/{listed['id']}"
    assert (await inbox.http.get(one)).json() == listed
    assert (await inbox.http.delete("/api/v1/messages")).status_code == 204
    assert await inbox.messages() == []
    assert list(inbox.folder.iterdir()) == []
    missing = await inbox.http.get(one)
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


async def test_an_id_is_no_path(inbox: Inbox) -> None:
    assert (await inbox.http.get("/api/v1/messages/..%2f..%2fsecret")).status_code == 404


async def test_the_page_runs_its_own_script_and_nothing_of_the_mail(inbox: Inbox) -> None:
    await inbox.receive(
        a_mail(subject="<script>alert(1)</script>", html="<script>alert(2)</script>")
    )
    page = await inbox.http.get("/")
    policy = page.headers["content-security-policy"]
    (nonce,) = re.findall(r"script-src 'nonce-([^']+)'", policy)
    assert "default-src 'none'" in policy
    assert re.findall(r"<script[^>]*>", page.text) == [f'<script nonce="{nonce}">']
    assert "&lt;script&gt;alert(1)" in page.text

    (listed,) = await inbox.messages()
    message = await inbox.http.get(f"/messages/{listed['id']}")
    assert "<script" not in message.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in message.text
    mail = await inbox.http.get(f"/messages/{listed['id']}/html")
    assert "sandbox allow-popups" in mail.headers["content-security-policy"]
    assert "script-src" not in mail.headers["content-security-policy"]
    assert '<base target="_blank">' in mail.text


async def test_the_page_can_be_narrowed_to_one_recipient(inbox: Inbox) -> None:
    await inbox.receive(a_mail(to="ada@example.com", subject="for ada"))
    await inbox.receive(a_mail(to="bob@example.com", subject="for bob"))
    page = (await inbox.http.get("/", params={"to": "ada@example.com"})).text
    assert "for ada" in page
    assert "for bob" not in page


async def test_health_and_metrics_are_served(inbox: Inbox) -> None:
    await inbox.receive(a_mail())
    for path in ("live", "ready", "startup"):
        assert (await inbox.http.get(f"/health/{path}")).status_code == 200
    metrics = (await inbox.http.get("/metrics")).text
    assert 'qnt9_inbox_deliveries_total{outcome="kept"}' in metrics
    assert "qnt9_inbox_messages 1.0" in metrics


def test_web_addresses_in_a_text_become_links_and_the_rest_is_escaped() -> None:
    html = linked('a <b> https://example.com/v?token=x&y=1. "javascript:alert(1)"')
    assert html == (
        'a &lt;b&gt; <a href="https://example.com/v?token=x&amp;y=1" target="_blank" '
        'rel="noopener noreferrer">https://example.com/v?token=x&amp;y=1</a>. '
        "&#34;javascript:alert(1)&#34;"
    )
