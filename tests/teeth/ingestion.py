"""Variants that break the promises on ingestion (A1 to A7)."""

from tests.teeth import Variant

VARIANTS = [
    Variant(
        promise="A1",
        breaks="a database that may lose acknowledged commits counts as ready",
        file="observatory/web/health.py",
        old='MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")',
        new='MUST_BE_ON = ("fsync", "full_page_writes")',
        tests=("tests/web/test_health.py",),
    ),
    Variant(
        promise="A2",
        breaks="a patch that arrives before its create is erased by the create's nulls",
        file="observatory/runs/ingest.py",
        old='f"CASE {first}WHEN {no_new} THEN {old} WHEN {no_old} THEN {new}"',
        new='f"CASE {first}WHEN {no_new} THEN {new} WHEN {no_old} THEN {new}"',
        tests=("tests/runs/test_merge.py",),
    ),
    Variant(
        promise="A3",
        breaks="one run that PostgreSQL refuses costs its whole batch",
        file="observatory/runs/ingest.py",
        old="            mode = Mode.ONE_BY_ONE\n",
        new="            raise\n",
        tests=("tests/runs/test_ingest.py",),
    ),
    Variant(
        promise="A3",
        breaks="a run with an unknown project costs its whole batch",
        file="observatory/runs/ingest.py",
        old='            stored.rejected.append(_rejection(op, "unknown_session", reason))\n',
        new="            raise ValueError(reason)\n",
        tests=("tests/runs/test_ingest.py",),
    ),
    Variant(
        promise="A4",
        breaks="the 503 of an outage names no time after which to try again",
        file="observatory/api/kit/errors.py",
        old='        headers={"Retry-After": str(RETRY_AFTER_S)},\n',
        new="",
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="A5",
        breaks="a compressed body may grow to any size",
        file="observatory/api/kit/body.py",
        old='            raise TooLarge(f"The body may have {limit} bytes when decompressed")\n',
        new="            pass\n",
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="A5",
        breaks="a zstd frame may ask for a window of any size",
        file="observatory/api/kit/body.py",
        old="zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)",
        new="zstandard.ZstdDecompressor(max_window_size=1 << 31)",
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="A6",
        breaks="a run is acknowledged first and stored a moment later",
        file="observatory/api/runs/ingest.py",
        old="            rejected = ingest.transact(lambda mode: self._store(batch, saved, mode))\n",
        new=(
            "            import threading\n\n"
            "            rejected = []\n"
            "            threading.Timer(1, lambda: ingest.transact("
            "lambda mode: self._store(batch, saved, mode))).start()\n"
        ),
        tests=("tests/api/test_ingest.py",),
    ),
    Variant(
        promise="A7",
        breaks="a fraction that a double rounds comes back rounded",
        file="observatory/exact.py",
        old="    if repr(value) == digits:\n        return value\n",
        new="    return value\n",
        tests=("tests/test_exact.py",),
    ),
    Variant(
        promise="A7",
        breaks="an integer past 64 bits comes back as a double",
        file="observatory/exact.py",
        old="        return Fragment(str(value))\n",
        new="        return float(value)\n",
        tests=("tests/test_exact.py",),
    ),
]
