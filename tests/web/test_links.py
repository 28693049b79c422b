"""URLs that the SDKs print open a page, and shared pages need no account."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from datasets_app import examples
from datasets_app import sharing as dataset_sharing
from datasets_app.examples import ExampleInput
from observatory.prompts import commits
from observatory.prompts.models import PromptRepo
from observatory.runs import listing, sharing, thread_sharing
from tests import scenes
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def follow(client: Client, address: str):
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer


@pytest.fixture
def prompt(acme) -> PromptRepo:
    repo = PromptRepo.objects.create(workspace=acme, handle="greeter")
    commits.push(repo, {"text": HOSTILE}, parent=None)
    return repo


@pytest.fixture
def experiments(acme, scene):
    """Two experiments over the scene's dataset, one of which answered."""
    example = scene.dataset.examples.first()
    made = [
        ProjectFactory(workspace=acme, name=name, reference_dataset_id=scene.dataset.uuid)
        for name in ("before", "after")
    ]
    runs = [
        make_run(
            project,
            inputs={"question": "why?"},
            outputs={"answer": f"{project.name} {HOSTILE}"},
            reference_example_id=example.uuid,
        )
        for project in made
    ]
    judge(runs[1], "correctness", 0.75)
    return made


def test_addresses_of_a_tenant_lead_members_to_the_page(scene, acme, ada, as_user) -> None:
    client, base = as_user(ada), f"/o/{acme.uuid}"
    run, project, dataset = scene.runs[0], scene.project, scene.dataset
    example = dataset.examples.first()
    pages = {
        "/": "/w/acme/",
        "/projects": "/w/acme/projects/",
        f"/projects/p/{project.uuid}": f"/w/acme/projects/{project.uuid}/",
        f"/projects/p/{project.uuid}/r/{run.id}?poll=true": f"/w/acme/runs/{run.id}/",
        "/datasets": "/w/acme/datasets/",
        f"/datasets/{dataset.uuid}": f"/w/acme/datasets/{dataset.uuid}/",
        f"/datasets/{dataset.uuid}/e/{example.uuid}": f"/w/acme/datasets/{dataset.uuid}/",
        f"/datasets/{dataset.uuid}/compare?selectedSessions={uuid4()}": (
            f"/w/acme/datasets/{dataset.uuid}/compare/"
        ),
    }
    for address, page in pages.items():
        answer = follow(client, base + address)
        assert urlsplit(answer.redirect_chain[-1][0]).path == page, address


def test_the_app_path_of_a_run_opens_it(api, scene, ada, as_user) -> None:
    run = scene.runs[0]
    path = api.get(f"/runs/{run.id}").json()["app_path"]
    assert run.name in follow(as_user(ada), path).content.decode()


def test_a_non_member_gets_404_and_a_visitor_signs_in(
    scene, acme, prompt, mallory, as_user
) -> None:
    addresses = [
        f"/o/{acme.uuid}/",
        f"/o/{acme.uuid}/projects/p/{scene.project.uuid}/r/{scene.runs[0].id}",
        f"/o/{acme.uuid}/datasets/{scene.dataset.uuid}",
        f"/o/{acme.uuid}/datasets/{scene.dataset.uuid}/e/{uuid4()}",
        f"/o/{acme.uuid}/datasets/{scene.dataset.uuid}/compare",
        f"/prompts/greeter?organizationId={acme.uuid}",
        "/prompts/greeter/12345678",
        "/hub/-/greeter",
    ]
    client = as_user(mallory)
    for address in addresses:
        answer = client.get(address)
        unknown = client.get(address.replace(str(acme.uuid), str(uuid4())))
        assert answer.status_code == unknown.status_code == 404, address
        stranger = Client().get(address)
        assert stranger.status_code == 302
        assert stranger["Location"].startswith("/accounts/login/?next="), address
    assert client.get("/prompts/greeter?organizationId=x").status_code == 404


