"""The folder of secrets."""

import json
import stat
from pathlib import Path

from operations.container_secrets import CREDENTIALS, Hosts, write_secrets


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def test_secrets_are_made_once(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", Hosts())
    first = contents(tmp_path / "secrets")
    write_secrets(tmp_path / "secrets", Hosts())
    assert contents(tmp_path / "secrets") == first


def test_only_their_owner_reaches_them_and_containers_may_read_theirs(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    names = write_secrets(folder, Hosts())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in names} == {0o444}
    assert stat.S_IMODE((folder / CREDENTIALS).stat().st_mode) == 0o600


def test_a_role_that_came_later_is_added_and_no_one_elses_secret_changes(tmp_path: Path) -> None:
    write_secrets(tmp_path, Hosts())
    before = contents(tmp_path)
    kept = json.loads(before[CREDENTIALS])
    del kept["kafka"]["quotes"], kept["postgres"]["qnt9_quotes"]
    (tmp_path / CREDENTIALS).write_text(json.dumps(kept), encoding="utf-8")
    write_secrets(tmp_path, Hosts())
    after = contents(tmp_path)
    changed = {name for name, text in after.items() if text != before[name]}
    assert changed == {"quotes_kafka_password", "quotes_postgres_dsn", "passwords", CREDENTIALS}


def test_the_broker_begins_with_itself_and_its_operator_alone(tmp_path: Path) -> None:
    write_secrets(tmp_path, Hosts())
    arguments = (tmp_path / "kafka.format").read_text("utf-8").splitlines()
    scram = [each for each in arguments if each.startswith("SCRAM")]
    assert [each.partition(",")[0] for each in scram] == [
        "SCRAM-SHA-512=[name=broker",
        "SCRAM-SHA-512=[name=operator",
    ]


def test_setup_learns_the_words_of_the_roles_and_no_key(tmp_path: Path) -> None:
    write_secrets(tmp_path, Hosts())
    kept = json.loads((tmp_path / CREDENTIALS).read_text("utf-8"))
    passwords = (tmp_path / "passwords").read_text("utf-8")
    assert not any(key in passwords for key in kept["keys"].values())
    assert kept["postgres"]["postgres"] not in passwords
    assert kept["kafka"]["operator"] not in passwords
