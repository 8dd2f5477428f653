"""What clients are told of errors, with the codes of the published API."""

from __future__ import annotations

from barnabas import errors
from barnabas.errors import BarnabasError, BufferFull, ClientTimeout, KafkaError
from barnabas.http.errors import HttpError
from barnabas.serde.base import SerializationError

BAD_REQUEST = 40002
UNAUTHENTICATED = 40101
FORBIDDEN = 40301
TOPIC_NOT_FOUND = 40401
PARTITION_NOT_FOUND = 40402
UNKNOWN_TOPIC_OR_PARTITION = 40403
KAFKA_ERROR = 50002
RETRIABLE = 50003

_UNAUTHENTICATED = (
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanism,
    errors.IllegalSaslState,
)
_FORBIDDEN = (
    errors.TopicAuthorizationFailed,
    errors.GroupAuthorizationFailed,
    errors.ClusterAuthorizationFailed,
    errors.TransactionalIdAuthorizationFailed,
    errors.DelegationTokenAuthorizationFailed,
)
_UNKNOWN = (errors.UnknownTopicOrPartition, errors.UnknownTopicId)


def told(error: BarnabasError) -> HttpError:
    """The reply that tells of an error of the cluster or of a client."""
    message = str(error) or type(error).__name__
    match error:
        case HttpError():
            return error
        case _ if isinstance(error, _UNAUTHENTICATED):
            return HttpError(401, message, UNAUTHENTICATED)
        case _ if isinstance(error, _FORBIDDEN):
            return HttpError(403, message, FORBIDDEN)
        case _ if isinstance(error, _UNKNOWN):
            return HttpError(404, message, UNKNOWN_TOPIC_OR_PARTITION)
        case errors.GroupIdNotFound():
            return HttpError(404, message)
        case SerializationError():
            return HttpError(422, f"Error serializing message. {message}", 42207)
        case ClientTimeout() | BufferFull():
            return HttpError(500, message, RETRIABLE)
        case KafkaError():
            status, code = (500, RETRIABLE) if error.retriable else (400, BAD_REQUEST)
            return HttpError(status, message, code)
        case _:
            return HttpError(500, f"Kafka error: {message}", KAFKA_ERROR)


def not_found(what: str) -> HttpError:
    """A resource that there is not."""
    return HttpError(404, f"{what} cannot be found.")


def payload_error(message: str) -> HttpError:
    """A body that is JSON, but not what is wanted."""
    return HttpError(422, f"Payload error. {message}", 42206)
