"""What each role is given on one machine, and what it is not."""

import json
from pathlib import Path

import pytest

from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.environment import of_role, of_web, web_url
from devstack.supervisor.layout import Layout, write_private
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from infra.postgres.privileges import ROLES

PORTS = Ports(8000)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(tmp_path / "data")


@pytest.fixture
def credentials(options: Options) -> Credentials:
    layout = Layout(options.data)
    layout.create()
    return load_or_create(layout)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_knows_its_own_passwords_and_no_one_elses(
    role: str, credentials: Credentials, options: Options
) -> None:
    values = " ".join(of_role(role, credentials, PORTS, options).values())
    known = {user for user, password in credentials.kafka.items() if password in values}
    assert known == {role}
    known = {user for user, password in credentials.postgres.items() if password in values}
    assert known == {f"qnt9_{role}"}


def test_what_opens_or_signs_is_given_to_one_worker_and_never_to_the_edge(
    credentials: Credentials, options: Options
) -> None:
    holders = {
        key: [role for role in ROLES if key in of_role(role, credentials, PORTS, options)]
        for key in credentials.keys
    }
    assert holders["QNT9_SIGNUP_SEAL_PRIVATE"] == ["signup"]
    assert holders["QNT9_ACCOUNTS_SEAL_PRIVATE"] == ["accounts"]
    assert holders["QNT9_VERIFICATION_SEAL_PRIVATE"] == ["verification"]
    assert holders["QNT9_TOKEN_PRIVATE_KEY"] == ["accounts"]
    assert holders["QNT9_MAIL_KEY"] == ["verification"]
    assert holders["QNT9_REFRESH_KEY"] == ["accounts"]
    assert holders["QNT9_TOKEN_PUBLIC_KEY"] == ["gateway"]


def test_the_relay_has_no_key_the_audit_its_own_and_neither_a_cache(
    credentials: Credentials, options: Options
) -> None:
    for role, keys in (("relay", set()), ("audit", {"QNT9_AUDIT_PRIVATE_KEY"})):
        given = of_role(role, credentials, PORTS, options)
        assert given.keys() & credentials.keys.keys() == keys
        assert "QNT9_REDIS_URL" not in given


def test_front_end_is_given_no_credential_and_the_gateway_its_origin(
    credentials: Credentials, options: Options
) -> None:
    given = " ".join(of_web(PORTS).values())
    secrets = (credentials.kafka, credentials.postgres, credentials.keys)
    assert not [each for held in secrets for each in held.values() if each in given]
    assert credentials.valkey not in given
    origins = of_role("gateway", credentials, PORTS, options)["QNT9_CORS_ORIGINS"]
    assert origins == web_url(PORTS)


def test_secrets_are_made_once_and_only_their_owner_may_read_them(
    credentials: Credentials, options: Options
) -> None:
    layout = Layout(options.data)
    assert load_or_create(layout) == credentials
    assert layout.secrets.stat().st_mode & 0o777 == 0o600
    assert layout.root.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_of_an_older_version_gets_the_keys_it_lacks(
    credentials: Credentials, options: Options
) -> None:
    layout = Layout(options.data)
    older = {name: key for name, key in credentials.keys.items() if name != "QNT9_REFRESH_KEY"}
    write_private(layout.secrets, json.dumps(credentials.__dict__ | {"keys": older}))
    said: list[str] = []
    upgraded = load_or_create(layout, said.append)
    assert upgraded.keys.keys() == credentials.keys.keys()
    assert upgraded.keys.items() >= older.items()
    assert said == ["made keys that this data folder did not have: QNT9_REFRESH_KEY"]
    assert load_or_create(layout, said.append) == upgraded
    assert len(said) == 1
    assert layout.secrets.stat().st_mode & 0o777 == 0o600


def test_tuning_reaches_the_role_it_names(
    credentials: Credentials, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNT9_QUOTES_BREAKER_RESET_SECONDS", "2")
    name = "QNT9_QUOTES_BREAKER_RESET_SECONDS"
    assert of_role("quotes", credentials, PORTS, options)[name] == "2"
    assert name not in of_role("gateway", credentials, PORTS, options)


def test_what_roles_must_agree_on_reaches_each_of_them(
    credentials: Credentials, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "QNT9_OUTCOMES_KEPT_DAYS"
    monkeypatch.setenv(name, "60")
    reported = {role: of_role(role, credentials, PORTS, options).get(name) for role in ROLES}
    assert {role for role, days in reported.items() if days == "60"} == {"gateway", "relay"}
