"""The operations of the REST API: what each takes, and what it answers.

Always true:
  each stands here under the method and path of a route, and each route of the API stands here
"""

from __future__ import annotations

from barnabas.http.openapi import (
    FLAG,
    INT32,
    TEXT,
    TEXTS,
    Operation,
    Shape,
    array,
    choice,
    mapping,
    members,
    shape,
)
from barnabas.schema_registry.keys.entries import ALGORITHMS
from barnabas.schema_registry.shapes import LIFECYCLE

_PAGE: dict[str, Shape] = {"offset": INT32, "limit": INT32}
_ID: dict[str, Shape] = {"id": INT32}
_IN_SUBJECT: dict[str, Shape] = {"subject": TEXT}
_DELETED: dict[str, Shape] = {"deleted": FLAG}
_FORMAT: dict[str, Shape] = {"format": TEXT}
_RESOLVED: dict[str, Shape] = {**_FORMAT, "referenceFormat": TEXT, "findTags": TEXTS}
_CHECK: dict[str, Shape] = {"normalize": FLAG, "verbose": FLAG}
_DEFAULT: dict[str, Shape] = {"defaultToGlobal": FLAG}
_OF_TYPE: dict[str, Shape] = {"resourceType": TEXT, "associationType": TEXTS}
_ASSOCIATIONS: dict[str, Shape] = {**_OF_TYPE, "lifecycle": LIFECYCLE, **_PAGE}
_TRIED: dict[str, Shape] = {"context": TEXT, "dryRun": FLAG}
_OFFERED = shape("RegisterSchemaRequest")
_CONFIG, _CONFIG_UPDATE = shape("Config"), shape("ConfigUpdateRequest")
_MODE, _MODE_UPDATE = shape("Mode"), shape("ModeUpdateRequest")
_SCHEMA, _REGISTERED = shape("Schema"), shape("RegisterSchemaResponse")
_CHECKED = shape("CompatibilityCheckResponse")
_ASSOCIATED = array(shape("Association"))
_MAKE = shape("AssociationCreateOrUpdateRequest")
_KEKS = "/dek-registry/v1/keks"
_DEKS = f"{_KEKS}/{{name}}/deks/{{subject}}"
_DEK_VERSION = f"{_DEKS}/versions/{{version}}"
_ALGORITHM: dict[str, Shape] = {"algorithm": choice(*ALGORITHMS)}
_KEK, _DEK, _NEW_DEK = shape("Kek"), shape("Dek"), shape("CreateDekRequest")
_ONE = "/subjects/{subject}/versions/{version}"