def test_a_prompts_address_shows_the_manifest_of_its_commit(acme, prompt, ada, as_user) -> None:
    client, first = as_user(ada), commits.latest(prompt)
    assert first is not None
    second = commits.push(prompt, {"text": "newer"}, parent="latest")
    commits.tag(first, "prod")
    short = first.commit_hash[:8]
    for address in (
        f"/prompts/greeter/{short}?organizationId={acme.uuid}",
        f"/hub/-/greeter:{short}",
        f"/hub/-/greeter/{short}",
        "/prompts/greeter/prod",
    ):
        text = follow(client, address).content.decode()
        assert "alert(1)" in text
        assert "<script>alert" not in text
        assert f"Commit <code>{short}" in text
    newest = follow(client, f"/prompts/greeter?organizationId={acme.uuid}").content.decode()
    assert f"Commit <code>{second.commit_hash[:8]}" in newest
    assert client.get("/w/acme/prompts/greeter/ffffffff/").status_code == 404
    assert client.get("/w/acme/prompts/nothing/").status_code == 404
    PromptRepo.objects.create(workspace=acme, handle="empty")
    assert "No commit yet" in client.get("/w/acme/prompts/empty/").content.decode()


def test_the_prompts_of_a_workspace_are_listed(acme, prompt, ada, as_user) -> None:
    PromptRepo.objects.create(workspace=acme, handle="old", is_archived=True)
    text = as_user(ada).get("/w/acme/prompts/").content.decode()
    assert 'href="/w/acme/prompts/greeter/"' in text
    assert "prompts/old/" not in text
    prompt.delete()
    assert "No prompt yet" in as_user(ada).get("/w/acme/prompts/").content.decode()


def test_experiments_stand_side_by_side(
    scene, experiments, ada, as_user, django_assert_max_num_queries
) -> None:
    client = as_user(ada)
    base = f"/w/acme/datasets/{scene.dataset.uuid}/compare/"
    one, two = (str(project.uuid) for project in experiments)
    for query in (
        f"selectedSessions={one}%2C{two}",
        f"selectedSessions={one}&selectedSessions={two}",
    ):
        with django_assert_max_num_queries(30):
            text = client.get(f"{base}?{query}").content.decode()
        assert "before &lt;script&gt;" in text
        assert "after &lt;script&gt;" in text
        assert "0.75" in text
        assert text.index(">before<") < text.index(">after<")
    alone = client.get(f"{base}?selectedSessions={two}").content.decode()
    assert "after &lt;script&gt;" in alone
    assert "before &lt;script&gt;" not in alone
    assert "Add another experiment" in alone
    assert "before" in client.get(base).content.decode()  # the newest two
    assert client.get(f"{base}?selectedSessions=x").status_code == 404
    nothing = client.get(f"{base}?selectedSessions={uuid4()}").content.decode()
    assert "No experiment yet" in nothing
    assert client.get(f"/w/acme/datasets/{uuid4()}/compare/").status_code == 404


def test_a_comparison_shows_the_coverage_of_its_means_and_no_winner(
    scene, acme, ada, as_user
) -> None:
    """A ran two examples; B ran one of them three times, and one of these runs failed."""
    examples.create(scene.dataset, [ExampleInput(inputs="{}", outputs=None)], now=timezone.now())
    first, second = scene.dataset.examples.order_by("pk")
    a, b = (
        ProjectFactory(workspace=acme, name=name, reference_dataset_id=scene.dataset.uuid)
        for name in ("A", "B")
    )
    for example, score in ((first, 1.0), (second, 0.0)):
        judge(make_run(a, reference_example_id=example.uuid), "correct", score)
    for score in (1.0, 1.0):
        judge(make_run(b, reference_example_id=first.uuid), "correct", score)
    make_run(b, reference_example_id=first.uuid, error="boom")
    answer = as_user(ada).get(f"/w/acme/datasets/{scene.dataset.uuid}/compare/")
    text = " ".join(answer.content.decode().split())
    assert ">best<" not in text
    assert "2 runs of 2 examples" in text
    assert "2 runs of 1 example<" in text
    assert "up to 3 per example" in text
    assert "did not run the same examples: 1 is common to all" in text
    assert "missing from the means" in text
    assert "Against <a" in text
    assert "too few examples" in text
    assert "left out: 1 scored only there, 0 only here" in text
    assert "1 run failed; without a score they are in no pair" in text
    covered = {one["project"].name: one["covered"] for one in answer.context["experiments"]}
    assert (covered["A"].n_runs, covered["A"].n_examples, covered["A"].n_errors) == (2, 2, 0)
    assert (covered["B"].n_runs, covered["B"].n_examples, covered["B"].n_errors) == (3, 1, 1)


