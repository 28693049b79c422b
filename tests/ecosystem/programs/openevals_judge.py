"""An experiment with openevals' judge and its string evaluators, by `evaluate`."""

from langsmith import Client
from openai import OpenAI
from openevals.exact import exact_match
from openevals.llm import create_llm_as_judge
from openevals.prompts import CORRECTNESS_PROMPT
from openevals.string import levenshtein_distance

client = Client()
dataset = client.create_dataset("refunds")
client.create_examples(
    dataset_id=dataset.id,
    examples=[
        {
            "inputs": {"question": f"Refund {n}?"},
            "outputs": {"answer": "Refunds take five working days."},
        }
        for n in range(3)
    ],
)
judge = create_llm_as_judge(
    prompt=CORRECTNESS_PROMPT,
    feedback_key="correctness",
    judge=OpenAI(),
    model="gpt-4o-mini",
)


def answer(inputs: dict) -> dict:
    return {"answer": "Refunds take five working days."}


def correct(inputs: dict, outputs: dict, reference_outputs: dict) -> dict:
    return judge(inputs=inputs, outputs=outputs, reference_outputs=reference_outputs)


def same(inputs: dict, outputs: dict, reference_outputs: dict) -> dict:
    return exact_match(outputs=outputs, reference_outputs=reference_outputs)


def near(inputs: dict, outputs: dict, reference_outputs: dict) -> dict:
    return levenshtein_distance(outputs=outputs, reference_outputs=reference_outputs)


results = client.evaluate(
    answer,
    data="refunds",
    evaluators=[correct, same, near],
    experiment_prefix="openevals",
    metadata={"seed": 2**64},
)
print(results.experiment_name)
client.flush()
