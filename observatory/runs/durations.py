"""The durations of a run in SQL, in seconds: null where they are unknown or impossible.

A sender's clocks may disagree, so that a run ends, or has its first token, before it starts. The
times are stored as they were sent, but their negative difference is not a duration and must not
reach a percentile, a filter or a page.
"""

from __future__ import annotations

from typing import Final

LATENCY: Final = "(CASE WHEN {r}.latency_s >= 0 THEN {r}.latency_s END)"
"""From the start to the end of the run `{r}`."""
UNTIL_FIRST: Final = (
    "(CASE WHEN {r}.first_token_time >= {r}.start_time"
    " THEN extract(epoch from ({r}.first_token_time - {r}.start_time))::float8 END)"
)
"""From the start of the run `{r}` to its first token."""
