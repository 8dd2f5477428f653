"""Errors of the registry, with the codes that its clients know."""

from __future__ import annotations

from barnabas.http.errors import HttpError

WRITE_ERROR = 50001
TIMEOUT_ERROR = 50002


def subject_not_found(subject: str) -> HttpError:
    return HttpError(404, f"Subject '{subject}' not found.", 40401)


def version_not_found(version: int | str) -> HttpError:
    return HttpError(404, f"Version {version} not found.", 40402)


def schema_not_found(what: object = None) -> HttpError:
    return HttpError(404, "Schema not found" if what is None else f"Schema {what} not found", 40403)


def subject_soft_deleted(subject: str) -> HttpError:
    return HttpError(
        404, f"Subject '{subject}' was soft deleted. Set permanent=true to delete it for good.", 40404
    )


def subject_not_soft_deleted(subject: str) -> HttpError:
    return HttpError(
        404, f"Subject '{subject}' must be soft deleted before it can be deleted for good.", 40405
    )


def version_soft_deleted(subject: str, version: int) -> HttpError:
    return HttpError(
        404,
        f"Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete it for good.",
        40406,
    )


def version_not_soft_deleted(subject: str, version: int) -> HttpError:
    return HttpError(
        404,
        f"Subject '{subject}' Version {version} must be soft deleted before it can be deleted for good.",
        40407,
    )


def no_compatibility(subject: str) -> HttpError:
    return HttpError(404, f"Subject '{subject}' does not have subject-level compatibility configured", 40408)


def no_mode(subject: str) -> HttpError:
    return HttpError(404, f"Subject '{subject}' does not have subject-level mode configured", 40409)


def incompatible(subject: str, details: str) -> HttpError:
    return HttpError(
        409, f"The schema is incompatible with an earlier one of subject '{subject}': {details}", 40901
    )


def invalid_schema(message: str) -> HttpError:
    return HttpError(422, message, 42201)


def invalid_version(version: str) -> HttpError:
    return HttpError(
        422, f"'{version}' is no version: it must be a number from 1 to 2147483647, or \"latest\"", 42202
    )


def invalid_level(levels: str) -> HttpError:
    return HttpError(422, f"Invalid compatibility level. Valid values are {levels}.", 42203)


def invalid_mode(modes: str) -> HttpError:
    return HttpError(422, f"Invalid mode. Valid values are {modes}.", 42204)


def not_permitted(message: str) -> HttpError:
    return HttpError(422, message, 42205)


def referenced(subject: str, version: int, by: str) -> HttpError:
    return HttpError(
        422, f"One or more references exist to version {version} of subject '{subject}': {by}", 42206
    )


def invalid_subject(subject: str) -> HttpError:
    return HttpError(422, f"'{subject}' is no valid subject", 42208)


def context_not_empty(context: str) -> HttpError:
    return HttpError(422, f"Context '{context}' is not empty", 42211)


def write_failed(reason: object) -> HttpError:
    return HttpError(500, f"The write to the schemas' topic failed: {reason}", WRITE_ERROR)


def write_timed_out(seconds: float) -> HttpError:
    return HttpError(500, f"The write was not committed within {seconds:g} seconds", TIMEOUT_ERROR)


def associated(subject: str) -> HttpError:
    return HttpError(409, f"An association with subject '{subject}' exists", 40904)


def no_active_version(subject: str) -> HttpError:
    return HttpError(409, f"Subject '{subject}' has no version that is not deleted", 40907)


def not_forwarded(reason: str) -> HttpError:
    return HttpError(500, f"The write could not be handed on to the primary: {reason}", 50003)


def unknown_primary(reason: str) -> HttpError:
    return HttpError(500, f"Nothing can be written now: {reason}", 50004)
