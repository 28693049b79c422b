"""The pages' URLs. Below /w/<workspace>/ the membership decides; see `http.require`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from observatory.web import (
    account,
    agreement,
    compare,
    datasets,
    health,
    home,
    judges,
    links,
    projects,
    prompts,
    quality,
    queues,
    review,
    runs,
    security,
    settings,
    shared,
    taxonomies,
    trends,
)

# Below queues/<queue>/
workbench: list[URLPattern | URLResolver] = [
    path("review/", review.review, name="review"),
    path("review/next", review.review_next, name="review-next"),
    path("items/<uuid:item_uuid>/context", review.review_context, name="review-context"),
    path("items/<uuid:item_uuid>/draft", review.review_draft, name="review-draft"),
    path("items/<uuid:item_uuid>/submit", review.review_submit, name="review-submit"),
    path("items/<uuid:item_uuid>/skip", review.review_skip, name="review-skip"),
    path("items/<uuid:item_uuid>/requeue", review.review_requeue, name="review-requeue"),
    path("items/<uuid:item_uuid>/back", review.review_back, name="review-back"),
    path("items/<uuid:item_uuid>/heartbeat", review.review_heartbeat, name="review-heartbeat"),
    path("items/<uuid:item_uuid>/release", review.review_release, name="review-release"),
    path("items/<uuid:item_uuid>/diff", review.review_diff, name="review-diff"),
    path("reviews/<uuid:review_uuid>/undo", review.review_undo, name="review-undo"),
]

workspace: list[URLPattern | URLResolver] = [
    path("", home.workspace_home, name="workspace-home"),
    path("projects/", projects.project_list, name="project-list"),
    path("projects/<uuid:project_uuid>/", runs.run_list, name="run-list"),
    path("trends/", trends.trend_page, name="trends"),
    path("runs/<uuid:run_id>/", runs.run_detail, name="run-detail"),
    path("runs/<uuid:run_id>/queue", runs.run_enqueue, name="run-enqueue"),
    path("runs/<uuid:run_id>/share", shared.run_share, name="run-share-link"),
    path("runs/<uuid:run_id>/fields/<slug:field>", runs.run_field, name="run-field"),
    path("queues/", queues.queue_list, name="queue-list"),
    path("queues/<uuid:queue_uuid>/", queues.queue_detail, name="queue-detail"),
    path("queues/<uuid:queue_uuid>/agreement/", agreement.agreement_page, name="agreement"),
    path("queues/<uuid:queue_uuid>/judges/", judges.judges_page, name="judges"),
    path("queues/<uuid:queue_uuid>/agreement.csv", agreement.agreement_file, name="agreement-file"),
    path("queues/<uuid:queue_uuid>/quality/", quality.quality_page, name="quality"),
    path(
        "queues/<uuid:queue_uuid>/items/<uuid:item_uuid>/gold",
        quality.item_gold,
        name="item-gold",
    ),
    path(
        "queues/<uuid:queue_uuid>/items/<uuid:item_uuid>/", queues.item_detail, name="item-detail"
    ),
    path(
        "queues/<uuid:queue_uuid>/items/<uuid:item_uuid>/action",
        queues.item_action,
        name="item-action",
    ),
    path("queues/<uuid:queue_uuid>/", include(workbench)),
    path("datasets/", datasets.dataset_list, name="dataset-list"),
    path("datasets/<uuid:dataset_uuid>/", datasets.dataset_detail, name="dataset-detail"),
    path("datasets/<uuid:dataset_uuid>/compare/", compare.compare, name="compare"),
    path("prompts/", prompts.prompt_list, name="prompt-list"),
    path("prompts/<str:handle>/", prompts.prompt, name="prompt"),
    path("prompts/<str:handle>/<str:commit>/", prompts.prompt, name="prompt-commit"),
    path("settings/", settings.profile, name="settings"),
    path("settings/feedback/", taxonomies.taxonomy_page, name="taxonomies"),
    path("settings/security/", security.security, name="security"),
    path("settings/security/password", security.password_change, name="password-change"),
    path("settings/security/end", security.session_end_all, name="session-end-all"),
    path("settings/security/<uuid:session_uuid>/end", security.session_end, name="session-end"),
    path("settings/keys/", settings.key_list, name="key-list"),
    path("settings/keys/mint", settings.key_mint, name="key-mint"),
    path("settings/keys/<uuid:key_uuid>/revoke", settings.key_revoke, name="key-revoke"),
]

# Below o/<tenant>/, as the SDKs spell it: without a slash at the end.
tenant: list[URLPattern | URLResolver] = [
    path("", links.to_workspace, name="to-workspace"),
    path("projects", links.to_projects, name="to-projects"),
    path("projects/p/<uuid:project_uuid>", links.to_project, name="to-project"),
    path("projects/p/<uuid:project_uuid>/r/<uuid:run_id>", links.to_run, name="to-run"),
    path("datasets", links.to_datasets, name="to-datasets"),
    path("datasets/<uuid:dataset_uuid>", links.to_dataset, name="to-dataset"),
    path("datasets/<uuid:dataset_uuid>/compare", links.to_compare, name="to-compare"),
    path("datasets/<uuid:dataset_uuid>/e/<uuid:example_uuid>", links.to_example, name="to-example"),
]
elsewhere: list[URLPattern | URLResolver] = [
    path("o/<uuid:tenant>/", include(tenant)),
    path("public/<uuid:token>/r", shared.shared_run, name="shared-run-page"),
    path("public/<uuid:token>/r/<uuid:run_id>", shared.shared_run, name="shared-run-below"),
    path("public/<uuid:token>/t", shared.shared_thread, name="shared-thread-page"),
    path("public/<uuid:token>/t/<uuid:run_id>", shared.shared_thread_run, name="shared-thread-run"),
    path("public/<uuid:token>/d", shared.shared_dataset, name="shared-dataset-page"),
    path("prompts/<str:handle>", links.to_prompt, name="to-prompt"),
    path("prompts/<str:handle>/<str:commit>", links.to_prompt, name="to-prompt-commit"),
    path("hub/<str:owner>/<str:handle>:<str:commit>", links.to_prompt, name="to-hub-commit"),
    path("hub/<str:owner>/<str:handle>/<str:commit>", links.to_prompt, name="to-hub-hash"),
    path("hub/<str:owner>/<str:handle>", links.to_prompt, name="to-hub"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("healthz", health.healthz, name="healthz"),
    path("favicon.ico", account.favicon, name="favicon"),
    path("", account.landing, name="home"),
    path("accounts/login/", account.sign_in_page, name="login"),
    path("accounts/logout/", account.sign_out, name="logout"),
    path("w/<slug:slug>/", include(workspace)),
    *elsewhere,
]
