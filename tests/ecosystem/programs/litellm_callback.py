"""LiteLLM's own LangSmith callback, success and failure."""

import asyncio
import os

# The host alone: the callback appends /api/v1/runs/batch itself.
os.environ["LANGSMITH_BASE_URL"] = os.environ["LANGSMITH_ENDPOINT"].removesuffix("/api")

import litellm
from litellm.integrations.langsmith import LangsmithLogger

MESSAGES = [{"role": "user", "content": "When do I get my money?"}]


async def main() -> None:
    logger = LangsmithLogger()
    litellm.callbacks = [logger]
    answer = await litellm.acompletion(
        model="openai/gpt-4o-mini",
        messages=MESSAGES,
        metadata={"run_name": "litellm", "tags": ["support"]},
    )
    print(answer.choices[0].message.content)
    try:
        await litellm.acompletion(
            model="openai/gpt-4o-mini",
            messages=MESSAGES,
            mock_response=Exception("the model is away"),
            metadata={"run_name": "failing"},
        )
    except Exception as error:  # litellm has a class for each provider's failure
        print(type(error).__name__)
    await asyncio.sleep(1)
    await logger.async_send_batch()


asyncio.run(main())
