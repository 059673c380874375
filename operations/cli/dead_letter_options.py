"""The options by which dead letters are chosen: the same for list, redrive and discard."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from operations.cli.time_options import TIME
from operations.dead_letters.filter import DeadLetterFilter
from operations.dead_letters.topic import DeadLetterTopic, dead_letter_topics_of
from operations.errors import OpsError
from operations.redaction import Wanted

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the options say: of which consumers and topics, and which dead letters."""

    dlq_topics: tuple[DeadLetterTopic, ...]
    filter: DeadLetterFilter
    narrows: bool
    """Whether any option was given."""


def filter_options(command: F) -> F:
    """Adds them; the command gets them as keywords, for `chosen`."""
    for option in reversed(
        (
            click.option("--consumer", help="Only dead letters of this consumer."),
            click.option("--failure", help="Only with these words in the failure."),
            click.option("--type", "only_type", help="Only this type: user.signed_up, or in full."),
            click.option("--key", "only_key", help="Only records with this key."),
            click.option("--correlation-id", help="Only what one request caused."),
            click.option(
                "--from", "since", type=TIME, help="Only if the last failure was at T or later."
            ),
            click.option("--to", "until", type=TIME, help="Only if the last failure was before T."),
        )
    ):
        command = option(command)
    return command


def chosen(
    topic: str | None,
    *,
    consumer: str | None,
    failure: str | None,
    only_type: str | None,
    only_key: str | None,
    correlation_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Chosen:
    """Raises a usage error for a name that is none, or times that are turned round."""
    if since and until and until < since:
        raise click.UsageError("--to comes before --from")
    try:
        dlq_topics = dead_letter_topics_of(topic, consumer)
    except OpsError as error:
        raise click.UsageError(str(error)) from error
    wanted = Wanted(type=only_type, key=only_key, correlation_id=correlation_id)
    dead_letters = DeadLetterFilter(wanted, failure, since, until)
    narrows = topic is not None or consumer is not None or not dead_letters.is_anything
    return Chosen(tuple(dlq_topics), dead_letters, narrows)
