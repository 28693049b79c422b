"""Arithmetic: the demo's traces and feedback, generated from a seed. Same seed, same rows."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from observatory.console.demo.topics import (
    CITIES,
    CLOSINGS,
    COMPLAINTS,
    GREETINGS,
    NAMES,
    OPENINGS,
    PLANS,
    PRAISE,
    PRODUCTS,
    RUDE,
    SYSTEM_PROMPT,
    TOPICS,
    Topic,
)

SPACE = UUID("5a1c7f0e-3d52-4f6b-9a68-0b5d4f1f9c21")
DAYS = 14
WRONG, PARTLY, RIGHT = 0, 1, 2
_BAD_DAYS = (4.2, 5.6)  # days ago: the release that was worse than the one before
_CATEGORY_SCORES = {
    "wrong_info": 0.0,
    "unhelpful": 0.1,
    "bad_tone": 0.2,
    "other": 0.3,
    "too_long": 0.4,
}
# Kinds of errors, not grades: with its config the key is counted, not averaged.
CATEGORY_KEY = "failure_category"
_CATEGORIES = {
    "type": "categorical",
    "categories": [
        {"value": score, "label": category.replace("_", " ")}
        for category, score in _CATEGORY_SCORES.items()
    ],
}


@dataclass
class DemoTrace:
    """One conversation turn: its runs and feedback in wire format, and the true quality.

    `quality` is 0 wrong, 1 partly right, 2 right, None when the run failed; `best_answer` is what a
    reviewer would correct it to.
    """

    id: UUID
    ended_at: datetime
    runs: list[dict[str, Any]]
    feedback: list[dict[str, Any]] = field(default_factory=list)
    quality: int | None = RIGHT
    is_rude: bool = False
    best_answer: str = ""
    outputs: dict[str, Any] | None = None


def demo_id(seed: int, *words: object) -> UUID:
    """Return the id of a demo row: the same for the same seed and words."""
    return uuid5(SPACE, ":".join(map(str, (seed, *words))))


def make_traces(n: int, seed: int, now: datetime, project: str) -> list[DemoTrace]:
    """Return `n` traces of five runs that ended in the 14 days before `now`, oldest first."""
    dice = random.Random(seed)  # noqa: S311 - a demo, not a secret
    starts = sorted(now - _age(dice) for _ in range(n))
    return [_Maker(seed, number, start, now, project).make() for number, start in enumerate(starts)]


def _age(dice: random.Random) -> timedelta:
    """Return the age of a trace: less than two weeks, and less often by night than by day.

    Night is derived from the age, not the clock, so that a seed means the same at any hour.
    """
    while True:
        days = dice.random() * (DAYS - 0.1)
        if days % 1 < 0.6 or dice.random() < 0.15:
            return timedelta(days=days, minutes=10)


class _Maker:
    """Generates one trace; all random values depend on (seed, number)."""

    def __init__(self, seed: int, number: int, start: datetime, now: datetime, project: str):
        self.seed, self.number, self.start, self.project = seed, number, start, project
        self.dice = random.Random(f"{seed}-{number}")  # noqa: S311
        self.id = demo_id(seed, "run", number, 0)
        self.topic: Topic = self.dice.choices(TOPICS, [topic.weight for topic in TOPICS])[0]
        self.words = {
            "product": self.dice.choice(PRODUCTS),
            "order": f"MG-{self.dice.randrange(100_000, 999_999)}",
            "amount": f"{self.dice.randrange(9, 480)}",
            "days": str(self.dice.randrange(2, 21)),
            "city": self.dice.choice(CITIES),
            "plan": self.dice.choice(PLANS),
            "name": self.dice.choice(NAMES),
        }
        self.tier = self.dice.choices(["free", "standard", "enterprise"], [50, 35, 15])[0]
        age_days = (now - start) / timedelta(days=1)
        self.is_bad_release = _BAD_DAYS[0] <= age_days <= _BAD_DAYS[1]
        self.revision = "prompt-v13" if age_days <= _BAD_DAYS[1] else "prompt-v12"
        if age_days < _BAD_DAYS[0]:
            self.revision = "prompt-v14"
        self.confidence = self._confidence()

    def make(self) -> DemoTrace:
        """Return the trace."""
        question = self._question()
        is_failing = self.dice.random() < 0.04
        quality = self._quality()
        best = self._say(self.dice.choice(self.topic.right))
        answer, is_rude = self._answer(quality)
        outputs: dict[str, Any] = {"answer": answer}
        if not self.tells_in_metadata:
            outputs["confidence"] = self.confidence
        error = "OutputParserError: the model's answer is not the JSON that was asked for"
        steps = self._steps(question, answer, error if is_failing else None)
        ended_at = steps[-1][1] + timedelta(milliseconds=4)
        root = self._run(
            0,
            "support-agent",
            "chain",
            (self.start, ended_at),
            {"question": question, "channel": self.channel},
            None if is_failing else outputs,
        )
        if is_failing:
            root["error"] = error
        trace = DemoTrace(
            id=self.id,
            ended_at=ended_at,
            runs=[root, *(run for run, _ in steps)],
            quality=None if is_failing else quality,
            is_rude=is_rude,
            best_answer=best,
            outputs=None if is_failing else outputs,
        )
        trace.feedback = self._feedback(trace)
        return trace

    @property
    def tells_in_metadata(self) -> bool:
        """Whether the trace has its confidence in the metadata, as every third does."""
        return self.number % 3 == 0

    @property
    def channel(self) -> str:
        return ("web", "mobile", "email")[self.number % 3]

    def _say(self, template: str) -> str:
        return template.format(**self.words)

    def _question(self) -> str:
        greeting = self.dice.choice(GREETINGS)
        question = self._say(self.dice.choice(self.topic.questions))
        if greeting and not question.startswith("I "):
            question = question[0].lower() + question[1:]
        return greeting + question

    def _confidence(self) -> int:
        centre = 76 if self.is_bad_release else 86
        return max(12, min(99, round(self.dice.gauss(centre, 12))))

    def _quality(self) -> int:
        doubt = (100 - self.confidence) / 100 + (0.18 if self.is_bad_release else 0.0)
        wrong, partly = 0.02 + 0.7 * doubt, 0.04 + 0.6 * doubt
        draw = self.dice.random()
        return WRONG if draw < wrong else PARTLY if draw < wrong + partly else RIGHT

    def _answer(self, quality: int) -> tuple[str, bool]:
        texts = (self.topic.wrong, self.topic.partly, self.topic.right)[quality]
        body = self._say(self.dice.choice(texts))
        if self.dice.random() < (0.25 if self.is_bad_release else 0.08):
            return self.dice.choice(RUDE) + body[0].lower() + body[1:], True
        opening = self._say(self.dice.choice(OPENINGS))
        return opening + body + self.dice.choice(CLOSINGS), False

    def _steps(
        self, question: str, answer: str, error: str | None
    ) -> list[tuple[dict[str, Any], datetime]]:
        """Return retriever, tool, model and parser, each with its end time, one after the other."""
        search = {"query": question}
        documents = [
            {"page_content": text, "metadata": {"source": f"kb/{self.topic.key}", "title": title}}
            for title, text in self.topic.documents
        ]
        look_up = {"order_id": self.words["order"], "customer": self.words["name"]}
        context = "\n\n".join(text for _, text in self.topic.documents)
        messages = [
            {"role": "system", "content": f"{SYSTEM_PROMPT}\n\n{context}"},
            {"role": "user", "content": question},
        ]
        answer_json = json.dumps(
            {"answer": answer, "confidence": self.confidence}, ensure_ascii=False
        )
        text = answer_json[:-9] if error else answer_json
        slow = 4.0 if self.dice.random() < 0.04 else 1.0
        spans: list[tuple[str, str, float, dict[str, Any], dict[str, Any] | None]] = [
            ("search-knowledge-base", "retriever", 0.12, search, {"documents": documents}),
            ("look-up-order", "tool", 0.2, look_up, self._order()),
            ("draft-answer", "llm", 1.6 * slow, {"messages": messages}, self._drafted(text)),
            (
                "parse-answer",
                "parser",
                0.002,
                {"text": text},
                None if error else {"answer": answer, "confidence": self.confidence},
            ),
        ]
        steps = []
        at = self.start + timedelta(milliseconds=3)
        for number, (name, run_type, seconds, inputs, outputs) in enumerate(spans, start=1):
            end = at + timedelta(seconds=seconds * self.dice.lognormvariate(0, 0.35))
            run = self._run(number, name, run_type, (at, end), inputs, outputs)
            if run_type == "llm":
                run["events"] = [
                    {"name": "new_token", "time": (at + (end - at) / 4).isoformat()},
                    {"name": "end", "time": end.isoformat()},
                ]
                run["extra"]["metadata"] |= {
                    "ls_provider": "meridian",
                    "ls_model_name": "meridian-large-2",
                    "ls_temperature": 0.2,
                }
            if run_type == "parser" and error:
                run["error"] = error
            steps.append((run, end))
            at = end + timedelta(milliseconds=self.dice.randrange(1, 9))
        return steps

    def _order(self) -> dict[str, Any]:
        return {
            "order_id": self.words["order"],
            "status": self.dice.choice(["in transit", "delivered", "packed", "returned"]),
            "items": [{"name": self.words["product"], "price_eur": float(self.words["amount"])}],
        }

    def _drafted(self, text: str) -> dict[str, Any]:
        prompt = 260 + self.dice.randrange(0, 160)
        completion = max(12, len(text) // 4)
        return {
            "message": {"role": "assistant", "content": text},
            "usage_metadata": {
                "input_tokens": prompt,
                "output_tokens": completion,
                "total_tokens": prompt + completion,
                "input_cost": round(prompt * 3e-6, 9),
                "output_cost": round(completion * 15e-6, 9),
                "total_cost": round(prompt * 3e-6 + completion * 15e-6, 9),
            },
        }

    def _run(
        self,
        number: int,
        name: str,
        run_type: str,
        span: tuple[datetime, datetime],
        inputs: dict[str, Any],
        outputs: dict[str, Any] | None,
    ) -> dict[str, Any]:
        run_id = demo_id(self.seed, "run", self.number, number)
        metadata: dict[str, Any] = {"revision_id": self.revision}
        if number == 0:
            metadata |= {
                "user_tier": self.tier,
                "user_id": f"user-{self.number % 211:03d}",
                "thread_id": str(demo_id(self.seed, "thread", self.number - self.number % 2)),
                "topic": self.topic.key,
            }
            if self.tells_in_metadata:
                metadata["confidence"] = self.confidence / 100
        own = f"{span[0]:%Y%m%dT%H%M%S%f}Z{run_id}"
        order = own if number == 0 else f"{self.start:%Y%m%dT%H%M%S%f}Z{self.id}.{own}"
        run: dict[str, Any] = {
            "id": str(run_id),
            "trace_id": str(self.id),
            "parent_run_id": None if number == 0 else str(self.id),
            "dotted_order": order,
            "name": name,
            "run_type": run_type,
            "start_time": span[0].isoformat(),
            "end_time": span[1].isoformat(),
            "session_name": self.project,
            "inputs": inputs,
            "outputs": outputs,
            "extra": {"metadata": metadata, "runtime": {"sdk": "observatory-demo"}},
            "tags": [self.topic.key, self.channel] if number == 0 else [],
        }
        return run

    # Feedback -----------------------------------------------------------------------------------

    def _feedback(self, trace: DemoTrace) -> list[dict[str, Any]]:
        """Return the user's feedback, if any: a thumb, and for some a detailed complaint."""
        if trace.quality is None or self.dice.random() > 0.34:
            return []
        is_positive = self.dice.random() < (0.12, 0.5, 0.93)[trace.quality]
        if trace.is_rude:
            is_positive = is_positive and self.dice.random() < 0.3
        at = trace.ended_at + timedelta(seconds=self.dice.randrange(5, 60))
        if is_positive:
            comment = self.dice.choice(PRAISE) or None
            return [self._judgement("user_rating", 1.0, comment, at)]
        category = self._category(trace)
        complaint = self.dice.choice(COMPLAINTS[category])
        severity = self.dice.choices([1, 2, 3], [4, 3, 3])[0]
        rows = [self._judgement("user_rating", 0.0, complaint or None, at)]
        if self.dice.random() < 0.6:
            later = at + timedelta(seconds=20)
            detail = f"{category} (severity {severity}): {complaint}"
            row = self._judgement(CATEGORY_KEY, _CATEGORY_SCORES[category], detail, later)
            rows.append(row | {"feedback_config": _CATEGORIES})
            if category == "wrong_info" and severity == 3:
                flag = "Auto-flagged: critical wrong information report"
                rows.append(self._judgement("needs_review", 0.0, flag, later))
        return rows

    def _category(self, trace: DemoTrace) -> str:
        if trace.is_rude:
            return "bad_tone"
        if trace.quality == WRONG:
            return self.dice.choices(["wrong_info", "unhelpful"], [4, 1])[0]
        if trace.quality == PARTLY:
            return self.dice.choices(["unhelpful", "other"], [4, 1])[0]
        return self.dice.choice(["too_long", "other"])

    def _judgement(self, key: str, score: float, comment: str | None, at: datetime) -> Any:
        return {
            "id": str(demo_id(self.seed, "feedback", self.number, key)),
            "run_id": str(self.id),
            "trace_id": str(self.id),
            "key": key,
            "score": score,
            "comment": comment,
            "created_at": at.isoformat(),
            "feedback_source": {"type": "api", "metadata": {"source": "support-widget"}},
        }
