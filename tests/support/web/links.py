"""The links of mails, as their recipients find them."""

from tests.support.stack import Stack
from tests.support.waiting import eventually


async def mailed_link(stack: Stack, email: str, *, to: str = "/verify") -> str:
    """The link of the newest mail to a path."""

    async def found() -> str:
        words = [word for mail in await stack.mails(email) for word in mail["text"].split()]
        return next((word for word in words if f"{to}?token=" in word), "")

    return await eventually(found, seconds=120, what=f"a link for {email}")