def test_one_example_of_a_dataset_has_an_address(scene, ada, as_user) -> None:
    client, base = as_user(ada), f"/w/acme/datasets/{scene.dataset.uuid}/"
    example = scene.dataset.examples.first()
    assert "All examples" in client.get(f"{base}?example={example.uuid}").content.decode()
    for wrong in (uuid4(), "x"):
        assert client.get(f"{base}?example={wrong}").status_code == 404


# Without an account -------------------------------------------------------------------------------


def test_a_shared_run_is_public_until_unshared(acme) -> None:
    project = ProjectFactory(workspace=acme, name="secret project")
    root = make_run(project, name="secret root")
    run = make_run(
        project,
        name="shown",
        parent=root,
        inputs={"question": HOSTILE},
        outputs={"answer": f"![x](http://evil/x.png) {HOSTILE}"},
    )
    below = make_run(project, name="below", parent=run, error=HOSTILE)
    judge(run, "rating", 0.5)
    share = sharing.share(acme, run.id)
    assert share is not None
    client, base = Client(), f"/public/{share.token}/r"
    answer = client.get(base)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("no-store", "noindex")
    assert "shown" in text
    assert "0.5" in text
    assert HOSTILE not in text
    assert "<img" not in text
    assert "secret" not in text
    assert str(root.id) not in text
    assert f'href="{base}/{below.id}"' in text
    deeper = client.get(f"{base}/{below.id}").content.decode()
    assert "below" in deeper
    assert HOSTILE not in deeper
    assert client.get(f"{base}/{root.id}").status_code == 404
    assert client.get(f"/public/{uuid4()}/r").status_code == 404
    sharing.unshare(acme, run.id)
    assert client.get(base).status_code == client.get(f"{base}/{below.id}").status_code == 404


def test_a_large_shared_trace_is_paged_with_its_total(acme, monkeypatch) -> None:
    monkeypatch.setattr(listing, "TRACE_ROWS", 3)
    project = ProjectFactory(workspace=acme)
    root = make_run(project, name="run 0")
    below = [
        make_run(project, name=f"run {n}", parent=root, start_time=NOON + timedelta(seconds=n))
        for n in range(1, 8)
    ]
    share = sharing.share(acme, root.id)
    assert share is not None
    client, base = Client(), f"/public/{share.token}/r"

    def told(query: str) -> tuple[list[str], str]:
        answer = client.get(f"{base}{query}")
        assert answer.status_code == 200
        shown = [branch.run.name for branch, _ in answer.context["branches"]]
        return shown, answer.content.decode()

    shown, text = told("")
    assert shown == ["run 0", "run 1", "run 2"]
    assert "Runs 1 to 3 of 8." in text
    assert 'href="?page=2"' in text
    shown, text = told("?page=2")
    assert shown == ["run 3", "run 4", "run 5"]
    assert f'href="{base}/{below[2].id}?page=2"' in text
    assert {branch.depth for branch, _ in client.get(f"{base}?page=2").context["branches"]} == {1}
    shown, text = told("?page=3")
    assert shown == ["run 6", "run 7"]
    assert "Later runs" not in text
    assert told("?page=9")[0] == []
    assert told("?page=x")[0] == told("")[0]
    monkeypatch.setattr(listing, "TRACE_ROWS", 500)
    assert "Runs 1 to" not in told("")[1]


def test_a_shared_thread_is_read_turn_by_turn_until_it_is_not_shared(acme) -> None:
    project = ProjectFactory(workspace=acme, name="secret project")
    turns = [
        make_run(
            project,
            name=f"turn {n}",
            start_time=NOON + timedelta(minutes=n),
            inputs={"question": f"why {n}? {HOSTILE}"},
            outputs={"answer": f"because {n}"},
            metadata={"thread_id": f"t {HOSTILE}"},
            error="boom" if n == 1 else None,
        )
        for n in range(2)
    ]
    below = make_run(project, name="model", parent=turns[0], run_type="llm", total_tokens=4321)
    other = make_run(project, name="secret", metadata={"thread_id": "other"})
    share = thread_sharing.share(project, f"t {HOSTILE}")
    assert share is not None
    client, base = Client(), f"/public/{share.token}/t"
    answer = client.get(base)
    text = answer.content.decode()
    assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("no-store", "noindex")
    assert (
        text.index("why 0?") < text.index("because 0") < text.index("why 1?") < text.index("boom")
    )
    assert "2 turns" in text
    assert "4,321 tokens" in text
    assert HOSTILE not in text
    assert "secret" not in text
    assert f'href="{base}/{turns[0].id}"' in text
    read = client.get(f"{base}/{below.id}").content.decode()
    assert "model" in read
    assert f'href="{base}"' in read
    assert f'href="{base}/{turns[0].id}"' in read
    assert "secret" not in read
    assert client.get(f"/public/{share.token}/r").headers["location"] == base
    assert client.get(f"{base}/{other.id}").status_code == 404
    assert client.get(f"/public/{uuid4()}/t").status_code == 404
    assert "beyond the last turn" in client.get(f"{base}?page=2").content.decode()
    thread_sharing.unshare(project, f"t {HOSTILE}")
    assert client.get(base).status_code == client.get(f"{base}/{below.id}").status_code == 404


