"""The thumbs and the detail form of the second seed, without the web framework around them."""

import asyncio
import json
from datetime import datetime

from langsmith import Client, traceable
from langsmith.run_helpers import get_current_run_tree
from pydantic import BaseModel

ls_client = Client()


class ThumbsFeedback(BaseModel):
    run_id: str  # the LangSmith run ID returned from generation
    thumbs_up: bool
    comment: str | None = None
    correction: str | None = None  # what the user says the correct answer was


class FeedbackDetail(BaseModel):
    run_id: str
    category: str  # "wrong_info", "unhelpful", "bad_tone", "too_long", "other"
    severity: int  # 1-3 (1=minor, 3=critical)
    user_comment: str | None = None


async def submit_thumbs_feedback(feedback: ThumbsFeedback):
    """Log thumbs up/down to LangSmith."""
    ls_client.create_feedback(
        run_id=feedback.run_id,
        key="user_rating",
        score=1.0 if feedback.thumbs_up else 0.0,
        comment=feedback.comment,
        correction=feedback.correction,  # "what it should have said"
        source_info={
            "source": "thumbs_ui",
            "timestamp": datetime.now().isoformat(),
        },
    )
    return {"status": "recorded", "positive": feedback.thumbs_up}


async def submit_detailed_feedback(feedback: FeedbackDetail):
    """Log categorized negative feedback."""
    # Map category to numeric signal
    category_scores = {
        "wrong_info": 0.0,
        "unhelpful": 0.1,
        "bad_tone": 0.2,
        "too_long": 0.4,
        "other": 0.3,
    }
    ls_client.create_feedback(
        run_id=feedback.run_id,
        key="failure_category",
        score=category_scores.get(feedback.category, 0.3),
        comment=f"{feedback.category} (severity {feedback.severity}): {feedback.user_comment or ''}",
        source_info={
            "source": "detail_feedback_ui",
            "category": feedback.category,
            "severity": feedback.severity,
        },
    )
    # If it's a critical wrong info issue, add to review queue
    if feedback.category == "wrong_info" and feedback.severity == 3:
        ls_client.create_feedback(
            run_id=feedback.run_id,
            key="needs_review",
            score=0.0,
            comment="Auto-flagged: critical wrong information report",
        )
    return {"status": "recorded"}


@traceable(name="customer-support-response", tags=["support", "v2.1"])
def generate_support_response(user_query: str) -> dict:
    return {"response": "Your plan ends today.", "run_id": str(get_current_run_tree().id)}


async def main() -> dict:
    happy, unhappy, misled = (
        generate_support_response(query)["run_id"] for query in ("why?", "how?", "when?")
    )
    await submit_thumbs_feedback(ThumbsFeedback(run_id=happy, thumbs_up=True, comment="Great!"))
    await submit_thumbs_feedback(
        ThumbsFeedback(run_id=unhappy, thumbs_up=False, correction="Your plan ends tomorrow.")
    )
    await submit_detailed_feedback(
        FeedbackDetail(run_id=unhappy, category="too_long", severity=1, user_comment="a novel")
    )
    await submit_detailed_feedback(FeedbackDetail(run_id=misled, category="wrong_info", severity=3))
    return {"happy": happy, "unhappy": unhappy, "misled": misled}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
