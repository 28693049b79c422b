"""The evaluation of the second seed: curate failures, run the suite twice, compare the two."""

import json
import os
import re
import statistics
import sys
from datetime import datetime, timedelta

import anthropic
from langsmith import Client, evaluate
from langsmith.run_trees import get_cached_client

anthropic_client = anthropic.Anthropic()
ls_client = Client()


def curate_failure_dataset(
    project_name: str, dataset_name: str, days_back: int = 30, max_examples: int = 200
) -> None:
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
        return
    try:
        dataset = ls_client.read_dataset(dataset_name=dataset_name)
    except Exception:
        dataset = ls_client.create_dataset(
            dataset_name=dataset_name,
            description=f"Production failures curated from project '{project_name}'.",
        )
    for run in negative_runs:
        if not run.inputs or not run.outputs:
            continue
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


def create_golden_dataset(dataset_name: str, examples: list[dict]) -> None:
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
        "inputs": {
            "query": "I was charged twice for my subscription this month.",
            "customer_tier": "enterprise",
        },
        "outputs": {
            "required_keywords": ["apologize", "refund", "24 hours"],
            "tone": "apologetic, urgent, owns the problem, provides a concrete timeline",
            "min_length": 100,
        },
    },
    {
        "inputs": {"query": "How do I export my data to CSV?", "customer_tier": "free"},
        "outputs": {
            "required_keywords": ["Settings", "Export", "CSV"],
            "tone": "helpful, clear, step-by-step",
            "min_length": 50,
        },
    },
    {
        "inputs": {"query": "Can I add more users to my plan?", "customer_tier": "premium"},
        "outputs": {"required_keywords": ["seats", "add"], "tone": "confident, proactive"},
    },
]


def support_agent_v2(inputs: dict) -> dict:
    response = anthropic_client.messages.create(
        model="claude-opus-4-6",
        max_tokens=512,
        system=(
            "You are a helpful customer support agent. "
            f"Customer tier: {inputs.get('customer_tier', 'standard')}. "
        ),
        messages=[{"role": "user", "content": inputs["query"]}],
    )
    return {"response": response.content[0].text}


def support_agent_v3(inputs: dict) -> dict:
    """The change that made it worse."""
    return {"response": f"{support_agent_v2(inputs)['response']} Or check our FAQ."}


def no_forbidden_phrases(run, example) -> dict:
    response = run.outputs.get("response", "")
    forbidden = ["check our FAQ", "see our documentation", "I don't know", "I'm not sure"]
    found = [p for p in forbidden if p.lower() in response.lower()]
    return {
        "key": "no_forbidden_phrases",
        "score": 0.0 if found else 1.0,
        "comment": f"Forbidden phrases found: {found}" if found else "Clean",
    }


def required_keywords_present(run, example) -> dict:
    response = run.outputs.get("response", "").lower()
    required = (example.outputs or {}).get("required_keywords", [])
    present_count = sum(1 for kw in required if kw.lower() in response)
    return {
        "key": "required_keywords",
        "score": present_count / len(required),
        "comment": f"{present_count}/{len(required)} required keywords present",
    }


def tone_quality_evaluator(run, example) -> dict:
    judgment = anthropic_client.messages.create(
        model="claude-haiku-4-5-20251001",
        max_tokens=200,
        temperature=0.0,
        messages=[
            {
                "role": "user",
                "content": "Evaluate this customer support response.\n"
                f"Expected tone: {(example.outputs or {}).get('tone')}\n"
                f"Actual response: {run.outputs.get('response', '')}\n",
            }
        ],
    )
    raw = re.sub(r"```json\n?|\n?```", "", judgment.content[0].text.strip()).strip()
    result = json.loads(raw)
    return {
        "key": "tone_quality",
        "score": float(result["score"]),
        "comment": result.get("reason", ""),
    }


def run_support_evaluation(agent, dataset_name: str, experiment_label: str) -> dict:
    results = evaluate(
        agent,
        data=dataset_name,
        evaluators=[no_forbidden_phrases, required_keywords_present, tone_quality_evaluator],
        experiment_prefix=experiment_label,
        metadata={
            "model": "claude-opus-4-6",
            "prompt_version": "v2.1",
            "dataset": dataset_name,
        },
        max_concurrency=4,
    )
    df = results.to_pandas()
    means = {}
    for column in df.columns:
        if column.startswith("feedback."):
            means[column.removeprefix("feedback.")] = float(df[column].mean())
    return {"name": results.experiment_name, "url": results.url, "means": means}


def compare_experiments(baseline_experiment: str, candidate_experiment: str) -> dict:
    def get_metric_scores(experiment_name: str, metric: str) -> list[float]:
        runs = ls_client.list_runs(project_name=experiment_name, execution_order=1)
        scores = []
        for run in runs:
            if run.feedback_stats and metric in run.feedback_stats:
                avg = run.feedback_stats[metric].get("avg")
                if avg is not None:
                    scores.append(avg)
        return scores

    results = {}
    for metric in ["no_forbidden_phrases", "tone_quality", "required_keywords"]:
        baseline_scores = get_metric_scores(baseline_experiment, metric)
        candidate_scores = get_metric_scores(candidate_experiment, metric)
        if not baseline_scores or not candidate_scores:
            results[metric] = {"status": "insufficient_data"}
            continue
        delta = statistics.mean(candidate_scores) - statistics.mean(baseline_scores)
        status = "IMPROVED" if delta > 0.02 else "REGRESSED" if delta < -0.02 else "NEUTRAL"
        results[metric] = {
            "status": status,
            "delta": round(delta, 4),
            "n_baseline": len(baseline_scores),
            "n_candidate": len(candidate_scores),
        }
    return results


golden, failures = os.environ["GOLDEN"], os.environ["FAILURES"]
curate_failure_dataset(os.environ["LANGSMITH_PROJECT"], failures)
create_golden_dataset(golden, SUPPORT_GOLDEN_EXAMPLES)
baseline = run_support_evaluation(support_agent_v2, golden, "support-v2")
candidate = run_support_evaluation(support_agent_v3, golden, "support-v3")
get_cached_client().flush()  # the seed compares another day
report = compare_experiments(baseline["name"], candidate["name"])
sys.stdout.write(
    json.dumps({"baseline": baseline, "candidate": candidate, "report": report}) + "\n"
)
