import subprocess
import sys
from types import SimpleNamespace

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from infra.observability.otel import OtelRecorder, open_recorder
from infra.observability.trace_context import is_sampled, trace_id_of
from infra.observability.tracing import Traced, Tracing, current_trace_id
from tests.support.otlp import running_receiver
from tests.support.stack import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"
OTHER = f"00-{'a' * 32}-{'b' * 16}-01"


class Recorded:
    """A process that records into memory."""

    def __init__(self, ratio: float = 0.0) -> None:
        self._exporter = InMemorySpanExporter()
        self._recorder = OtelRecorder(
            self._exporter, service="watchlist", instance="watchlist-2", ratio=ratio
        )
        self.tracing = Tracing()
        self.tracing.recorder = self._recorder

    def spans(self) -> dict[str, ReadableSpan]:
        self._recorder.close()
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def off() -> Tracing:
    return Tracing()


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def test_request_without_recorder_keeps_trace_of_its_parent(off: Tracing) -> None:
    with off.continued("GET", "server", UNSAMPLED) as traceparent:
        assert trace_id_of(traceparent) == TRACE == current_trace_id()
        assert traceparent.endswith("-00")
        assert structlog.contextvars.get_contextvars()["trace_id"] == TRACE
    assert current_trace_id() is None


def test_request_without_parent_has_trace_id_when_unsampled(recorded: Recorded) -> None:
    with recorded.tracing.continued("GET", "server", None) as traceparent:
        assert current_trace_id() == trace_id_of(traceparent)
        assert not is_sampled(traceparent)
    assert recorded.spans() == {}


def test_sampled_parent_is_recorded_whatever_the_ratio(recorded: Recorded) -> None:
    with recorded.tracing.continued("GET", "server", SAMPLED):
        recorded.tracing.describe("GET /api/v1/users/me", {"http.response.status_code": 200})
    span = recorded.spans()["GET /api/v1/users/me"]
    assert trace_of(span) == TRACE
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200
    assert span.resource.attributes["service.name"] == "watchlist"
    assert span.resource.attributes["service.instance.id"] == "watchlist-2"


def test_ratio_of_one_records_trace_without_parent() -> None:
    recorded = Recorded(ratio=1.0)
    with recorded.tracing.continued("GET", "server", None) as traceparent:
        assert is_sampled(traceparent)
    assert set(recorded.spans()) == {"GET"}


def test_created_message_is_below_what_handles_its_cause(recorded: Recorded) -> None:
    cause = Traced("1", "qnt9.command.sign_up.v1", SAMPLED)
    with recorded.tracing.batch("process", "consumer", [cause], {}):
        child = recorded.tracing.created("event", "2", SAMPLED, cause_id="1")
    spans = recorded.spans()
    handled, created = spans["process qnt9.command.sign_up.v1"], spans["create event"]
    assert created.parent is not None
    assert created.parent.span_id == handled.context.span_id
    assert trace_id_of(child) == TRACE
    assert child.split("-")[2] == f"{created.context.span_id:016x}"


def test_batch_of_several_is_linked_to_each_recorded_message(recorded: Recorded) -> None:
    messages = [Traced("1", "a", SAMPLED), Traced("2", "b", OTHER), Traced("3", "c", UNSAMPLED)]
    with recorded.tracing.batch("process", "consumer", messages, {}):
        recorded.tracing.query_done(SimpleNamespace(query="SELECT 1", elapsed=0, exception=None))
    spans = recorded.spans()
    whole = spans["process batch"]
    assert set(spans) == {"process batch", "process a", "process b", "postgresql SELECT"}
    assert {f"{link.context.trace_id:032x}" for link in whole.links} == {TRACE, "a" * 32}
    assert [trace_of(spans[name]) for name in ("process a", "process b")] == [TRACE, "a" * 32]
    assert trace_of(spans["postgresql SELECT"]) == trace_of(whole)
    assert spans["process a"].links[0].context.span_id == whole.context.span_id


def test_batch_without_recorded_message_has_no_span() -> None:
    recorded = Recorded(ratio=1.0)
    messages = [Traced("1", "a", UNSAMPLED), Traced("2", "b", None)]
    with recorded.tracing.batch("process", "consumer", messages, {}):
        pass
    assert recorded.spans() == {}


def test_statement_is_recorded_without_its_values(recorded: Recorded) -> None:
    record = SimpleNamespace(
        query="SELECT id\n  FROM users WHERE email = $1",
        args=("ada@example.com",),
        elapsed=0.01,
        exception=ValueError("ada@example.com"),
    )
    with recorded.tracing.continued("GET", "server", SAMPLED):
        recorded.tracing.query_done(record)
    span = recorded.spans()["postgresql SELECT"]
    assert span.attributes is not None
    assert span.attributes["db.query.text"] == "SELECT id FROM users WHERE email = $1"
    assert span.attributes["error.type"] == "ValueError"
    assert "ada@example.com" not in span.to_json()


def test_failed_work_tells_kind_of_error_and_not_its_text(recorded: Recorded) -> None:
    with (
        pytest.raises(ValueError, match="ada"),
        recorded.tracing.continued("GET", "server", SAMPLED),
        recorded.tracing.inner("call yahoo", "client"),
    ):
        raise ValueError("ada@example.com")
    spans = recorded.spans()
    assert set(spans) == {"GET", "call yahoo"}
    for span in spans.values():
        assert span.attributes is not None
        assert span.attributes["error.type"] == "ValueError"
        assert "ada" not in span.to_json()


def test_step_outside_of_recorded_work_has_no_span() -> None:
    recorded = Recorded(ratio=1.0)
    with recorded.tracing.inner("call yahoo", "client"):
        pass
    assert recorded.spans() == {}


def test_recorder_exports_to_otlp_receiver() -> None:
    tracing = Tracing()
    with running_receiver() as receiver:
        tracing.recorder = open_recorder(
            receiver.url, service="gateway", instance="gateway-1", ratio=0.0
        )
        with tracing.continued("GET", "server", SAMPLED):
            pass
        tracing.close()
        (span,) = receiver.of_trace(TRACE)
    assert (span.service, span.name, span.parent_id) == ("gateway", "GET", "00f067aa0ba902b7")


def test_processes_without_endpoint_import_no_sdk() -> None:
    roles = ("signup", "accounts", "verification", "watchlist", "quotes", "audit", "relay")
    modules = ["gateway.__main__", *(f"workers.{role}.__main__" for role in roles)]
    loaded = "[name for name, module in sys.modules.items() if '.sdk' in name and module]"
    code = f"import sys, {', '.join(modules)}\nprint({loaded})"
    done = subprocess.run(
        (sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
