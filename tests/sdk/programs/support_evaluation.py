"""The second seed's week: curate failures, evaluate twice, compare. Its functions, in its order."""

import json
import os

import comparison
import curation
import support_evals
from langsmith import Client
from langsmith.run_trees import get_cached_client

client = Client()
golden, failures = os.environ["GOLDEN"], os.environ["FAILURES"]


def experiment(label: str) -> str:
    """Evaluate under `label` and return the new experiment's name."""
    support_evals.run_support_evaluation(golden, label)
    [project] = client.list_projects(reference_dataset_name=golden, name_contains=label)
    return project.name


curation.curate_failure_dataset(os.environ["LANGSMITH_PROJECT"], failures)
curation.create_golden_dataset(golden, curation.SUPPORT_GOLDEN_EXAMPLES)
baseline = experiment("support-v2")
before = support_evals.support_agent_v2


def support_agent_v3(inputs: dict) -> dict:
    """The change that made it worse."""
    return {"response": f"{before(inputs)['response']} Or check our FAQ."}


support_evals.support_agent_v2 = support_agent_v3
candidate = experiment("support-v3")
get_cached_client().flush()  # the seed compares another day
report = comparison.compare_experiments(baseline, candidate)
print(
    "\n"
    + json.dumps(
        {
            "baseline": baseline,
            "candidate": candidate,
            "report": report,
            "deploys": {
                "candidate": comparison.print_comparison_report(baseline, candidate),
                "baseline": comparison.print_comparison_report(baseline, baseline),
            },
        }
    )
)
