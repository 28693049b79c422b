"""The second seed's evals/comparison.py, as written there."""

import statistics

from langsmith import Client

ls_client = Client()


def compare_experiments(
    baseline_experiment: str,
    candidate_experiment: str,
    metrics: list[str] = None,
) -> dict:
    """
    Compare two LangSmith experiments on quality metrics.
    Returns a dict showing which metrics improved, regressed, or stayed neutral.
    """
    if metrics is None:
        metrics = ["no_forbidden_phrases", "tone_quality", "required_keywords"]

    def get_metric_scores(experiment_name: str, metric: str) -> list[float]:
        """Pull per-example scores for a specific metric in an experiment."""
        runs = ls_client.list_runs(
            project_name=experiment_name,
            execution_order=1,
        )
        scores = []
        for run in runs:
            if run.feedback_stats and metric in run.feedback_stats:
                avg = run.feedback_stats[metric].get("avg")
                if avg is not None:
                    scores.append(avg)
        return scores

    results = {}
    for metric in metrics:
        baseline_scores = get_metric_scores(baseline_experiment, metric)
        candidate_scores = get_metric_scores(candidate_experiment, metric)
        if not baseline_scores or not candidate_scores:
            results[metric] = {"status": "insufficient_data"}
            continue
        baseline_mean = statistics.mean(baseline_scores)
        candidate_mean = statistics.mean(candidate_scores)
        delta = candidate_mean - baseline_mean
        pct_change = (delta / baseline_mean * 100) if baseline_mean else 0
        if delta > 0.02:
            status = "IMPROVED"
        elif delta < -0.02:
            status = "REGRESSED"
        else:
            status = "NEUTRAL"
        results[metric] = {
            "status": status,
            "baseline_mean": round(baseline_mean, 4),
            "candidate_mean": round(candidate_mean, 4),
            "delta": round(delta, 4),
            "pct_change": round(pct_change, 1),
            "n_baseline": len(baseline_scores),
            "n_candidate": len(candidate_scores),
        }
    return results


def print_comparison_report(baseline: str, candidate: str) -> bool:
    """
    Print a human-readable comparison and return True if candidate should deploy.
    """
    report = compare_experiments(baseline, candidate)
    print(f"\n{'=' * 60}")
    print("Experiment Comparison")
    print(f"Baseline: {baseline}")
    print(f"Candidate: {candidate}")
    print(f"{'=' * 60}\n")
    has_regression = False
    for metric, data in report.items():
        status = data.get("status", "unknown")
        symbol = {"IMPROVED": "▲", "REGRESSED": "▼", "NEUTRAL": "→"}.get(status, "?")
        print(f"  {metric}: {symbol} {status}")
        if "baseline_mean" in data:
            print(f"    Baseline: {data['baseline_mean']:.4f} (n={data['n_baseline']})")
            print(f"    Candidate: {data['candidate_mean']:.4f} (n={data['n_candidate']})")
            print(f"    Change: {data['delta']:+.4f} ({data['pct_change']:+.1f}%)")
        print()
        if status == "REGRESSED":
            has_regression = True
    if has_regression:
        print("DECISION: DO NOT DEPLOY - quality regression detected")
        return False
    else:
        print("DECISION: SAFE TO DEPLOY - no quality regressions")
        return True
