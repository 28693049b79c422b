"""Right values that OpenAPI cannot know. `{run}` is the id of the run of the furnished workspace.

`{fresh}` is an id that nothing has yet. See tests/tenancy.py, `furnish`, for the names.
"""

from __future__ import annotations

from typing import Any

START = "2026-11-20T11:00:00Z"

# Of a field or parameter, wherever it stands and whatever the operation.
FIELDS: dict[str, Any] = {
    "filter": "eq(name, 'answer 1 text')",
    "trace_filter": "eq(name, 'answer 1 text')",
    "thread_filter": "gt(count, 0)",
    "tree_filter": "eq(name, 'answer 1 text')",
    "stats_filter": "eq(name, 'answer 1 text')",
    "search_filter": "search('answer')",
    "metadata": {"a": 1},
    "run_type": "chain",
    "sort_by": "name",
    "select": "id",
    "selects": "COMPLETION_TOKENS",
    "stats_select": "run_count",
    "as_of": "latest",
    "from_version": "latest",
    "to_version": "latest",
    "regex_validator": "^a+$",
    "feedback_key": "correctness",
    "repo_handle": "a-prompt",
    "repo_type": "prompt",
    "random_seed": "7",
    "trace_tier": "longlived",
    "value_descriptions": {"Wrong": "some text"},
    "score_descriptions": {"1": "some text"},
    "rename": {},
    "transformations": [
        {"path": ["inputs"], "transformation_type": "remove_system_messages"},
    ],
    "projectId": "{project}",
    "traceId": "{run}",
    "spanId": "{child}",
    "content": {"type": "Model", "input": "{}", "output": "{}"},
    "type": "api",
    "tag_value_ids": [],
    "categories": [{"value": 0, "label": "Wrong"}, {"value": 1, "label": "Right"}],
}
_RUN: dict[str, Any] = {
    "id": "{fresh}",
    "trace_id": "{fresh}",
    "dotted_order": "20261120T110000000000Z{fresh}",
    "parent_run_id": None,
    "start_time": START,
    "end_time": "2026-11-20T11:00:01Z",
}
_OLD_RUN = {
    "id": "{run}",
    "trace_id": "{run}",
    "dotted_order": "20261119T110000000000Z{run}",
    "parent_run_id": None,
}
_QUEUE = {
    "rubric_items": [
        {
            "feedback_key": "correctness",
            "description": "some text",
            "feedback_config": {
                "type": "categorical",
                "categories": [{"value": 0, "label": "Wrong"}, {"value": 1, "label": "Right"}],
            },
            "value_descriptions": {"Wrong": "some text"},
            "score_descriptions": {"1": "some text"},
            "is_required": True,
            "is_assertion": False,
        },
        {"feedback_key": "reason", "feedback_config": {"type": "freeform"}},
    ],
    "assigned_reviewers": ["{person}"],
}
_PROJECT = {"project_id": "{project}"}
# Of an operation's body: its fields.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/annotation-queues/populate": {"session_ids": ["{experiment}"]},
    "POST /api/v1/commits/{owner}/{repo_handle}": {"parent_commit": "{commit_hash}"},
    "POST /api/v1/datasets/comparative": {"experiment_ids": ["{experiment}", "{experiment_2}"]},
    "POST /api/v1/datasets/{dataset_id}/runs": {
        "session_ids": ["{experiment}"],
        "filters": {"{experiment}": ["eq(run_type, 'chain')"]},
        "sort_params": {"sort_by": "latency", "sort_order": "ASC"},
        "comparative_experiment_id": None,
    },
    "PATCH /api/v1/examples/bulk": {"id": "{example}"},
    "POST /api/v1/feedback": {"run_id": "{run}"},
    "PATCH /api/v1/feedback-configs": {
        "feedback_key": "scale text",
        "feedback_config": {"type": "freeform"},
    },
    "POST /api/v1/runs": _RUN,
    "PATCH /api/v1/runs/{run_id}": _OLD_RUN,
    "POST /api/v1/runs/batch": {
        "post": [_RUN | {"name": "n", "run_type": "chain", "session_name": "p"}],
        "patch": [_OLD_RUN | {"outputs": {"a": 1}}],
    },
    "PATCH /api/v1/annotation-queues/{queue_id}/runs/{run_or_item}": {},
    "POST /api/v2/datasets/{dataset_id}/experiment-runs": {
        "experiment_ids": ["{experiment}"],
        "filters": {"{experiment}": ["eq(run_type, 'chain')"]},
    },
    "PATCH /api/v2/sessions/{session_id}": {"trace_tier": "LONG_LIVED"},
    "POST /api/v2/sessions": {
        "trace_tier": "LONG_LIVED",
        "type": "EXPERIMENT",
        "reference_dataset_id": "{dataset}",
        "id": "{fresh}",
    },
    "POST /api/v2/runs/query": {"project_ids": ["{project}"]},
    "POST /api/v2/threads/query": _PROJECT,
    "POST /api/v2/threads/stats": _PROJECT | {"select": ["COMPLETION_TOKENS"]},
    "POST /api/v2/traces/query": _PROJECT,
    "POST /api/v1/annotation-queues": _QUEUE
    | {"id": "{fresh}", "session_ids": [], "queue_type": "single"},
    "PATCH /api/v1/annotation-queues/{queue_id}": _QUEUE,
    "POST /api/v1/runs/stats": {"select": ["run_count"]},
    "POST /api/v1/datasets": {"id": "{fresh}"},
    "PATCH /api/v1/datasets/{dataset_id}": {
        "baseline_experiment_id": "{experiment}",
        "patch_examples": {"{example}": {"inputs": {"a": 2}}},
    },
}
# Of an operation's query: its parameters.
QUERIES: dict[str, dict[str, Any]] = {
    "DELETE /api/v1/feedback-configs": {"feedback_key": "scale text"},
    "GET /api/v1/examples": {"filter": "eq(id, '{example}')"},
    "GET /api/v1/examples/count": {"filter": "eq(id, '{example}')"},
    "GET /api/v1/runs/threads/{thread_id}": {"select": "all_messages"},
    "GET /api/v1/platform/annotation-queues/{queue_id}/items": {"status": "needs_my_review"},
    "GET /api/v1/platform/annotation-queues/{queue_id}/items/count": {"status": "all"},
    "GET /api/v2/logs": {"filters": "[]", "sort": "startedAt:asc", "status": "success"},
    "GET /api/v1/feedback/tokens/{token}": {"score": 1},
    "GET /api/v2/threads/{thread_id}/stats": {"trace_id": "{thread_run}"},
    "GET /api/v1/sessions/resolutions": {"kind": "EXPERIMENT", "id": "{experiment}"},
}
# Fields and parameters that a right request needs although OpenAPI does not require them.
NEEDED: dict[str, tuple[str, ...]] = {
    "POST /api/v1/commits/{owner}/{repo_handle}": ("parent_commit",),
    "POST /api/v1/feedback": ("run_id",),
    "POST /api/v1/runs": ("id", "name", "run_type", "trace_id", "dotted_order", "start_time"),
    "POST /api/v2/datasets/{dataset_id}/experiment-runs": ("experiment_ids",),
    "POST /api/v2/sessions": ("reference_dataset_id",),
    "POST /api/v2/runs/query": ("project_ids",),
    "POST /api/v2/threads/query": ("project_id",),
    "POST /api/v2/traces/query": ("project_id",),
    "DELETE /api/v1/feedback-configs": ("feedback_key",),
    "GET /api/v1/platform/annotation-queues/{queue_id}/items": ("status",),
    "GET /api/v1/platform/annotation-queues/{queue_id}/items/count": ("status",),
    "GET /api/v1/runs/threads/{thread_id}": ("session_id", "select"),
    "DELETE /api/v2/runs/{run_id}/share": ("session_id",),
    "GET /api/v2/threads/{thread_id}/stats": ("selects",),
    "GET /api/v1/sessions/resolutions": ("id",),
    "PATCH /api/v2/logs/span": ("spanId",),
    "PATCH /api/v2/logs/trace": ("traceId",),
    "PATCH /api/v2/logs/update-log": ("traceId",),
    "POST /api/v1/feedback/tokens/{token}": ("score",),
    "POST /api/v2/threads/stats": ("project_id", "select"),
}
_BY_MEANING = ("ai_search", "sem_filter")
_FEEDBACK_TIMES = ("min_feedback_modified_at", "max_feedback_modified_at")
# Fields that no right full body has: they exclude others, or only an earlier answer knows them.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "POST /api/v2/runs/query": ("reference_dataset_id", *_BY_MEANING, *_FEEDBACK_TIMES),
    "POST /api/v2/traces/query": (*_BY_MEANING, *_FEEDBACK_TIMES),
    "POST /api/v2/threads/query": _BY_MEANING,
    "GET /api/v1/datasets/{dataset_id}/version": ("tag",),
    "GET /api/v1/platform/annotation-queues/{queue_id}/items": ("direction",),
    "DELETE /api/v1/feedback-configs": ("id",),
    "PATCH /api/v1/feedback-configs": ("id", "categories", "min", "max"),
}

# Operations whose first right body is the list that OpenAPI names second.
LISTS = {"POST /api/v1/examples/validate/{bulk}"}
