"""Prompts, their commits, tags and likes; agents and skills, which are no part of Observatory."""

from __future__ import annotations

from langchain_core.prompts import ChatPromptTemplate

from tests.sdk.probes import World, refused_calls, works


def template(text: str = "Answer {question}") -> ChatPromptTemplate:
    return ChatPromptTemplate.from_messages([("system", "Be kind"), ("user", text)])


@works("create_prompt", "get_prompt", "update_prompt", "list_prompts", "delete_prompt")
def a_prompt_is_made_read_changed_and_deleted(w: World) -> None:
    name = w.name("prompt")
    w.client.create_prompt(name, description="d", tags=["t"])
    w.client.update_prompt(name, readme="r", is_public=False)
    read = w.client.get_prompt(name)
    assert (read.description, read.readme, read.tags) == ("d", "r", ["t"])
    assert [repo.repo_handle for repo in w.client.list_prompts(query=name).repos] == [name]
    w.client.delete_prompt(name)
    assert w.client.get_prompt(name) is None


@works("push_prompt", "pull_prompt", "create_commit", "pull_prompt_commit", "list_prompt_commits")
def a_prompt_is_pushed_and_pulled(w: World) -> None:
    name = w.name("prompt")
    w.client.push_prompt(name, object=template(), commit_tags="prod")
    assert w.client.pull_prompt(name).messages == template().messages
    w.client.create_commit(name, template("Briefly: {question}"))
    first, second = [
        w.client.pull_prompt_commit(f"{name}:{at}", skip_cache=True) for at in ("prod", "latest")
    ]
    listed = list(w.client.list_prompt_commits(name))
    assert [commit.commit_hash for commit in listed] == [second.commit_hash, first.commit_hash]


@works("like_prompt", "unlike_prompt")
def a_prompt_is_liked(w: World) -> None:
    name = w.name("prompt")
    w.plain.create_prompt(name)
    assert w.client.like_prompt(name) == {"likes": 1}
    assert w.client.unlike_prompt(name) == {"likes": 0}


HUB = "agents and skills are directories of the vendor's hub; Observatory keeps prompts"


@works("agent_exists", "skill_exists", why="always no: " + HUB)
def there_is_no_agent_and_no_skill(w: World) -> None:
    assert not w.client.agent_exists(w.name("agent"))
    assert not w.client.skill_exists(w.name("skill"))


def files() -> dict[str, object]:
    return {"AGENTS.md": {"type": "file", "content": "Be kind."}}


refused_calls(
    {
        "list_agents": lambda w: w.client.list_agents(),
        "list_skills": lambda w: w.client.list_skills(),
        "push_agent": lambda w: w.client.push_agent(w.name("agent"), files=files()),
        "push_skill": lambda w: w.client.push_skill(w.name("skill"), files=files()),
        "pull_agent": lambda w: w.client.pull_agent("helper"),
        "pull_skill": lambda w: w.client.pull_skill("helper"),
        "delete_agent": lambda w: w.client.delete_agent("helper"),
        "delete_skill": lambda w: w.client.delete_skill("helper"),
    },
    seen="LangSmithNotFoundError 404",
    why=HUB,
)
