"""Spans by OpenTelemetry's SDK, exported over OTLP (HTTP, protobuf). Imported when tracing is on.

https://opentelemetry.io/docs/specs/otlp/
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.util.types import Attributes as OtelAttributes

from infra.observability.trace_context import parse
from infra.observability.tracing import MAX_LINKS, Attributes, Kind

EXPORT_SECONDS = 5
_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class LinkedOrRatio(Sampler):
    """A trace of its own is recorded when what it is linked to is, else by a ratio.

    So the batch that serves a recorded message is always there to be looked at.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    def should_sample(  # noqa: PLR0917  # as the SDK calls it
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: OtelAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if links:
            sampled = any(link.context.trace_flags.sampled for link in links)
            decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP
            return SamplingResult(decision, attributes, trace_state)
        return self._ratio.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return f"LinkedOrRatio{{{self._ratio.get_description()}}}"


class OtelSpan:
    """A span of the SDK, as `tracing.py` uses it."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def describe(self, name: str, attributes: Attributes) -> None:
        self._span.update_name(name)
        self._span.set_attributes(dict(attributes))

    def fail(self, error_type: str) -> None:
        """The kind of an error only: its text may hold what a person typed."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()


class OtelRecorder:
    """Exports in a thread of its own; spans that it cannot export in time are dropped."""

    def __init__(
        self, exporter: SpanExporter, *, service: str, instance: str, ratio: float
    ) -> None:
        resource = Resource(
            {
                "service.namespace": "qnt9",
                "service.name": service,
                "service.instance.id": instance,
                "service.version": version("qnt9"),
            }
        )
        self._provider = TracerProvider(
            ParentBased(LinkedOrRatio(ratio)), resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("qnt9")

    def start(
        self,
        name: str,
        kind: Kind,
        *,
        parent: str | None,
        attributes: Attributes,
        links: Sequence[str] = (),
        started_ns: int | None = None,
    ) -> OtelSpan:
        found = _context_of(parent)
        context = Context()
        if found:
            context = set_span_in_context(NonRecordingSpan(found), context)
        linked = [Link(to) for link in links[:MAX_LINKS] if (to := _context_of(link))]
        span = self._tracer.start_span(
            name,
            context=context,
            kind=_KINDS[kind],
            attributes=dict(attributes),
            links=linked,
            start_time=started_ns,
        )
        return OtelSpan(span)

    def close(self) -> None:
        self._provider.shutdown()


def open_recorder(
    endpoint: str, *, service: str, instance: str, ratio: float, ca_file: Path | None = None
) -> OtelRecorder:
    """A recorder that exports to an OTLP receiver. While that is away, spans are dropped."""
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        certificate_file=str(ca_file) if ca_file else None,
        timeout=EXPORT_SECONDS,
    )
    return OtelRecorder(exporter, service=service, instance=instance, ratio=ratio)


def _context_of(traceparent: str | None) -> SpanContext | None:
    parts = parse(traceparent)
    if parts is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in parts)
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & 1))
