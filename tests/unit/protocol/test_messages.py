"""Messages as users of the package meet them."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest

from barnabas._core import Uuid, decode, encode
from barnabas.protocol import ApiKey, ErrorCode, class_named, message_class, metadata_record_class
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.fetch_request import FetchRequest
from barnabas.protocol.generated.topic_record import TopicRecord


def test_a_message_is_known_by_its_fields() -> None:
    request = CreateTopicsRequest(topics=[CreatableTopic(name="orders", num_partitions=3)], timeout_ms=5)
    assert request == copy.deepcopy(request)
    assert request != CreateTopicsRequest()
    assert "CreatableTopic(name='orders', num_partitions=3" in repr(request)


def test_long_bytes_are_not_printed() -> None:
    request = class_named("SaslAuthenticateRequest")()
    request.auth_bytes = b"x" * 1000  # type: ignore[attr-defined]
    assert repr(request) == "SaslAuthenticateRequest(auth_bytes=<1000 bytes>)"


def test_defaults_are_kafkas() -> None:
    request = FetchRequest()
    assert (request.replica_id, request.max_bytes, request.session_epoch) == (-1, 0x7FFFFFFF, -1)
    assert request.cluster_id is None
    assert request.replica_state.replica_epoch == -1


def test_lists_are_not_shared_between_messages() -> None:
    first, second = FetchRequest(), FetchRequest()
    first.topics.append(None)  # type: ignore[arg-type]
    assert second.topics == []


def test_what_is_decoded_has_every_attribute_and_defaults_of_its_own() -> None:
    data = encode(FetchRequest(), 4)
    first, second = decode(FetchRequest, 4, data), decode(FetchRequest, 4, data)
    assert first == FetchRequest()
    assert isinstance(first, FetchRequest)
    assert isinstance(second, FetchRequest)
    assert first.forgotten_topics_data is not second.forgotten_topics_data
    assert first.replica_state is not second.replica_state


def test_classes_are_found_by_key_and_name() -> None:
    assert message_class(ApiKey.FETCH, response=False) is FetchRequest
    assert message_class(1, response=True).__name__ == "FetchResponse"
    assert metadata_record_class(2) is TopicRecord
    assert TopicRecord.RECORD_TYPE == 2
    with pytest.raises(KeyError):
        message_class(4, response=False)


def test_errors_name_the_field() -> None:
    with pytest.raises(ValueError, match=r"TopicRecord\.Name is null, which version 0 can't carry"):
        encode(TopicRecord(name=None), 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"TopicRecord\.Name: TypeError"):
        encode(TopicRecord(name=5), 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"FetchRequest\.MaxWaitMs is 2147483648, which does not fit"):
        encode(FetchRequest(max_wait_ms=2**31), 4)
    with pytest.raises(
        ValueError, match=r"FetchRequest\.ReplicaId has a value, which version 15 can't carry"
    ):
        encode(FetchRequest(replica_id=3), 15)
    with pytest.raises(ValueError, match="version 19 of FetchRequest is not in 4-18"):
        encode(FetchRequest(), 19)
    with pytest.raises(TypeError, match="int is no message"):
        encode(5, 0)  # type: ignore[arg-type]


def test_bytes_that_are_no_message_are_refused() -> None:
    data = encode(TopicRecord(name="a", topic_id=Uuid.random()), 0)
    with pytest.raises(ValueError, match="1 bytes after the end"):
        decode(TopicRecord, 0, data + b"x")
    for length in range(len(data)):
        with pytest.raises(ValueError, match="bytes wanted"):
            decode(TopicRecord, 0, data[:length])


def test_elements_that_are_small_on_the_wire_can_not_take_much_memory() -> None:
    count = 500_000
    data = count.to_bytes(4) + bytes(2 * count)  # so many topics of empty names
    with pytest.raises(ValueError, match="takes over 36194432 bytes of memory"):
        decode(class_named("MetadataRequest"), 1, data)
    small = 10_000
    assert decode(class_named("MetadataRequest"), 1, small.to_bytes(4) + bytes(2 * small))


def test_an_enum_stands_for_its_number() -> None:
    response = message_class(ApiKey.HEARTBEAT, response=True)()
    response.error_code = ErrorCode.REBALANCE_IN_PROGRESS  # type: ignore[attr-defined]
    assert encode(response, 1) == bytes([0, 0, 0, 0, 0, 27])


def test_uuid_is_kafkas() -> None:
    one = Uuid(bytes(15) + b"\x01")
    assert str(one) == "AAAAAAAAAAAAAAAAAAAAAQ"
    assert Uuid(str(one)) == one
    assert hash(Uuid(str(one))) == hash(one)
    assert not Uuid.ZERO
    assert one
    assert one > Uuid.ZERO
    assert copy.deepcopy(one) == one
    ids = {Uuid.random() for _ in range(1000)}
    assert len(ids) == 1000
    assert not any(str(id_).startswith("-") for id_ in ids)
    for wrong in ("short", "A" * 23, "!" * 22, b"15 bytes ......"):
        with pytest.raises(ValueError, match=r"16 bytes|22 base64url"):
            Uuid(wrong)


def test_the_package_does_not_import_the_classes_of_all_messages() -> None:
    program = (
        "import sys, barnabas.protocol, barnabas.errors\n"
        "print(sum(name.startswith('barnabas.protocol.generated.') for name in sys.modules))\n"
        "print('barnabas.errors.by_code' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False"]
