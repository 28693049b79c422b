"""GET /info under every prefix an SDK derives."""

import pytest


@pytest.mark.parametrize("path", ["/info", "/info/", "/api/info", "/api/v1/info"])
def test_info_answers_without_a_credential_under_every_prefix(client, path) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert set(answer.json()["batch_ingest_config"]) == {
        "use_multipart_endpoint",
        "size_limit",
        "size_limit_bytes",
        "scale_up_qsize_trigger",
        "scale_up_nthreads_limit",
        "scale_down_nempty_trigger",
    }
