"""Datasets, examples, experiments and comparisons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.types import JSONText, Moment, Object, PageQuery
from observatory.api.runs.schemas import Filter, Run

Kind = Literal["kv", "llm", "chat"]
AsOf = Annotated[str, Meta(description="A time, or the name of a tag; `latest` by default")]
Name = Annotated[str, Meta(min_length=1, max_length=512)]


class DatasetFields(TypedDict, total=False):
    """What a dataset may say of itself. Null and absent keep."""

    description: str | None
    data_type: Kind | None
    inputs_schema_definition: Object | None
    outputs_schema_definition: Object | None
    transformations: list[Any] | None
    metadata: Object | None
    extra: Object | None
    externally_managed: bool | None


class DatasetCreate(DatasetFields):
    """A dataset to make."""

    name: Name
    id: NotRequired[UUID | None]


class DatasetChange(DatasetFields):
    """What to change of a dataset. Absent keeps; null takes away, but for name and data_type."""

    name: NotRequired[Name | None]
    baseline_experiment_id: NotRequired[UUID | None]
    patch_examples: NotRequired[dict[str, ExampleChange] | None]


class DatasetHead(TypedDict):
    """A dataset, but for the count of its examples."""

    id: UUID
    tenant_id: UUID
    name: str
    description: str | None
    data_type: str
    created_at: datetime
    modified_at: datetime | None
    session_count: int
    last_session_start_time: datetime | None
    inputs_schema_definition: Object | None
    outputs_schema_definition: Object | None
    transformations: list[Any] | None
    metadata: Object | None
    extra: Object | None
    externally_managed: bool
    baseline_experiment_id: UUID | None


class Dataset(DatasetHead):
    """A dataset."""

    example_count: int


class DatasetQuery(PageQuery, total=False):
    """Which datasets are meant."""

    id: list[UUID]
    name: str
    name_contains: str
    data_type: list[str]
    metadata: JSONText
    sort_by: str
    sort_by_desc: bool
    tag_value_id: list[UUID]


class DatasetClone(TypedDict):
    """Examples to copy from one dataset into another."""

    source_dataset_id: UUID
    target_dataset_id: UUID
    as_of: NotRequired[AsOf | None]
    split: NotRequired[str | list[str] | None]
    examples: NotRequired[list[UUID] | None]


class Version(TypedDict):
    """A version of a dataset: a moment, and the tags that name it."""

    as_of: datetime
    tags: list[str] | None


class VersionQuery(PageQuery, total=False):
    """Which versions are meant."""

    search: str
    example: UUID


class VersionAtQuery(TypedDict, total=False):
    """The version of a tag or of a time."""

    as_of: AsOf
    tag: str


class AsOfQuery(TypedDict, total=False):
    """When."""

    as_of: AsOf


class FileQuery(AsOfQuery, total=False):
    """When, and whether for a spreadsheet: with an apostrophe before what is like a formula."""

    spreadsheet: bool


class DiffQuery(TypedDict):
    """Between which versions."""

    from_version: AsOf
    to_version: AsOf


class Diff(TypedDict):
    """The examples that differ between two versions."""

    examples_added: list[UUID]
    examples_modified: list[UUID]
    examples_removed: list[UUID]


class TagMove(TypedDict):
    """A tag, and the version it is to name."""

    tag: Annotated[str, Meta(min_length=1, max_length=200)]
    as_of: NotRequired[AsOf | None]


class SplitChange(TypedDict):
    """Examples to put into a split, or to take out."""

    split_name: Annotated[str, Meta(min_length=1, max_length=200)]
    examples: list[UUID]
    remove: NotRequired[bool | None]


class Share(TypedDict):
    """What is shared, and the token that opens it."""

    dataset_id: UUID
    share_token: UUID


class ShareQuery(TypedDict, total=False):
    """Whether the experiments are shared too."""

    share_projects: bool


class ExampleFields(TypedDict, total=False):
    """What an example holds. Null and absent keep."""

    inputs: Object | None
    outputs: Object | None
    metadata: Object | None
    split: str | list[str] | None


class ExampleCreate(ExampleFields):
    """An example to make."""

    dataset_id: UUID
    id: NotRequired[UUID | None]
    source_run_id: NotRequired[UUID | None]
    use_source_run_io: NotRequired[bool | None]
    use_source_run_attachments: NotRequired[list[str] | None]
    created_at: NotRequired[datetime | None]


class AttachmentOperations(TypedDict, total=False):
    """What happens to the files that an example has."""

    rename: dict[str, str] | None
    retain: list[str] | None


class ExampleChange(ExampleFields):
    """What to change of an example."""

    attachments_operations: NotRequired[AttachmentOperations | None]


class ExampleBulkChange(ExampleChange):
    """What to change of which example."""

    id: UUID


class Example(TypedDict):
    """An example at one version."""

    id: UUID
    dataset_id: UUID
    name: str
    inputs: Object | None
    outputs: Object | None
    metadata: Object | None
    created_at: datetime
    modified_at: datetime | None
    source_run_id: UUID | None
    attachment_urls: NotRequired[Object | None]


class ExampleCountQuery(TypedDict, total=False):
    """Which examples are meant."""

    dataset: UUID
    as_of: AsOf
    id: list[UUID]
    splits: list[str]
    metadata: JSONText
    filter: Filter
    full_text_contains: list[str]


class ExampleQuery(PageQuery, ExampleCountQuery, total=False):
    """Which examples, and in what order."""

    order: Literal["recently_created", "random", "id"]
    descending: bool
    random_seed: str
    select: list[str]


class ExamplesNamed(TypedDict):
    """The examples to delete."""

    example_ids: list[UUID]


class ExamplesErased(TypedDict):
    """The examples that were deleted."""

    count: int
    example_ids: list[UUID]


class ExamplesWritten(ExamplesErased):
    """The examples that were written, and the version that shows them."""

    as_of: datetime | None


class ExamplesErase(TypedDict):
    """The examples to delete; `hard_delete` from every version."""

    example_ids: Annotated[list[UUID], Meta(min_length=1)]
    hard_delete: NotRequired[bool | None]


class MetadataOperation(TypedDict):
    """One change of metadata: SET takes `value`, the array operations take `values`."""

    key: Annotated[str, Meta(min_length=1, max_length=255)]
    operation: Literal["SET", "ARRAY_ADD", "ARRAY_REMOVE", "set", "array_add", "array_remove"]
    value: NotRequired[Any]
    values: NotRequired[list[str]]


class MetadataChanges(TypedDict):
    """Changes of the metadata of many examples, in order."""

    example_ids: Annotated[list[UUID], Meta(min_length=1, max_length=10_000)]
    operations: Annotated[list[MetadataOperation], Meta(min_length=1, max_length=50)]


class MetadataStatus(TypedDict):
    """What came of one example."""

    id: str
    status: Literal["UPDATED", "NOT_FOUND"]
    description: NotRequired[str]


class MetadataStatuses(TypedDict):
    """One for each example asked for, in that order."""

    statuses: list[MetadataStatus]


class Valid(TypedDict):
    """It would fit."""

    valid: bool


class SharedExampleQuery(PageQuery, total=False):
    """Which examples of what is shared."""

    as_of: AsOf
    id: list[UUID]
    splits: list[str]
    metadata: JSONText
    full_text_contains: list[str]


class Sorting(TypedDict, total=False):
    """By what, and in which order."""

    sort_by: str | None
    sort_order: Literal["ASC", "DESC"] | None


class ExperimentRunsQuery(TypedDict):
    """The experiments to show by example."""

    session_ids: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
    filters: NotRequired[dict[str, list[Filter]] | None]
    example_ids: NotRequired[Annotated[list[UUID], Meta(min_length=1, max_length=1_000)] | None]
    sort_params: NotRequired[Sorting | None]
    comparative_experiment_id: NotRequired[UUID | None]
    preview: NotRequired[bool | None]
    offset: NotRequired[Annotated[int, Meta(ge=0, le=10_000_000)] | None]
    limit: NotRequired[Annotated[int, Meta(ge=1, le=100)] | None]


class FormatQuery(TypedDict, total=False):
    """As a file, and whether for a spreadsheet, which is so unless it says false."""

    format: Literal["csv"]
    spreadsheet: bool


class ExampleWithRuns(Example):
    """An example with the runs of the experiments on it."""

    runs: list[Run]
    inputs_preview: NotRequired[str | None]
    outputs_preview: NotRequired[str | None]


class ComparisonCreate(TypedDict):
    """Experiments to compare."""

    reference_dataset_id: UUID
    experiment_ids: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
    id: NotRequired[UUID | None]
    name: NotRequired[str | None]
    description: NotRequired[str | None]
    extra: NotRequired[Object | None]
    created_at: NotRequired[Moment | None]


class Compared(TypedDict):
    """One of the experiments of a comparison."""

    id: UUID
    name: str


class Comparison(TypedDict):
    """Experiments compared."""

    id: UUID
    tenant_id: UUID
    name: str | None
    description: str | None
    created_at: datetime
    modified_at: datetime
    reference_dataset_id: UUID
    extra: Object | None
    experiments_info: list[Compared]
    feedback_stats: Object


class ComparisonQuery(PageQuery, total=False):
    """Which comparisons are meant."""

    id: list[UUID]
    name: str
    name_contains: str


class SharedSessionQuery(PageQuery, total=False):
    """Which experiments of what is shared."""

    id: list[UUID]
    name: str
    name_contains: str


class ExamplesChanged(TypedDict):
    """How many examples were changed."""

    message: str
    count: int


class SharedFeedbackQuery(PageQuery, total=False):
    """Which feedback of what is shared."""

    run: list[UUID]
    session: list[UUID]
    key: list[str]


class SharedSessionsQuery(TypedDict):
    """The tokens of what is shared."""

    share_tokens: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
