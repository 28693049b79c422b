"""The second seed's datasets/curation.py, as written there; run as a program it curates once."""

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
) -> None:
    """
    Pull low-rated production runs into an evaluation dataset.
    Run this weekly to keep your eval suite fresh with real failures.
    """
    # Query LangSmith for runs with negative user feedback
    negative_runs = list(
        ls_client.list_runs(
            project_name=project_name,
            filter='and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
            execution_order=1,  # top-level runs only, not child spans
            start_time=datetime.now() - timedelta(days=days_back),
            limit=max_examples,
        )
    )
    if not negative_runs:
        print("No negative runs found in the specified window.")
        return
    # Create dataset if it does not exist
    try:
        dataset = ls_client.read_dataset(dataset_name=dataset_name)
        print(f"Using existing dataset: {dataset.id} ({len(list(dataset.examples))} examples)")
    except Exception:
        dataset = ls_client.create_dataset(
            dataset_name=dataset_name,
            description=(
                f"Production failures curated from project '{project_name}'. "
                f"Auto-updated weekly. Last update: {datetime.now().date()}"
            ),
        )
        print(f"Created new dataset: {dataset.id}")
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
                "curated_at": datetime.now().isoformat(),
                "run_latency_ms": run.total_cost,
            },
        )
        added += 1
    print(f"Added {added} examples from negative production runs to '{dataset_name}'")


def create_golden_dataset(dataset_name: str, examples: list[dict]) -> None:
    """
    Create a hand-curated golden dataset with expected outputs.
    Each example: {"inputs": {...}, "outputs": {...}}
    Outputs define what a GOOD response must contain, not the exact text.
    """
    try:
        dataset = ls_client.read_dataset(dataset_name=dataset_name)
        print(f"Dataset already exists: {dataset.id}")
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
        print(f"Created golden dataset with {len(examples)} examples.")


# Example golden dataset for a customer support bot
SUPPORT_GOLDEN_EXAMPLES = [
    {
        "inputs": {
            "query": "I was charged twice for my subscription this month.",
            "customer_tier": "enterprise",
        },
        "outputs": {
            "required_keywords": ["apologize", "refund", "24 hours"],
            "forbidden_phrases": ["check our FAQ", "visit our help center", "see our website"],
            "tone": "apologetic, urgent, owns the problem, provides a concrete timeline",
            "min_length": 100,
        },
    },
    {
        "inputs": {
            "query": "How do I export my data to CSV?",
            "customer_tier": "free",
        },
        "outputs": {
            "required_keywords": ["Settings", "Export", "CSV"],
            "tone": "helpful, clear, step-by-step",
            "min_length": 50,
        },
    },
    {
        "inputs": {
            "query": "Can I add more users to my plan?",
            "customer_tier": "premium",
        },
        "outputs": {
            "required_keywords": ["seats", "add"],
            "forbidden_phrases": ["I'm not sure", "I don't know"],
            "tone": "confident, proactive",
        },
    },
]

if __name__ == "__main__":
    project = os.environ["LANGSMITH_PROJECT"]
    failures = f"failures of {project}"
    curate_failure_dataset(project, failures)
    for _ in range(2):  # the second time it exists
        create_golden_dataset(f"golden {project}", SUPPORT_GOLDEN_EXAMPLES)
    print(json.dumps({"added": ls_client.read_dataset(dataset_name=failures).example_count}))
