"""Datasets, examples, experiments and comparisons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, field

from observatory.api.datasets.documents import Document, IsoTime
from observatory.api.kit import bodies
from observatory.api.kit.bodies import NOT_BLANK, Body, PageQuery, Query, UntaggedBody
from observatory.api.kit.members import Names
from observatory.api.kit.types import Object
from observatory.api.runs.schemas import Filter, Run

Kind = Literal["kv", "llm", "chat"]
AsOf = Annotated[str, Meta(description="A time, or the name of a tag; `latest` by default")]
Name = Annotated[str, Meta(pattern=NOT_BLANK, max_length=512)]
Label = Annotated[str, Meta(min_length=1, max_length=200)]


class DatasetFields(UntaggedBody):
    """The fields of a dataset that may be set."""

    description: Annotated[str, Meta(max_length=100_000)] | UnsetType | None = UNSET
    data_type: Kind | None = None
    inputs_schema_definition: Object | UnsetType | None = UNSET
    outputs_schema_definition: Object | UnsetType | None = UNSET
    transformations: list[Any] | UnsetType | None = UNSET
    metadata: Object | UnsetType | None = UNSET
    extra: Object | None = None
    is_externally_managed: bool | None = field(name="externally_managed", default=None)


class DatasetCreate(DatasetFields, kw_only=True):
    """A dataset to create."""

    name: Name
    id: UUID | None = None


class DatasetChange(DatasetFields):
    """Changes of a dataset. Absent keeps; null clears, except name, data_type and extra."""

    is_read_by_handler = True

    name: Name | None = None
    baseline_experiment_id: UUID | UnsetType | None = UNSET
    patch_examples: dict[str, ExampleChange] | None = None


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


class DatasetQuery(PageQuery):
    """Query parameters of GET /datasets."""

    id: list[UUID] = []
    name: str | None = None
    name_contains: str | None = None
    data_type: list[str] = []
    metadata: bodies.JSONText | None = None
    sort_by: str | None = None
    sort_by_desc: bool = True
    tag_value_id: list[str] = []


class DatasetClone(Body):
    """Examples to copy from one dataset into another."""

    source_dataset_id: UUID
    target_dataset_id: UUID
    as_of: AsOf | None = None
    split: str | list[str] | None = None
    examples: Annotated[list[UUID], Meta(max_length=50_000)] | None = None


class Version(TypedDict):
    """A version of a dataset: its time, and the tags that name it."""

    as_of: datetime
    tags: list[str] | None


class VersionQuery(PageQuery):
    """Query parameters of GET /datasets/{id}/versions."""

    search: str = ""
    example: UUID | None = None


class VersionAtQuery(Query):
    """Query parameters of GET /datasets/{id}/version. `tag` takes precedence."""

    as_of: AsOf | None = None
    tag: str | None = None


class AsOfQuery(Query):
    """Query parameters of a read at a version."""

    as_of: AsOf | None = None


class FileQuery(AsOfQuery):
    """Query parameters of GET /datasets/{id}/csv and its siblings.

    `spreadsheet`: whether a CSV cell that could run as a formula begins with an apostrophe.
    """

    spreadsheet: bool = False


class DiffQuery(Query):
    """Query parameters of GET /datasets/{id}/versions/diff."""

    from_version: AsOf
    to_version: AsOf


class Diff(TypedDict):
    """The examples that differ between two versions."""

    examples_added: list[UUID]
    examples_modified: list[UUID]
    examples_removed: list[UUID]


class TagMove(Body):
    """A tag, and the version that it is to name."""

    tag: Label
    as_of: AsOf | None = None


class SplitChange(Body):
    """Examples to put into a split, or to remove from it."""

    split_name: Label
    examples: list[UUID]
    remove: bool | None = None


class Share(TypedDict):
    """A shared dataset, and the token that opens it."""

    dataset_id: UUID
    share_token: UUID


class ShareQuery(Query):
    """Query parameters of PUT /datasets/{id}/share."""

    share_projects: bool = True


class ExampleFields(Body):
    """The content of an example. Null and absent keep what is stored."""

    is_read_by_handler = True

    inputs: Document | None = None
    outputs: Document | None = None
    metadata: Object | None = None
    split: str | list[str] | None = None


class ExampleContent(ExampleFields):
    """An example to create in a dataset that the request names elsewhere."""

    id: UUID | None = None
    source_run_id: UUID | None = None
    use_source_run_io: bool | None = None
    use_source_run_attachments: Names | None = None
    created_at: IsoTime | None = None


class ExampleCreate(ExampleContent, kw_only=True):
    """An example to create."""

    dataset_id: UUID


class AttachmentOperations(Struct):
    """What happens to the files of an example: new names by old ones, and the names to keep."""

    rename: dict[str, str] | None = None
    retain: list[str] | None = None


class ExampleChange(ExampleFields):
    """Changes of an example."""

    attachments_operations: AttachmentOperations | None = None


class ExampleUpdate(ExampleChange):
    """Changes of an example in the dataset of the path; `dataset_id` may repeat it."""

    dataset_id: UUID | None = None


class ExampleBulkChange(ExampleChange, kw_only=True):
    """Changes of one example of many."""

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


ExampleField = Literal[
    "id", "created_at", "modified_at", "name", "dataset_id", "inputs", "outputs", "metadata",
    "source_run_id", "attachment_urls",
]  # fmt: skip


class ExampleFilterQuery(AsOfQuery):
    """Query parameters of GET /public/{token}/examples/count."""

    id: list[UUID] = []
    splits: list[str] = []
    metadata: bodies.JSONText | None = None
    full_text_contains: list[str] = []


class SharedExampleQuery(ExampleFilterQuery):
    """Query parameters of GET /public/{token}/examples."""

    limit: bodies.Limit = 100
    offset: bodies.Offset = 0


class ExampleCountQuery(ExampleFilterQuery):
    """Query parameters of GET /examples/count."""

    dataset: UUID | None = None
    filter: Filter | None = None


class ExampleQuery(ExampleCountQuery):
    """Query parameters of GET /examples. `descending` does not apply to the random order."""

    order: Literal["recently_created", "recent", "random", "id"] = "recently_created"
    descending: bool = True
    random_seed: str = ""
    select: list[ExampleField] = []
    exclude_default_fields: bool = False
    limit: bodies.Limit = 100
    offset: bodies.Offset = 0


class ExamplesNamed(Query):
    """Query parameters of DELETE /examples."""

    example_ids: Annotated[list[UUID], Meta(min_length=1)]


class ExamplesErased(TypedDict):
    """The examples that were deleted."""

    count: int
    example_ids: list[UUID]


class ExamplesWritten(ExamplesErased):
    """The examples that were written, and the version that shows them."""

    as_of: datetime | None


class ExamplesErase(Body):
    """Examples to delete; with `hard_delete`, from every version."""

    example_ids: Annotated[list[UUID], Meta(min_length=1)]
    hard_delete: bool | None = None


class MetadataOperation(Struct):
    """One change of metadata: SET takes `value`, the array operations take `values`."""

    key: Annotated[str, Meta(min_length=1, max_length=255)]
    operation: Literal["SET", "ARRAY_ADD", "ARRAY_REMOVE", "set", "array_add", "array_remove"]
    value: Any = None
    values: Annotated[list[str], Meta(max_length=1_000)] | None = None


class MetadataChanges(Body):
    """Changes of the metadata of many examples, in order."""

    example_ids: Annotated[list[UUID], Meta(min_length=1, max_length=10_000)]
    operations: Annotated[list[MetadataOperation], Meta(min_length=1, max_length=50)]


class MetadataStatus(TypedDict):
    """The result for one example."""

    id: str
    status: Literal["UPDATED", "NOT_FOUND"]
    description: NotRequired[str]


class MetadataStatuses(TypedDict):
    """The result for each example, in the order of the request."""

    statuses: list[MetadataStatus]


class Valid(TypedDict):
    """The example fits the schemas of its dataset."""

    valid: bool


class Sorting(Struct):
    """What to sort examples by, and in which direction."""

    sort_by: str | None = None
    sort_order: Literal["ASC", "DESC", "asc", "desc"] | None = None


class ExperimentRunsQuery(Body):
    """Which runs of which experiments to list by example."""

    session_ids: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
    filters: dict[UUID, list[Filter]] | None = None
    example_ids: Annotated[list[UUID], Meta(min_length=1, max_length=1_000)] | None = None
    sort_params: Sorting | None = None
    comparative_experiment_id: UUID | None = None
    preview: bool | None = None
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] | None = None


class FormatQuery(Query):
    """Query parameters of POST /datasets/{id}/runs.

    `spreadsheet`: whether a CSV cell that could run as a formula begins with an apostrophe.
    """

    format: Literal["csv"] | None = None
    spreadsheet: bool = True


class ExampleWithRuns(Example):
    """An example with the runs of the experiments on it."""

    runs: list[Run]
    inputs_preview: NotRequired[str | None]
    outputs_preview: NotRequired[str | None]


class ComparisonCreate(Body):
    """Experiments of one dataset to compare."""

    reference_dataset_id: UUID
    experiment_ids: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
    id: UUID | None = None
    name: Annotated[str, Meta(max_length=512)] | None = None
    description: Annotated[str, Meta(max_length=65_536)] | None = None
    extra: Object | None = None
    created_at: bodies.Moment | None = None


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


class ComparisonQuery(PageQuery):
    """Query parameters of GET /datasets/{id}/comparative."""

    id: list[UUID] = []
    name: str | None = None
    name_contains: str | None = None


class SharedSessionQuery(PageQuery):
    """Query parameters of GET /public/{token}/datasets/sessions."""

    id: list[UUID] = []
    name: str | None = None
    name_contains: str | None = None


class ExamplesChanged(TypedDict):
    """How many examples were changed."""

    message: str
    count: int


class SharedFeedbackQuery(PageQuery):
    """Query parameters of GET /public/{token}/datasets/feedback."""

    run: list[UUID] = []
    session: list[UUID] = []
    key: list[str] = []


class SharedSessionsQuery(Query):
    """Query parameters of GET /public/datasets/sessions-bulk."""

    share_tokens: Annotated[list[UUID], Meta(min_length=1, max_length=20)]
