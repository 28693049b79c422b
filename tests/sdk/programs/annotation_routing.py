"""The routing example of the second seed, as it stands there; only the queue's id is given."""

import json
import os
import re

import anthropic
from langsmith import Client, traceable
from langsmith.run_helpers import get_current_run_tree

ls_client = Client()
anthropic_client = anthropic.Anthropic()

REVIEW_QUEUE_ID = os.environ["REVIEW_QUEUE_ID"]


@traceable(name="answer-with-confidence-routing")
def answer_with_routing(
    question: str,
    user_id: str,
    user_tier: str = "standard",
) -> dict:
    """Generate an answer and route to human review based on confidence and tier."""
    run_tree = get_current_run_tree()

    response = anthropic_client.messages.create(
        model="claude-opus-4-6",
        max_tokens=1024,
        system=(
            "Answer the question accurately. "
            "After your answer, on a new line, add exactly: CONFIDENCE: [0-100] "
            "where 100 is complete certainty."
        ),
        messages=[{"role": "user", "content": question}],
    )

    full_text = response.content[0].text

    # Parse the self-reported confidence
    confidence_match = re.search(r"CONFIDENCE:\s*(\d+)", full_text)
    confidence = int(confidence_match.group(1)) if confidence_match else 50
    answer = re.sub(r"\n?CONFIDENCE:.*$", "", full_text, flags=re.MULTILINE).strip()

    # Routing logic
    should_route = False
    routing_reason = None

    if confidence < 70:
        should_route = True
        routing_reason = f"Low model confidence: {confidence}%"
    elif user_tier == "enterprise" and confidence < 85:
        should_route = True
        routing_reason = f"Enterprise user, moderate confidence: {confidence}%"
    elif any(kw in question.lower() for kw in ["legal", "medical", "refund", "terminate"]):
        should_route = True
        routing_reason = "High-stakes topic detected"

    if should_route and run_tree:
        ls_client.add_runs_to_annotation_queue(queue_id=REVIEW_QUEUE_ID, run_ids=[str(run_tree.id)])
        ls_client.create_feedback(
            run_id=str(run_tree.id),
            key="routed_for_review",
            score=0.5,
            comment=routing_reason,
        )

    return {
        "answer": answer,
        "confidence": confidence,
        "run_id": str(run_tree.id) if run_tree else None,
        "routed_to_review": should_route,
        "routing_reason": routing_reason,
    }


if __name__ == "__main__":
    answers = [
        answer_with_routing("How do I log in?", "user-1"),
        answer_with_routing("Is it 42% or so?", "user-2"),
        answer_with_routing("Are we 80% there?", "user-3", user_tier="enterprise"),
        answer_with_routing("Are we 80% there?", "user-4"),
        answer_with_routing("I want a refund", "user-5"),
    ]
    print(json.dumps(answers))
