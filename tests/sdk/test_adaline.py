"""The unmodified Adaline SDK against a live server: log, give feedback, search."""

from __future__ import annotations

import json
import time
from uuid import UUID, uuid4

import pytest
from adaline.main import Adaline
from adaline_api.models.create import Create
from adaline_api.models.create1 import Create1
from adaline_api.models.create_value import CreateValue
from adaline_api.models.delete import Delete
from adaline_api.models.log_filter_object import LogFilterObject
from adaline_api.models.log_span_content import LogSpanContent
from adaline_api.models.log_span_model_content import LogSpanModelContent
from adaline_api.models.search_log_spans_request import SearchLogSpansRequest
from adaline_api.models.search_log_traces_request import SearchLogTracesRequest
from adaline_api.models.update_log_trace_request import UpdateLogTraceRequest
from adaline_api.models.update_log_trace_request_attribute_item import (
    UpdateLogTraceRequestAttributeItem as AttributeItem,
)
from adaline_api.models.update_log_trace_request_tag_item import (
    UpdateLogTraceRequestTagItem as TagItem,
)
from adaline_api.models.update_log_trace_request_trace import UpdateLogTraceRequestTrace
from adaline_api.rest import ApiException

from tests.live import run_apart

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]


def create(key: str, value) -> AttributeItem:
    said = Create(operation="create", key=key, value=CreateValue(value))
    return AttributeItem(said)


def update(project: str, trace_id: str, *attributes, tags=None) -> UpdateLogTraceRequest:
    log = UpdateLogTraceRequestTrace(attributes=list(attributes) or None, tags=tags)
    return UpdateLogTraceRequest(project_id=project, trace_id=trace_id, log_trace=log)


def feedback_of(client, run_id: str, n: int) -> dict:
    """Return the feedback of a run by key, once there are `n`: a worker makes it in seconds."""
    for _ in range(120):
        found = {one.key: one for one in client.list_feedback(run_ids=[run_id])}
        if len(found) == n:
            return found
        time.sleep(0.25)
    raise AssertionError(f"expected {n} feedback, have {sorted(found)}")


def test_a_program_logs_and_gives_feedback_later(server, client) -> None:
    project = f"adaline-support-{uuid4().hex[:12]}"
    reference = str(uuid4())

    async def program():
        adaline = Adaline(api_key=server.key, host=f"{server.endpoint}/v2")
        monitor = adaline.init_monitor(project_id=project, flush_interval_seconds=1)
        trace = monitor.log_trace(
            name="answer",
            status="success",
            session_id="chat-1",
            reference_id=reference,
            tags=["beta"],
            attributes={"tier": "gold", "attempt": 2},
        )
        content = LogSpanModelContent(
            type="Model",
            provider="openai",
            model="gpt-4o",
            input=json.dumps({"question": "Where is my parcel?"}),
            output=json.dumps({"answer": "On its way."}),
            cost=0.5,
        )
        span = trace.log_span(
            name="model", status="success", content=LogSpanContent(actual_instance=content)
        )
        span.log_span(name="nested")
        trace.end()
        await monitor.flush()
        assert (monitor.sent_count, monitor.dropped_count) == (3, 0)
        monitor.stop()
        traces = adaline.logs.traces
        query = SearchLogTracesRequest(project_id=project, reference_id=reference)
        found = await traces.search(query=query)
        late = update(
            project,
            found.traces[0].id,
            create("user_feedback", "negative"),
            create("user_feedback_rating", 2),
            create("user_feedback_comment", "It never came"),
            tags=[TagItem(Create1(operation="create", tag="thumbs-down"))],
        )
        told = await traces.update(trace=late)
        assert told.success
        negative = LogFilterObject(
            type="string", column="attributes.user_feedback", operator="eq", value="negative"
        )
        query = SearchLogTracesRequest(project_id=project, filters=[negative])
        again = await traces.search(query=query)
        spans = await adaline.logs.spans.search(query=SearchLogSpansRequest(project_id=project))
        listed = await adaline.logs.list(project_id=project, session_id="chat-1")
        await adaline.client.close()
        return found.traces, again.traces, spans.spans, listed

    found, again, spans, listed = run_apart(program)
    (trace,) = found
    assert (trace.name, trace.status, trace.tags) == ("answer", "success", ["beta"])
    assert trace.attributes == {"tier": "gold", "attempt": "2.0"}  # the SDK sends floats
    assert trace.total_cost == 0.5
    assert len(trace.span_ids) == 2
    assert [one.id for one in again] == [one.id for one in listed.traces] == [trace.id]
    assert {span.name for span in spans} == {"model", "nested"}
    assert not listed.pagination.has_more

    root = client.read_run(trace.id)
    assert (root.name, root.status, root.outputs) == ("answer", "success", None)
    assert root.metadata["user_feedback"] == "negative"
    given = feedback_of(client, trace.id, 4)
    assert (given["user_feedback"].score, given["user_feedback"].value) == (0.0, "negative")
    assert given["user_feedback_rating"].score == 2.0
    assert given["user_feedback_comment"].comment == "It never came"
    assert given["thumbs"].score == 0.0
    assert {one.feedback_source.type for one in given.values()} == {"app"}
    text = 'and(eq(feedback_key, "user_feedback"), eq(feedback_value, "negative"))'
    runs = list(client.list_runs(project_name=project, filter=text))
    assert [run.id for run in runs] == [UUID(trace.id)]

    async def changes_their_mind():
        adaline = Adaline(api_key=server.key, host=f"{server.endpoint}/v2")
        gone = AttributeItem(Delete(operation="delete", key="user_feedback_comment"))
        await adaline.logs.traces.update(
            trace=update(project, trace.id, create("user_feedback", "positive"), gone)
        )
        await adaline.client.close()

    run_apart(changes_their_mind)
    after = feedback_of(client, trace.id, 3)
    assert (after["user_feedback"].id, after["user_feedback"].score) == (
        given["user_feedback"].id,
        1.0,
    )


def test_an_unknown_trace_is_the_error_the_sdk_expects(server) -> None:
    async def program():
        adaline = Adaline(api_key=server.key, host=f"{server.endpoint}/v2")
        try:
            await adaline.logs.traces.update(
                trace=update("a-project-nobody-made", str(uuid4()), create("a", "b"))
            )
        finally:
            await adaline.client.close()

    with pytest.raises(ApiException) as refused:
        run_apart(program)
    assert refused.value.status == 404
    assert json.loads(refused.value.body) == {"error": "projectId: there is no such project"}


def test_the_same_attributes_in_a_langsmith_run_are_feedback_too(client) -> None:
    run_id = uuid4()
    project = f"attributes-{uuid4().hex[:8]}"
    client.create_run(
        "answer",
        {"question": "why?"},
        "chain",
        id=run_id,
        project_name=project,
        extra={"metadata": {"feedback_reason": "hallucination"}},
    )
    client.update_run(run_id, extra={"metadata": {"user_feedback": "positive"}}, tags=["thumbs-up"])
    client.flush()
    given = feedback_of(client, str(run_id), 3)
    assert given["feedback_reason"].value == "hallucination"
    assert given["user_feedback"].score == given["thumbs"].score == 1.0
