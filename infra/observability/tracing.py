"""Spans over processes: one trace from a request to its audit row, mail and upstream call.

The W3C context is passed on in any case. Spans exist when a recorder is set, which `otel.py`
provides; without one nothing of OpenTelemetry is imported and a span costs one comparison.
Attributes hold ids, names and counts that the code chose, never what a person typed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, Protocol

from structlog.contextvars import bound_contextvars

from infra.observability.trace_context import child_of, is_sampled, trace_id_of

Attributes = Mapping[str, str | int | float | bool]
Kind = Literal["server", "client", "producer", "consumer"]

MAX_LINKS = 128
MAX_STATEMENT_CHARACTERS = 500

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_span: ContextVar["Span | None"] = ContextVar("span", default=None)
_messages: ContextVar[Mapping[str, str]] = ContextVar("messages", default={})  # noqa: B039  # never written to


class Span(Protocol):
    """A span that was started. It is recorded unless the sampler decided otherwise."""

    @property
    def traceparent(self) -> str: ...
    def describe(self, name: str, attributes: Attributes) -> None: ...
    def fail(self, error_type: str) -> None: ...
    def end(self) -> None: ...


class Recorder(Protocol):
    """Starts spans and exports them when they have ended."""

    def start(
        self,
        name: str,
        kind: Kind,
        *,
        parent: str | None,
        attributes: Attributes,
        links: Sequence[str] = (),
        started_ns: int | None = None,
    ) -> Span: ...
    def close(self) -> None: ...


class Traced(NamedTuple):
    """A message as a trace has it: its id, its type, and the context that it carries."""

    id: str
    type: str
    traceparent: str | None


def current_traceparent() -> str | None:
    """The context of the request or message in hand; None where there is none, or are several."""
    return _current.get()


def current_trace_id() -> str | None:
    """Its trace id, 32 hexadecimal digits."""
    return trace_id_of(_current.get())


class Tracing:
    """Starts the spans of this process."""

    recorder: Recorder | None = None

    @contextmanager
    def continued(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes | None = None
    ) -> Iterator[str]:
        """Work below a context that came from elsewhere; a new trace where there is none.

        Yields the context to pass on. Log lines inside have its trace id.
        """
        span = self._start(name, kind, parent, attributes)
        traceparent = span.traceparent if span else child_of(parent)
        with bound_contextvars(trace_id=trace_id_of(traceparent)), _active(traceparent, span):
            yield traceparent

    @contextmanager
    def inner(self, name: str, kind: Kind, attributes: Attributes | None = None) -> Iterator[None]:
        """A step of the work in hand. Nothing happens where that is not recorded."""
        parent = _current.get()
        if self.recorder is None or not is_sampled(parent):
            yield
            return
        span = self.recorder.start(name, kind, parent=parent, attributes=attributes or {})
        with _active(span.traceparent, span):
            yield

    @contextmanager
    def batch(
        self, operation: str, kind: Kind, messages: Sequence[Traced], attributes: Attributes
    ) -> Iterator[None]:
        """Work that serves one message, below its context, or several, linked to each of them.

        For several there is one span of the batch, below which the work's own steps are, and one
        span in the trace of each message; they are linked to each other.
        """
        if len(messages) == 1:
            (message,) = messages
            own = {**attributes, "messaging.message.id": message.id}
            name = f"{operation} {message.type}"
            with (
                self.continued(name, kind, message.traceparent, own) as context,
                _set(_messages, {message.id: context}),
            ):
                yield
            return
        sampled = [message for message in messages if is_sampled(message.traceparent)]
        if self.recorder is None or not sampled:
            yield
            return
        with self._batch_of_several(operation, kind, sampled, attributes, len(messages)):
            yield

    @contextmanager
    def _batch_of_several(
        self,
        operation: str,
        kind: Kind,
        sampled: Sequence[Traced],
        attributes: Attributes,
        count: int,
    ) -> Iterator[None]:
        assert self.recorder
        whole = self.recorder.start(
            f"{operation} batch",
            kind,
            parent=None,
            attributes={**attributes, "messaging.batch.message_count": count},
            links=[message.traceparent or "" for message in sampled[:MAX_LINKS]],
        )
        each = {
            message.id: self.recorder.start(
                f"{operation} {message.type}",
                kind,
                parent=message.traceparent,
                attributes={**attributes, "messaging.message.id": message.id},
                links=[whole.traceparent],
            )
            for message in sampled
        }
        contexts = {id_: span.traceparent for id_, span in each.items()}
        try:
            with _set(_messages, contexts), _active(whole.traceparent, whole):
                yield
        except BaseException as error:
            for span in each.values():
                span.fail(type(error).__name__)
            raise
        finally:
            for span in each.values():
                span.end()

    def created(
        self, message_type: str, message_id: str, parent: str | None, *, cause_id: str = ""
    ) -> str:
        """The context that a new message carries.

        It is below what handles the message with `cause_id`, else below `parent`.
        """
        if self.recorder is None:
            return child_of(parent)
        parent = _messages.get().get(cause_id, parent)
        own = {"messaging.system": "kafka", "messaging.message.id": message_id}
        span = self._start(f"create {message_type}", "producer", parent, own)
        if span is None:
            return child_of(parent)
        span.end()
        return span.traceparent

    def describe(self, name: str, attributes: Attributes) -> None:
        """Name the span in hand and add to it, where there is one."""
        if span := _span.get():
            span.describe(name, attributes)

    def query_done(self, record: Any) -> None:
        """Called by asyncpg's query logger when a statement has ended. Values are left out."""
        parent = _current.get()
        if self.recorder is None or not is_sampled(parent):
            return
        text = " ".join(record.query.split())
        verb = text.partition(" ")[0].rstrip(";").upper()
        span = self.recorder.start(
            f"postgresql {verb}",
            "client",
            parent=parent,
            attributes={
                "db.system.name": "postgresql",
                "db.operation.name": verb,
                "db.query.text": text[:MAX_STATEMENT_CHARACTERS],
            },
            started_ns=time.time_ns() - int(record.elapsed * 1e9),
        )
        if record.exception is not None:
            span.fail(type(record.exception).__name__)
        span.end()

    def close(self) -> None:
        """Export what has ended; waits for a few seconds at most."""
        if self.recorder:
            self.recorder.close()
            self.recorder = None

    def _start(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes | None
    ) -> Span | None:
        if self.recorder is None or (trace_id_of(parent) and not is_sampled(parent)):
            return None
        return self.recorder.start(name, kind, parent=parent, attributes=attributes or {})


TRACING = Tracing()
"""Of this process, as the registry of metrics is."""


@contextmanager
def _active(traceparent: str, span: Span | None) -> Iterator[None]:
    """The context of what runs inside; the span ends with it."""
    try:
        with _set(_current, traceparent), _set(_span, span):
            yield
    except BaseException as error:
        if span:
            span.fail(type(error).__name__)
        raise
    finally:
        if span:
            span.end()


@contextmanager
def _set(variable: ContextVar[Any], value: object) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
