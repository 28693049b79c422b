"""Variants that break the promises on rendering and exports (R1 to R5)."""

from tests.teeth import Variant

VARIANTS = [
    Variant(
        promise="R1",
        breaks="text of a model stands in the page as HTML",
        file="observatory/web/rendering.py",
        old="return mark_safe(_show_hidden(escape(_mark_hidden(text))))",
        new="return mark_safe(_show_hidden(_mark_hidden(text)))",
        tests=("tests/web/test_rendering.py",),
    ),
    Variant(
        promise="R1",
        breaks="pages are sent without a content security policy",
        file="observatory/settings.py",
        old='    "csp.middleware.CSPMiddleware",\n',
        new="",
        tests=("tests/web/test_sign_in.py",),
    ),
    Variant(
        promise="R2",
        breaks="a formula in full-width characters is not guarded",
        file="observatory/csv_lines.py",
        old='unicodedata.normalize("NFKC", letter)[0] in FORMULA',
        new="letter in FORMULA",
        tests=("tests/test_csv_lines.py",),
    ),
    Variant(
        promise="R2",
        breaks="the CSV of experiments runs formulas",
        file="observatory/api/datasets/experiments.py",
        old="is_guarded=query.spreadsheet",
        new="is_guarded=False",
        tests=("tests/api/test_experiments.py",),
    ),
    Variant(
        promise="R2",
        breaks="the CSV of a queue runs formulas",
        file="observatory/api/queues/export.py",
        old="is_guarded = body.spreadsheet is not False",
        new="is_guarded=False",
        tests=("tests/api/test_queue_items.py",),
    ),
    Variant(
        promise="R3",
        breaks="a browser shows an attachment instead of saving it",
        file="observatory/api/kit/stored_files.py",
        old="as_attachment=not is_inline",
        new="as_attachment=False",
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="R4",
        breaks="an attachment is stored under the name that its sender chose",
        file="observatory/runs/attachments.py",
        old='f"{uuid[:2]}/{uuid}"',
        new='f"{uuid[:2]}/{name}"',
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="R5",
        breaks="a list of large documents is read as a whole before its first byte is sent",
        file="observatory/runs/paging.py",
        old="CHUNK_BYTES: Final = 4 << 20",
        new="CHUNK_BYTES: Final = 4 << 40",
        tests=("tests/api/test_large_lists.py",),
    ),
    Variant(
        promise="R5",
        breaks="the export of a queue is built in memory before its first byte is sent",
        file="observatory/api/queues/export.py",
        old='answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")',
        new=(
            "from django.http import HttpResponse\n\n"
            '        answer = HttpResponse(b"".join(lines), content_type="text/csv; charset=utf-8")'
        ),
        tests=("tests/api/test_queue_items.py",),
    ),
]
