"""The packing of target records: nothing a record holds is lost in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.store.keys import Keys, escape
from adapters.store.records import decode_record, encode_record
from domain.deployments import EventRecord, TargetRecord
from domain.fleet import Target
from domain.lifecycle import Event
from tests.contract.store_values import EVENTS, NOW, a_target, outcome

moments = st.none() | st.floats(allow_nan=False, allow_infinity=False)
targets = st.builds(Target, target_id=st.text(), arn=st.text(), queue=st.text(), zone=st.none() | st.text())
records = st.builds(
    TargetRecord,
    target=targets,
    index=st.integers(0, 10**6),
    attempt=st.none() | st.text(),
    lane=st.none() | st.integers(0, 10**6),
    last_updated_at=moments,
    interrupted=st.booleans(),
    events=st.dictionaries(
        st.sampled_from(Event),
        st.builds(EventRecord, start_time=moments, end_time=moments, diagnostics=..., forgiven=st.booleans()),
    ),
)


@given(records)
def test_a_record_comes_back_as_it_was(record: TargetRecord) -> None:
    assert decode_record(record.target.target_id, encode_record(record)) == record


def test_members_the_packing_does_not_know_are_kept() -> None:
    class LaterTarget(Target):
        rack: str | None = None

    class LaterRecord(TargetRecord):
        target: Target
        note: str = ""

    target = LaterTarget(target_id="i-1", arn="arn:i-1", queue="host.i-1", rack="r7")
    fields = encode_record(LaterRecord(target=target, index=0, note="later"))
    assert fields["target+"] == '{"rack":"r7"}'
    assert fields["+"] == '{"note":"later"}'


def test_an_ordinary_record_stays_in_small_texts() -> None:
    events = {event: EventRecord(**outcome(event).model_dump(exclude={"event"})) for event in EVENTS}
    record = a_target(7).model_copy(update={"events": events, "last_updated_at": NOW})
    assert max(len(text) for text in encode_record(record).values()) <= 64


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_different_words_make_different_keys(one: list[str], other: list[str]) -> None:
    keys = Keys("p")
    assert (keys(*one) == keys(*other)) == (one == other)
    assert escape("A-z0+=,.@_-") == "A-z0+=,.@_-"