OPERATIONS: dict[str, Operation] = {
    "GET /": Operation("get", mapping(TEXT)),
    "POST /": Operation("post", mapping(TEXT), body=mapping(TEXT)),
    # ---- schemas
    "GET /schemas": Operation(
        "getSchemas",
        array(shape("ExtendedSchema")),
        {
            "subjectPrefix": TEXT,
            "aliases": FLAG,
            **_DELETED,
            "latestOnly": FLAG,
            "ruleType": TEXT,
            **_ASSOCIATIONS,
        },
        errors=(404, 422),
    ),
    "GET /schemas/types": Operation("getSchemaTypes", TEXTS),
    "GET /schemas/ids/{id}": Operation(
        "getSchema",
        shape("SchemaString"),
        {**_IN_SUBJECT, **_RESOLVED, "fetchMaxId": FLAG},
        path=_ID,
        errors=(404, 422),
    ),
    "GET /schemas/ids/{id}/schema": Operation(
        "getSchemaOnly_1", {}, {**_IN_SUBJECT, **_FORMAT}, path=_ID, errors=(404, 422)
    ),
    "GET /schemas/ids/{id}/subjects": Operation(
        "getSubjects", TEXTS, {**_IN_SUBJECT, **_DELETED, **_PAGE}, path=_ID, errors=(404,)
    ),
    "GET /schemas/ids/{id}/versions": Operation(
        "getVersions",
        array(shape("SubjectVersion")),
        {**_IN_SUBJECT, **_DELETED, **_PAGE},
        path=_ID,
        errors=(404,),
    ),
    "GET /schemas/guids/{guid}": Operation(
        "getSchemaByGuid", shape("SchemaString"), _FORMAT, errors=(404, 422)
    ),
    "GET /schemas/guids/{guid}/ids": Operation("getIdsByGuid", array(shape("ContextId")), errors=(404,)),
    # ---- subjects
    "GET /subjects": Operation(
        "list", TEXTS, {"subjectPrefix": TEXT, **_PAGE, **_DELETED, "deletedOnly": FLAG}, errors=(404,)
    ),
    "POST /subjects/{subject}": Operation(
        "lookUpSchemaUnderSubject",
        _SCHEMA,
        {"normalize": FLAG, **_FORMAT, **_DELETED},
        _OFFERED,
        errors=(404, 422),
    ),
    "DELETE /subjects/{subject}": Operation(
        "deleteSubject", array(INT32), {"permanent": FLAG}, errors=(404, 422)
    ),
    "GET /subjects/{subject}/metadata": Operation(
        "getLatestWithMetadata",
        _SCHEMA,
        {"key": TEXTS, "value": TEXTS, **_FORMAT, **_DELETED},
        errors=(404, 422),
    ),
    "GET /subjects/{subject}/versions": Operation(
        "listVersions", array(INT32), {**_DELETED, "deletedOnly": FLAG, **_PAGE}, errors=(404,)
    ),
    "POST /subjects/{subject}/versions": Operation(
        "register", _REGISTERED, {"normalize": FLAG, **_FORMAT}, _OFFERED, errors=(409, 422)
    ),
    f"GET {_ONE}": Operation("getSchemaByVersion", _SCHEMA, {**_RESOLVED, **_DELETED}, errors=(404, 422)),
    f"DELETE {_ONE}": Operation("deleteSchemaVersion", INT32, {"permanent": FLAG}, errors=(404, 422)),
    f"GET {_ONE}/schema": Operation("getSchemaOnly", {}, {**_FORMAT, **_DELETED}, errors=(404, 422)),
    f"GET {_ONE}/referencedby": Operation(
        "getReferencedBy", array(INT32), {**_DELETED, **_PAGE}, errors=(404, 422)
    ),
    f"POST {_ONE}/tags": Operation(
        "modifyTags_1", _REGISTERED, body=shape("TagSchemaRequest"), errors=(404, 409, 422)
    ),
    # ---- compatibility
    "POST /compatibility/subjects/{subject}/versions": Operation(
        "testCompatibilityForSubject", _CHECKED, _CHECK, _OFFERED, errors=(422,)
    ),
    "POST /compatibility/subjects/{subject}/versions/{version}": Operation(
        "testCompatibilityBySubjectName", _CHECKED, _CHECK, _OFFERED, errors=(404, 422)
    ),
    # ---- configs and modes
    "GET /config": Operation("getTopLevelConfig", _CONFIG, _DEFAULT),
    "PUT /config": Operation("updateTopLevelConfig", _CONFIG_UPDATE, body=_CONFIG_UPDATE, errors=(422,)),
    "DELETE /config": Operation("deleteTopLevelConfig", _CONFIG, errors=(422,)),
    "GET /config/{subject}": Operation("getSubjectLevelConfig", _CONFIG, _DEFAULT, errors=(404,)),
    "PUT /config/{subject}": Operation(
        "updateSubjectLevelConfig", _CONFIG_UPDATE, body=_CONFIG_UPDATE, errors=(404, 422)
    ),
    "DELETE /config/{subject}": Operation("deleteSubjectConfig", _CONFIG, errors=(404, 422)),
    "GET /mode": Operation("getTopLevelMode", _MODE, _DEFAULT),
    "PUT /mode": Operation("updateTopLevelMode", _MODE_UPDATE, {"force": FLAG}, _MODE_UPDATE, errors=(422,)),
    "DELETE /mode": Operation("deleteGlobalMode", _MODE, {"recursive": FLAG}, errors=(422,)),
    "GET /mode/{subject}": Operation("getMode", _MODE, _DEFAULT, errors=(404,)),
    "PUT /mode/{subject}": Operation(
        "updateMode", _MODE_UPDATE, {"force": FLAG}, _MODE_UPDATE, errors=(422,)
    ),
    "DELETE /mode/{subject}": Operation("deleteSubjectMode", _MODE, {"recursive": FLAG}, errors=(404,)),
    # ---- the registry
    "GET /contexts": Operation("listContexts_1", TEXTS, {**_PAGE, "contextPrefix": TEXT}, errors=(404,)),
    "DELETE /contexts/{context}": Operation("deleteContext", status=204, errors=(404, 422)),
    "GET /v1/metadata/id": Operation("getClusterId", shape("ServerClusterId")),
    "GET /v1/metadata/version": Operation("getSchemaRegistryVersion", shape("SchemaRegistryServerVersion")),
    "GET /v1/metadata/deployment": Operation(
        "getSchemaRegistryDeployment", shape("SchemaRegistryDeployment")
    ),
    "GET /metrics": Operation("metrics", TEXT, produced=("text/plain",)),
    "GET /health": Operation(
        "health", members(status=TEXT, is_primary=FLAG, primary=TEXT, problem=TEXT), errors=(503,)
    ),
    # ---- associations
    "POST /associations": Operation(
        "createAssociation", shape("AssociationResponse"), _TRIED, _MAKE, errors=(404, 409, 422)
    ),
    "POST /associations:batch": Operation(
        "mutateAssociations",
        shape("AssociationBatchResponse"),
        _TRIED,
        shape("AssociationBatchRequest"),
        status=207,
        errors=(422,),
    ),
    "GET /associations/subjects/{subject}": Operation(
        "getAssociationsBySubject", _ASSOCIATED, _ASSOCIATIONS, errors=(404, 422)
    ),
    "GET /associations/resources/{resourceId}": Operation(
        "getAssociationsByResourceId", _ASSOCIATED, _ASSOCIATIONS, errors=(404, 422)
    ),
    "PUT /associations/resources/{resourceId}": Operation(
        "createOrUpdateAssociation",
        shape("AssociationResponse"),
        _TRIED,
        _MAKE,
        errors=(404, 409, 422),
    ),
    "DELETE /associations/resources/{resourceId}": Operation(
        "deleteAssociations",
        query={**_OF_TYPE, "cascadeLifecycle": FLAG, "dryRun": FLAG},
        status=204,
        errors=(404, 409, 422),
    ),
    "GET /associations/resources/{resourceNamespace}/{resourceName}": Operation(
        "getAssociationsByResourceName", _ASSOCIATED, _ASSOCIATIONS, errors=(404, 422)
    ),
    # ---- keys
    f"GET {_KEKS}": Operation(
        "getKekNames", TEXTS, {"subjectPrefix": TEXTS, **_DELETED, **_PAGE}, errors=(404,)
    ),
    f"POST {_KEKS}": Operation(
        "registerKek", _KEK, {"testSharing": FLAG}, shape("CreateKekRequest"), errors=(409, 422)
    ),
    f"GET {_KEKS}/{{name}}": Operation("getKek", _KEK, _DELETED, errors=(404, 422)),
    f"PUT {_KEKS}/{{name}}": Operation(
        "updateKek", _KEK, {"testSharing": FLAG}, shape("UpdateKekRequest"), errors=(404, 409, 422)
    ),
    f"DELETE {_KEKS}/{{name}}": Operation(
        "deregisterKek", query={"permanent": FLAG}, status=204, errors=(404, 422)
    ),
    f"POST {_KEKS}/{{name}}/test": Operation("testKek", _KEK, errors=(404, 422)),
    f"POST {_KEKS}/{{name}}/undelete": Operation("undeleteKek", status=204, errors=(404, 422)),
    f"GET {_KEKS}/{{name}}/deks": Operation(
        "getDekSubjects", TEXTS, {**_DELETED, **_PAGE}, errors=(404, 422)
    ),
    f"POST {_KEKS}/{{name}}/deks": Operation("registerDek", _DEK, body=_NEW_DEK, errors=(404, 409, 422)),
    f"GET {_DEKS}": Operation("getDek", _DEK, {**_ALGORITHM, **_DELETED}, errors=(404, 422)),
    f"POST {_DEKS}": Operation(
        "registerDekWithSubject", _DEK, {"rewrap": FLAG}, _NEW_DEK, errors=(404, 409, 422)
    ),
    f"DELETE {_DEKS}": Operation(
        "deregisterDekVersions", query={**_ALGORITHM, "permanent": FLAG}, status=204, errors=(404, 422)
    ),
    f"POST {_DEKS}/undelete": Operation(
        "undeleteDekVersions", query=_ALGORITHM, status=204, errors=(404, 422)
    ),
    f"GET {_DEKS}/versions": Operation(
        "getAllDekVersions", array(INT32), {**_ALGORITHM, **_DELETED, **_PAGE}, errors=(404, 422)
    ),
    f"GET {_DEK_VERSION}": Operation("getDekByVersion", _DEK, {**_ALGORITHM, **_DELETED}, errors=(404, 422)),
    f"DELETE {_DEK_VERSION}": Operation(
        "deregisterDekVersion", query={**_ALGORITHM, "permanent": FLAG}, status=204, errors=(404, 422)
    ),
    f"POST {_DEK_VERSION}/undelete": Operation(
        "undeleteDekVersion", query=_ALGORITHM, status=204, errors=(404, 422)
    ),
}
"""By method and path."""
