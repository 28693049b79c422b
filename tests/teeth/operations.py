"""Variants that break the promises on outbound requests, the proxy and the life of data."""

from tests.teeth import Variant

VARIANTS = [
    Variant(
        promise="X1",
        breaks="a schema makes the server ask an address that its author chose",
        file="datasets_app/schemas.py",
        old="    raise NoSuchResource(ref=uri)  # type: ignore[call-arg]\n",
        new=(
            "    import urllib.request\n\n"
            "    with urllib.request.urlopen(uri, timeout=1) as answer:\n"
            "        return Resource.from_contents(json.load(answer))\n"
        ),
        tests=(
            "tests/datasets/test_schemas.py::test_x1_a_schema_that_names_an_address_fetches_nothing",
        ),
    ),
    Variant(
        promise="X3",
        breaks="the shipped proxy answers 502 while no web process runs, and SDKs drop data",
        file="deploy/nginx.conf",
        old="        error_page 502 504 = @away;\n",
        new="",
        tests=(
            "tests/cli/test_production.py"
            "::test_the_shipped_proxy_answers_503_with_retry_after_while_no_web_process_does",
        ),
    ),
    Variant(
        promise="L5",
        breaks="a database that takes no writes is answered 500",
        file="observatory/outages.py",
        old="        cause, ReadOnlySqlTransaction\n",
        new="        cause, ()\n",
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="L2",
        breaks="a migration builds an index while every write to the table waits",
        file="observatory/runs/migrations/0004_model_price.py",
        old="    operations = [\n",
        new=(
            "    operations = [\n"
            '        migrations.AddIndex("run", models.Index(fields=["name"], name="run_name")),\n'
        ),
        tests=(
            "tests/test_architecture.py::test_l2_an_index_of_a_table_in_use_is_built_concurrently",
        ),
    ),
    Variant(
        promise="L3",
        breaks="the feedback of a deleted project stays",
        file="observatory/feedback/removal.py",
        old="""            " OR (workspace_id = %(workspace)s AND run_id IN ("
            "SELECT id FROM runs_run WHERE project_id = %(project)s))",
""",
        new="""            " AND %(workspace)s > 0",
""",
        tests=("tests/api/test_sessions.py",),
    ),
    Variant(
        promise="L3",
        breaks="the files of a deleted project stay",
        file="observatory/runs/catalogue.py",
        old="            storages[STORAGE].delete(path)\n",
        new="            pass\n",
        tests=("tests/api/test_sessions.py",),
    ),
]