def test_a_shared_thread_is_as_many_statements_however_long(
    acme, django_assert_max_num_queries
) -> None:
    project = ProjectFactory(workspace=acme)
    for n in range(30):
        turn = make_run(
            project, start_time=NOON + timedelta(minutes=n), metadata={"thread_id": "t"}
        )
        make_run(project, parent=turn, run_type="llm", total_tokens=1)
    share = thread_sharing.share(project, "t")
    assert share is not None
    with django_assert_max_num_queries(6):
        text = Client().get(f"/public/{share.token}/t").content.decode()
    assert 'href="?page=2"' in text


def test_a_shared_dataset_is_public_until_unshared(scene) -> None:
    share = dataset_sharing.share(scene.dataset)
    address = f"/public/{share.token}/d"
    text = Client().get(address).content.decode()
    assert scene.dataset.name in text
    assert Client().get(f"/public/{uuid4()}/d").status_code == 404
    dataset_sharing.unshare(scene.dataset)
    assert Client().get(address).status_code == 404


def test_a_manager_shares_a_run_by_a_button_and_ends_it(scene, ada, grace, as_user) -> None:
    run, client = scene.runs[0], as_user(ada)
    page, button = f"/w/acme/runs/{run.id}/", f"/w/acme/runs/{run.id}/share"
    assert "Share by link" in client.get(page).content.decode()
    assert client.post(button, {"action": "share"}).status_code == 302
    share = sharing.of_run(scene.workspace, run.id)
    assert share is not None
    text = client.get(page).content.decode()
    assert f"/public/{share.token}/r" in text
    assert "Stop sharing" in text
    viewer = as_user(grace)
    assert "Stop sharing" not in viewer.get(page).content.decode()
    assert viewer.post(button, {"action": "end"}).status_code == 403
    client.post(button, {"action": "end"})
    assert sharing.of_run(scene.workspace, run.id) is None
    assert client.post(f"/w/acme/runs/{uuid4()}/share").status_code == 404


def test_run_pages_show_the_totals_of_a_parent(acme, ada, as_user) -> None:
    project = ProjectFactory(workspace=acme, name="p")
    root = make_run(project, name="root")
    make_run(project, parent=root, run_type="llm", total_tokens=4321, total_cost="0.5")
    client = as_user(ada)
    listed = client.get(f"/w/acme/projects/{project.uuid}/").content.decode()
    read = client.get(f"/w/acme/runs/{root.id}/").content.decode()
    assert "4,321" in listed
    assert "4,321 tokens" in read
    assert "4321" in client.get(f"/w/acme/runs/{root.id}/?tab=metadata").content.decode()


def test_a_shared_tree_is_as_many_statements_however_large(
    acme, scene, django_assert_max_num_queries
) -> None:
    root = make_run(scene.project)
    for _ in range(15):
        make_run(scene.project, parent=root, start_time=timezone.now())
    share = sharing.share(acme, root.id)
    assert share is not None
    with django_assert_max_num_queries(14):
        assert Client().get(f"/public/{share.token}/r").status_code == 200


def test_scenes_are_shared_pages_too(acme, ada) -> None:
    """Every kind of run of a scene can be shown."""
    scene = scenes.build(acme, timezone.now(), n_items=2)
    for run in scene.project.runs.all():
        share = sharing.share(acme, run.id)
        assert share is not None
        assert Client().get(f"/public/{share.token}/r").status_code == 200
