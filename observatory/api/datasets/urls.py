"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.datasets import (
    datasets,
    detail,
    example_files,
    example_uploads,
    examples,
    experiments,
    files,
    sharing,
    uploads,
)
from observatory.api.kit.paths import UUID, at

v1: list[URLPattern | URLResolver] = [
    at("datasets", datasets.Datasets, "datasets"),
    at("datasets/upload", uploads.DatasetUpload, "dataset-upload"),
    at("datasets/clone", files.DatasetClone, "dataset-clone"),
    at("datasets/comparative", experiments.Comparisons, "comparisons"),
    at(
        "datasets/comparative/(?P<comparison_id>[^/]+)",
        experiments.ComparisonDetail,
        "comparison-detail",
    ),
    at("datasets/(?P<dataset_id>[^/]+)", detail.DatasetDetail, "dataset-detail"),
    at("datasets/(?P<dataset_id>[^/]+)/index", detail.DatasetIndex, "dataset-index"),
    at("datasets/(?P<dataset_id>[^/]+)/index/sync", detail.DatasetIndex, "dataset-sync"),
    at("datasets/(?P<dataset_id>[^/]+)/search", detail.DatasetIndex, "dataset-search"),
    at("datasets/(?P<dataset_id>[^/]+)/runs", experiments.DatasetRuns, "dataset-runs"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/comparative",
        experiments.DatasetComparisons,
        "dataset-comparisons",
    ),
    at("datasets/(?P<dataset_id>[^/]+)/versions", datasets.DatasetVersions, "dataset-versions"),
    at("datasets/(?P<dataset_id>[^/]+)/versions/diff", datasets.DatasetDiff, "dataset-diff"),
    at("datasets/(?P<dataset_id>[^/]+)/version", datasets.DatasetVersionAt, "dataset-version"),
    at("datasets/(?P<dataset_id>[^/]+)/tags", datasets.DatasetTags, "dataset-tags"),
    at("datasets/(?P<dataset_id>[^/]+)/splits", datasets.DatasetSplits, "dataset-splits"),
    at("datasets/(?P<dataset_id>[^/]+)/share", sharing.DatasetSharing, "dataset-share"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/(?P<form>csv|jsonl|openai|openai_ft)",
        files.DatasetFile,
        "dataset-file",
    ),
    at(f"public/(?P<token>{UUID})/datasets", sharing.SharedDataset, "shared-dataset"),
    at(f"public/(?P<token>{UUID})/examples", sharing.SharedExamples, "shared-examples"),
    at(
        f"public/(?P<token>{UUID})/examples/count",
        sharing.SharedExampleCount,
        "shared-example-count",
    ),
    at(
        f"public/(?P<token>{UUID})/datasets/sessions",
        sharing.SharedSessions,
        "shared-sessions",
    ),
    at(
        f"public/(?P<token>{UUID})/datasets/comparative",
        sharing.SharedComparisons,
        "shared-comparisons",
    ),
    at(
        f"public/(?P<token>{UUID})/datasets/feedback",
        sharing.SharedFeedback,
        "shared-dataset-feedback",
    ),
    at(
        "public/datasets/sessions-bulk",
        sharing.SharedSessionsBulk,
        "shared-sessions-bulk",
    ),
    at(
        r"public/schemas/v1/(?P<name>message|tooldef)\.json",
        sharing.PrebuiltSchema,
        "prebuilt-schema",
    ),
    at("examples", examples.Examples, "examples"),
    at(
        "example-attachments/(?P<token>[A-Za-z0-9_:.-]+)",
        example_files.SignedExampleFile,
        "example-attachment",
    ),
    at("examples/validate(?:/(?P<bulk>bulk))?", examples.ExampleValidation, "example-validation"),
    at("examples/upload/(?P<dataset_id>[^/]+)", uploads.ExampleUpload, "example-upload"),
    at("examples/bulk", examples.ExampleBulk, "example-bulk"),
    at("examples/count", examples.ExampleCount, "example-count"),
    at("examples/(?P<example_id>[^/]+)", examples.ExampleDetail, "example-detail"),
]

platform: list[URLPattern | URLResolver] = [
    at("datasets/examples/delete", examples.ExamplesErase, "examples-erase"),
    at("datasets/(?P<dataset_id>[^/]+)/examples", example_uploads.DatasetExamples, "examples"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/examples/metadata",
        detail.DatasetExampleMetadata,
        "dataset-example-metadata",
    ),
    at(
        "datasets/(?P<dataset_id>[^/]+)/examples/(?P<example_id>[^/]+)",
        detail.DatasetExample,
        "dataset-example",
    ),
    at("examples/multipart", example_uploads.ExamplesUpsert, "examples-upsert"),
]
