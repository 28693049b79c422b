"""The documents that feedback may hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from observatory.feedback.judgement import clean_document

json_documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)


@given(json_documents)
def test_cleaning_twice_changes_nothing_more_and_leaves_what_postgresql_holds(document) -> None:
    once = clean_document("value", document)
    assert clean_document("value", once) == once
    assert "\x00" not in repr(once).encode().decode()
