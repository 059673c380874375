"""The types of messages as operators name them: in full, or as `user.signed_up`."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from contracts.topics import MESSAGES, TOPICS

_AROUND = re.compile(r"^qnt9\.|\.v\d+$")


def short(type_: str) -> str:
    """Without what all types have in common: `qnt9.user.signed_up.v1` is `user.signed_up`."""
    return _AROUND.sub("", type_)


def types_in(topic: str) -> list[str]:
    """The types that a topic of the system carries, in full; every type for another topic."""
    for each in TOPICS:
        names = {each.name}
        for consumer in each.consumers:
            names |= {each.redrive(consumer), each.dead_letters(consumer)}
        if topic in names:
            return [message.type for message in each.carries]
    return list(MESSAGES)


def unknown_type(type_: str, topic: str) -> str | None:
    """Why no record of a topic can have this type, with what may be meant; None when one can."""
    there = types_in(topic)
    if type_ in there or type_ in map(short, there):
        return None
    if guess := _closest(type_, there):
        return f"{topic} carries no {type_!r}. Did you mean {guess!r}?"
    if type_ in MESSAGES or type_ in map(short, MESSAGES):
        return f"{topic} carries no {type_!r}; it carries {', '.join(map(short, there))}"
    if guess := _closest(type_, list(MESSAGES)):
        return f"there is no type {type_!r}. Did you mean {guess!r}, of another topic?"
    return f"there is no type {type_!r}; {topic} carries {', '.join(map(short, there))}"


def _closest(type_: str, known: Sequence[str]) -> str | None:
    found = get_close_matches(type_, [*map(short, known), *known], n=1, cutoff=0.75)
    return found[0] if found else None
