"""A LangGraph agent with a tool and a checkpointer, two turns of one thread."""

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_core.tracers.langchain import wait_for_all_tracers
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver


@tool
def find_order(order: str) -> str:
    """Return the state of an order."""
    return f"order {order}: shipped"


agent = create_agent(
    ChatOpenAI(model="gpt-4o-mini"),
    tools=[find_order],
    checkpointer=InMemorySaver(),
    name="support",
)
config = {"configurable": {"thread_id": "t-graph"}, "metadata": {"thread_id": "t-graph"}}
for question in ("Where is order a7?", "Thank you. And the refund?"):
    state = agent.invoke({"messages": [("user", question)]}, config=config)
    print(state["messages"][-1].content)
wait_for_all_tracers()
