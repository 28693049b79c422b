"""A LangChain pipeline, traced by the variables alone: prompt, chat model (also streamed), parser."""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.langchain import wait_for_all_tracers
from langchain_openai import ChatOpenAI

prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{question}")])
chain = prompt | ChatOpenAI(model="gpt-4o-mini") | StrOutputParser()
config = {"run_name": "answer", "tags": ["support"], "metadata": {"thread_id": "t-chain"}}
print(chain.invoke({"question": "When do I get my money?"}, config=config))
print("".join(chain.stream({"question": "And now?"}, config={**config, "run_name": "streamed"})))


def fail(question: dict) -> str:
    raise ValueError("no such order")


try:
    (RunnableLambda(fail) | StrOutputParser()).invoke({"order": 7}, config={"run_name": "failing"})
except ValueError as error:
    print(error)
wait_for_all_tracers()
