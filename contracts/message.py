"""What every command and event is: a frozen model with a CloudEvents type of its own."""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Message(BaseModel):
    """The data of one CloudEvent. `type` is `qnt9.<subject>.<name>.v<version>`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1


class Command(Message):
    """An imperative: something the gateway asks one consumer to do."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.type = f"qnt9.command.{_snake(cls.__name__)}.v{cls.version}"


class Event(Message):
    """A fact in the past tense: `UserSignedUp` is `qnt9.user.signed_up.v1`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        subject, _, name = _snake(cls.__name__).partition("_")
        cls.type = f"qnt9.{subject}.{name}.v{cls.version}"


def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()
