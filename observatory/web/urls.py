"""The pages' URL table. Below /w/<workspace>/ the membership decides; see `http.require`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from observatory.web import (
    account,
    agreement,
    datasets,
    health,
    home,
    projects,
    queues,
    review,
    runs,
    settings,
)

# Below queues/<queue>/
bench: list[URLPattern | URLResolver] = [
    path("review/", review.review, name="review"),
    path("review/next", review.review_next, name="review-next"),
    path("items/<uuid:item_uuid>/context", review.review_context, name="review-context"),
    path("items/<uuid:item_uuid>/draft", review.review_draft, name="review-draft"),
    path("items/<uuid:item_uuid>/submit", review.review_submit, name="review-submit"),
    path("items/<uuid:item_uuid>/skip", review.review_skip, name="review-skip"),
    path("items/<uuid:item_uuid>/requeue", review.review_requeue, name="review-requeue"),
    path("items/<uuid:item_uuid>/heartbeat", review.review_heartbeat, name="review-heartbeat"),
    path("items/<uuid:item_uuid>/release", review.review_release, name="review-release"),
    path("items/<uuid:item_uuid>/diff", review.review_diff, name="review-diff"),
    path("reviews/<uuid:review_uuid>/undo", review.review_undo, name="review-undo"),
]

workspace: list[URLPattern | URLResolver] = [
    path("", home.workspace_home, name="workspace-home"),
    path("projects/", projects.project_list, name="project-list"),
    path("projects/<uuid:project_uuid>/", runs.run_list, name="run-list"),
    path("runs/<uuid:run_id>/", runs.run_detail, name="run-detail"),
    path("runs/<uuid:run_id>/queue", runs.run_enqueue, name="run-enqueue"),
    path("runs/<uuid:run_id>/fields/<slug:field>", runs.run_field, name="run-field"),
    path("queues/", queues.queue_list, name="queue-list"),
    path("queues/<uuid:queue_uuid>/", queues.queue_detail, name="queue-detail"),
    path("queues/<uuid:queue_uuid>/agreement/", agreement.agreement_page, name="agreement"),
    path(
        "queues/<uuid:queue_uuid>/items/<uuid:item_uuid>/", queues.item_detail, name="item-detail"
    ),
    path(
        "queues/<uuid:queue_uuid>/items/<uuid:item_uuid>/action",
        queues.item_action,
        name="item-action",
    ),
    path("queues/<uuid:queue_uuid>/", include(bench)),
    path("datasets/", datasets.dataset_list, name="dataset-list"),
    path("datasets/<uuid:dataset_uuid>/", datasets.dataset_detail, name="dataset-detail"),
    path("settings/", settings.profile, name="settings"),
    path("settings/keys/", settings.key_list, name="key-list"),
    path("settings/keys/mint", settings.key_mint, name="key-mint"),
    path("settings/keys/<uuid:key_uuid>/revoke", settings.key_revoke, name="key-revoke"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("healthz", health.healthz, name="healthz"),
    path("", account.landing, name="home"),
    path("accounts/login/", account.sign_in_page, name="login"),
    path("accounts/logout/", account.sign_out, name="logout"),
    path("w/<slug:slug>/", include(workspace)),
]
