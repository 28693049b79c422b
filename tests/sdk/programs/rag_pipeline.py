"""The pipeline of the second seed, as it stands there."""

import json

import anthropic
from langsmith import traceable
from langsmith.run_helpers import get_current_run_tree

client = anthropic.Anthropic()


@traceable(name="query-expansion")
def expand_query(original_query: str) -> list[str]:
    """Generate multiple query variations for better retrieval coverage."""
    response = client.messages.create(
        model="claude-haiku-4-5-20251001",
        max_tokens=256,
        messages=[
            {
                "role": "user",
                "content": f"""Generate 3 search query variations for:
"{original_query}"
Return as JSON array: ["query1", "query2", "query3"]""",
            }
        ],
    )
    try:
        queries = json.loads(response.content[0].text)
        return [original_query, *queries]
    except json.JSONDecodeError:
        return [original_query]


@traceable(name="retrieval")
def retrieve_context(queries: list[str], k: int = 5) -> list[dict]:
    """Retrieve relevant documents for multiple query variations."""
    run_tree = get_current_run_tree()
    all_docs = []
    for query in queries:
        # In production: call your vector DB
        docs = [
            {"content": f"Doc about {query[:30]}...", "source": "kb-v3", "score": 0.89}
            for _ in range(k)
        ]
        all_docs.extend(docs)
    # Deduplicate by content hash (real implementation)
    unique_docs = list({d["content"]: d for d in all_docs}.values())
    if run_tree:
        run_tree.add_metadata(
            {
                "num_queries": len(queries),
                "docs_before_dedup": len(all_docs),
                "docs_after_dedup": len(unique_docs),
            }
        )
    return unique_docs[:k]  # top-k unique docs


@traceable(name="synthesis")
def synthesize_answer(query: str, context_chunks: list[dict]) -> str:
    """Synthesize a final answer from retrieved context chunks."""
    context = "\n\n---\n\n".join(f"[{d['source']}] {d['content']}" for d in context_chunks)
    response = client.messages.create(
        model="claude-opus-4-6",
        max_tokens=2048,
        system=(
            "Answer questions using only the provided context. "
            "Cite specific passages. "
            "If the context doesn't contain the answer, say so explicitly."
        ),
        messages=[{"role": "user", "content": f"Context:\n{context}\n\nQuestion: {query}"}],
    )
    return response.content[0].text


@traceable(name="rag-pipeline", project_name="production-rag")
def rag_pipeline(query: str, user_id: str) -> dict:
    """Run expansion, retrieval and synthesis: one trace of four runs."""
    run_tree = get_current_run_tree()
    expanded_queries = expand_query(query)
    context = retrieve_context(expanded_queries)
    answer = synthesize_answer(query, context)
    if run_tree:
        run_tree.add_metadata(
            {
                "user_id": user_id,
                "num_query_expansions": len(expanded_queries),
                "num_context_docs": len(context),
                "answer_word_count": len(answer.split()),
            }
        )
    return {
        "query": query,
        "expanded_queries": expanded_queries,
        "num_context_docs": len(context),
        "answer": answer,
        "run_id": str(run_tree.id) if run_tree else None,
    }


if __name__ == "__main__":
    print(json.dumps(rag_pipeline("what does the plan cost", "user-7")))
