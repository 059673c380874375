"""`qnt9 demo`: a user to try the system with, on one machine only."""

import json
import os
from pathlib import Path

import click
import httpx

from devstack.supervisor.control import NotRunningError, ask
from devstack.supervisor.layout import Layout, write_private
from operations import demo as demos
from operations.cli.options import data_option, fail
from operations.cli.runner import run
from operations.demo import DemoError, DemoUser, new_demo_user

SECONDS = 30.0


@click.command(epilog="Example: qnt9 demo --json | jq .password")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def demo(data: Path, *, as_json: bool) -> None:
    """Make a verified user with a filled watchlist, and print the sign-in.

    Works on the system of --data, which has to run, and nowhere else. Run again, it prints the same
    user, who is kept in demo.json of the data folder, and adds what is missing of the watchlist.
    """
    environment = os.environ.get("QNT9_ENVIRONMENT", "development")
    if environment != "development":
        raise fail(f"QNT9_ENVIRONMENT is {environment}: a demo user is for development only")
    try:
        running = ask(Layout(data), {"do": "status"})["status"]
    except NotRunningError as error:
        raise fail(f"nothing runs in {data}: start it with qnt9 up") from error
    gateway, inbox = running["gateway"]["url"], running["inbox"]["url"]
    try:
        user = run(_ensure(gateway, inbox, data / "demo.json"))
    except (DemoError, httpx.HTTPError) as error:
        raise fail(str(error) or type(error).__name__) from error
    said = {"gateway": gateway, "email": user.email, "password": user.password}
    if as_json:
        click.echo(json.dumps(said))
    else:
        click.echo("\n".join(f"{name:<9} {value}" for name, value in said.items()))


async def _ensure(gateway_url: str, inbox_url: str, kept: Path) -> DemoUser:
    """The user of before, if that one can sign in; else a new one."""
    async with (
        httpx.AsyncClient(base_url=gateway_url, timeout=SECONDS, trust_env=False) as gateway,
        httpx.AsyncClient(base_url=inbox_url, timeout=SECONDS, trust_env=False) as inbox,
    ):
        user = _read(kept)
        token = await demos.sign_in(gateway, user) if user else None
        if user is None or token is None:
            user = new_demo_user()
            await demos.sign_up(gateway, inbox, user)
            token = await demos.sign_in(gateway, user)
            if token is None:
                raise DemoError("the new user cannot sign in")
            write_private(kept, json.dumps({"email": user.email, "password": user.password}))
        await demos.fill_watchlist(gateway, token)
        return user


def _read(kept: Path) -> DemoUser | None:
    """None when there is none, or when the file is not ours any more."""
    try:
        content = json.loads(kept.read_text("utf-8"))
        return DemoUser(str(content["email"]), str(content["password"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None
