"""The SDK's wrapper of the OpenAI client: plain, streamed, with a tool, structured, responses."""

from langsmith import Client, traceable
from langsmith.wrappers import wrap_openai
from openai import OpenAI
from pydantic import BaseModel

client = Client()
openai = wrap_openai(OpenAI(), tracing_extra={"client": client})


class Answer(BaseModel):
    days: int
    is_sure: bool


TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
    },
}


@traceable(name="conversation", client=client)
def converse(question: str) -> str:
    messages = [{"role": "user", "content": question}]
    plain = openai.chat.completions.create(model="gpt-4o-mini", messages=messages)
    stream = openai.chat.completions.create(
        model="gpt-4o-mini",
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
    )
    streamed = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    openai.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[TOOL])
    openai.chat.completions.parse(model="gpt-4o-mini", messages=messages, response_format=Answer)
    openai.responses.create(model="gpt-4o-mini", input=question)
    assert streamed == plain.choices[0].message.content
    return streamed


print(converse("When do I get my money?"))
client.flush()
