"""The curation of the second seed: low-rated runs become a dataset, a golden one is written."""

import json
import os
from datetime import datetime, timedelta

from langsmith import Client

ls_client = Client()


def curate_failure_dataset(
    project_name: str,
    dataset_name: str,
    days_back: int = 30,
    max_examples: int = 200,
) -> int:
    """Pull low-rated production runs into an evaluation dataset."""
    negative_runs = list(
        ls_client.list_runs(
            project_name=project_name,
            filter='and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
            execution_order=1,  # top-level runs only, not child spans
            start_time=datetime.now() - timedelta(days=days_back),  # noqa: DTZ005 - as in the seed
            limit=max_examples,
        )
    )
    if not negative_runs:
        return 0
    # Create dataset if it does not exist
    try:
        dataset = ls_client.read_dataset(dataset_name=dataset_name)
    except Exception:
        dataset = ls_client.create_dataset(
            dataset_name=dataset_name,
            description=f"Production failures curated from project '{project_name}'.",
        )
    # Add examples from failing runs
    added = 0
    for run in negative_runs:
        if not run.inputs or not run.outputs:
            continue  # skip runs with missing data
        ls_client.create_example(
            inputs=run.inputs,
            outputs=run.outputs,  # original (bad) output as reference
            dataset_id=dataset.id,
            metadata={
                "source_run_id": str(run.id),
                "failure_type": "user_negative_rating",
                "user_score": (run.feedback_stats or {}).get("user_rating", {}).get("avg"),
                "curated_at": datetime.now().isoformat(),  # noqa: DTZ005 - as in the seed
                "run_latency_ms": run.total_cost,
            },
        )
        added += 1
    return added


def create_golden_dataset(dataset_name: str, examples: list[dict]) -> None:
    """Create a hand-curated golden dataset with expected outputs."""
    try:
        ls_client.read_dataset(dataset_name=dataset_name)
    except Exception:
        dataset = ls_client.create_dataset(
            dataset_name=dataset_name,
            description="Hand-curated golden examples for regression testing.",
        )
        ls_client.create_examples(
            inputs=[e["inputs"] for e in examples],
            outputs=[e["outputs"] for e in examples],
            dataset_id=dataset.id,
        )


SUPPORT_GOLDEN_EXAMPLES = [
    {
        "inputs": {"query": "I was charged twice.", "customer_tier": "enterprise"},
        "outputs": {"required_keywords": ["apologize", "refund"], "min_length": 100},
    },
    {
        "inputs": {"query": "How do I export my data?", "customer_tier": "free"},
        "outputs": {"required_keywords": ["Settings", "CSV"], "min_length": 50},
    },
]

if __name__ == "__main__":
    project = os.environ["LANGSMITH_PROJECT"]
    added = curate_failure_dataset(project, f"failures of {project}")
    for _ in range(2):  # the second time it exists
        create_golden_dataset(f"golden {project}", SUPPORT_GOLDEN_EXAMPLES)
    print(json.dumps({"added": added}))
