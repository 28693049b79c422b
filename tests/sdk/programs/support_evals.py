"""The second seed's evals/support_evals.py, as written there."""

import json
import re

import anthropic
from langsmith import evaluate

anthropic_client = anthropic.Anthropic()


# ── The function under evaluation ────────────────────────────────────────────
def support_agent_v2(inputs: dict) -> dict:
    """The candidate function. Must accept a dict, return a dict."""
    query = inputs["query"]
    tier = inputs.get("customer_tier", "standard")
    response = anthropic_client.messages.create(
        model="claude-opus-4-6",
        max_tokens=512,
        system=(
            f"You are a helpful customer support agent. "
            f"Customer tier: {tier}. "
            "Never tell customers to check the FAQ or visit the website. "
            "Always own the problem and give concrete next steps."
        ),
        messages=[{"role": "user", "content": query}],
    )
    return {"response": response.content[0].text}


# ── Evaluator 1: Rule-based (fast, zero cost) ────────────────────────────────
def no_forbidden_phrases(run, example) -> dict:
    """Check response doesn't contain phrases that signal poor support quality."""
    response = run.outputs.get("response", "")
    forbidden = [
        "check our FAQ",
        "see our documentation",
        "visit our help center",
        "visit our website",
        "I don't know",
        "I'm not sure",
    ]
    found = [p for p in forbidden if p.lower() in response.lower()]
    return {
        "key": "no_forbidden_phrases",
        "score": 0.0 if found else 1.0,
        "comment": f"Forbidden phrases found: {found}" if found else "Clean",
    }


def required_keywords_present(run, example) -> dict:
    """Check that required keywords from the expected output are present."""
    response = run.outputs.get("response", "").lower()
    required = (example.outputs or {}).get("required_keywords", [])
    if not required:
        return {"key": "required_keywords", "score": 1.0, "comment": "No requirements"}
    present_count = sum(1 for kw in required if kw.lower() in response)
    score = present_count / len(required)
    return {
        "key": "required_keywords",
        "score": score,
        "comment": f"{present_count}/{len(required)} required keywords present",
    }


def response_length_check(run, example) -> dict:
    """Verify the response meets minimum length requirements."""
    response = run.outputs.get("response", "")
    min_len = (example.outputs or {}).get("min_length", 50)
    score = 1.0 if len(response) >= min_len else (len(response) / min_len)
    return {
        "key": "response_length",
        "score": score,
        "comment": f"Length: {len(response)} chars (min: {min_len})",
    }


# ── Evaluator 2: LLM-as-judge (nuanced, costs ~$0.001/call) ─────────────────
def tone_quality_evaluator(run, example) -> dict:
    """Use Claude Haiku as a judge to evaluate response tone and quality."""
    response = run.outputs.get("response", "")
    expected_tone = (example.outputs or {}).get("tone", "helpful and clear")
    query = (example.inputs or {}).get("query", "")
    tier = (example.inputs or {}).get("customer_tier", "standard")
    judgment = anthropic_client.messages.create(
        model="claude-haiku-4-5-20251001",
        max_tokens=200,
        temperature=0.0,
        messages=[
            {
                "role": "user",
                "content": f"""Evaluate this customer support response.

Customer tier: {tier}
Customer query: {query}
Expected tone: {expected_tone}
Actual response: {response}

Rate from 0.0 to 1.0. Consider: Does it match the expected tone? Does it address the specific query?
Return JSON only: {{"score": 0.0-1.0, "reason": "one concise sentence"}}""",
            }
        ],
    )
    try:
        raw = judgment.content[0].text.strip()
        # Handle markdown code blocks if present
        raw = re.sub(r"```json\n?|\n?```", "", raw).strip()
        result = json.loads(raw)
        return {
            "key": "tone_quality",
            "score": float(result["score"]),
            "comment": result.get("reason", ""),
        }
    except (json.JSONDecodeError, KeyError, ValueError):
        return {"key": "tone_quality", "score": 0.5, "comment": "parse error in judge response"}


def no_hallucination_about_policy(run, example) -> dict:
    """
    For support bots, hallucinating policy details (refund timelines, plan limits)
    is a critical failure. This evaluator checks factual conservatism.
    """
    response = run.outputs.get("response", "")
    # If response makes specific policy claims, flag for review
    # (In real implementation, check against a policy document)
    specific_claims = re.findall(r"\$[\d,]+|\d+ (days|hours|business days)", response)
    return {
        "key": "policy_specificity",
        "score": 1.0 if len(specific_claims) == 0 else 0.7,
        "comment": f"Specific claims made: {specific_claims}"
        if specific_claims
        else "No potentially incorrect specifics",
    }


# ── Run the evaluation ────────────────────────────────────────────────────────
def run_support_evaluation(dataset_name: str, experiment_label: str) -> None:
    """
    Run a full evaluation suite against a dataset.
    Creates a new LangSmith experiment and records per-example results.
    """
    import sys

    results = evaluate(
        support_agent_v2,
        data=dataset_name,
        evaluators=[
            no_forbidden_phrases,
            required_keywords_present,
            response_length_check,
            tone_quality_evaluator,
            no_hallucination_about_policy,
        ],
        experiment_prefix=experiment_label,
        metadata={
            "model": "claude-opus-4-6",
            "prompt_version": "v2.1",
            "dataset": dataset_name,
        },
        max_concurrency=4,
    )
    print(f"\nExperiment: {results.experiment_name}")
    print(f"View at: {results.url}")
    # Access aggregate scores
    try:
        df = results.to_pandas()
        metrics = [
            "no_forbidden_phrases",
            "required_keywords",
            "tone_quality",
        ]
        for metric in metrics:
            if metric in df.columns:
                mean_score = df[metric].mean()
                print(f"  {metric}: {mean_score:.3f}")
        # CI gate: fail if any critical metric is below threshold
        THRESHOLDS = {
            "no_forbidden_phrases": 0.95,
            "tone_quality": 0.70,
        }
        for metric, threshold in THRESHOLDS.items():
            if metric in df.columns:
                score = df[metric].mean()
                if score < threshold:
                    print(f"\nFAIL: {metric} = {score:.3f} < {threshold}")
                    sys.exit(1)
        print("\nAll quality gates passed.")
    except Exception as e:
        print(f"Could not compute aggregate scores: {e}")
