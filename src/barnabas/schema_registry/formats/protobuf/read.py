"""Reads a Protobuf schema as clients register it: as text, or as a FileDescriptorProto in Base64."""

from base64 import b64decode
from binascii import Error

from barnabas.schema_registry.formats.protobuf.decode import decoded_file
from barnabas.schema_registry.formats.protobuf.nodes import ProtoFile
from barnabas.schema_registry.formats.protobuf.parser import parse_proto


def read_proto(text: str) -> ProtoFile:
    """Raises InvalidSchema if it is neither."""
    try:
        # The shortest file in text has a character that Base64 has not: a brace, a quote or a semicolon.
        data = b64decode(text.strip(), validate=True)
    except (Error, ValueError):
        return parse_proto(text)
    return decoded_file(data)
