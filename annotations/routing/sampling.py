"""Arithmetic: who is sampled, and with what probability an item came into its queue.

The draw of a rule on a run is a fixed number, so that the same rule gives the same answer on
every replay, in Python and in SQL, today and in ten years. Published vectors (see the tests):

    rule 00000000-0000-0000-0000-000000000000, run 00000000-0000-0000-0000-000000000000:
        0.40003172633476924
    rule 11111111-2222-3333-4444-555555555555, run 66666666-7777-8888-9999-aaaaaaaaaaaa:
        0.07642596703864313
    rule 8f14e45f-ceea-467f-9d5f-1e0f8a3c2b10, run 6b86b273-ff34-4ce1-9d6b-804eff5a3f57:
        0.21236336810359346
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from uuid import UUID

DRAW_BITS = 52  # what a double holds exactly below 1
_UNIT = float(1 << DRAW_BITS)

# The same draw in SQL, of the uuid parameter and the uuid column it is formatted with:
# 13 hexadecimal digits are 52 bits.
DRAW_SQL = (
    "(('x' || left(encode(sha256(uuid_send({rule}::uuid) || uuid_send({run})), 'hex'), 13))"
    f"::bit(52)::bigint::double precision / {1 << DRAW_BITS}::double precision)"
)


def draw(rule_id: UUID, run_id: UUID) -> float:
    """Return the draw of a rule on a run: uniform in [0, 1), always the same.

    It is the first 52 bits of SHA-256 over the 16 bytes of the rule's id and the 16 of the run's,
    divided by 2^52. Draws of two rules on one run are independent.
    """
    digest = hashlib.sha256(rule_id.bytes + run_id.bytes).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - DRAW_BITS)) / _UNIT


def is_selected(rule_id: UUID, run_id: UUID, sampling_rate: float) -> bool:
    """Return whether the rule selects the run: rate 0 selects none, rate 1 every one.

    `sampling_rate` is a fraction in [0, 1]. Raising the rate never drops a run that was selected.
    Raises ValueError for a rate outside [0, 1] or nan.
    """
    if not 0 <= sampling_rate <= 1:
        raise ValueError(f"a sampling rate is a share in [0, 1], got {sampling_rate}")
    return draw(rule_id, run_id) < sampling_rate


def inclusion_probability(sampling_rates: Iterable[float]) -> float:
    """Return the probability that at least one of several independent rules selects a run.

    `sampling_rates` are the rates of the rules of one queue whose filter matched the run, each in
    [0, 1]: 1 - product of (1 - rate). 0 without any rule. Its inverse is the item's design weight.
    Raises ValueError for a rate outside [0, 1] or nan. Source: D. G. Horvitz, D. J. Thompson
    (1952), JASA 47(260), 663-685.
    """
    logarithm = 0.0
    for rate in sampling_rates:
        if not 0 <= rate <= 1:
            raise ValueError(f"a sampling rate is a share in [0, 1], got {rate}")
        if rate == 1:
            return 1.0
        logarithm += math.log1p(-rate)  # 1 - product would lose rates near 1e-16
    return -math.expm1(logarithm)
