"""Shapes of the registry's requests and responses, under the names that Confluent's registry gives them."""

from __future__ import annotations

from barnabas.http.openapi import (
    FLAG,
    INT32,
    INT64,
    TEXT,
    TEXTS,
    Shape,
    array,
    choice,
    mapping,
    members,
    shape,
)

UNIQUE_TEXTS: Shape = {**TEXTS, "uniqueItems": True}
LEVEL = choice(
    "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE"
)
MODE = choice("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT")
LIFECYCLE = choice("STRONG", "WEAK")


def _config(level: str) -> Shape:
    return members(
        alias=TEXT,
        aliasForDeks=TEXT,
        normalize=FLAG,
        validateFields=FLAG,
        validateNewSchemas=FLAG,
        validateRules=FLAG,
        **{level: LEVEL},
        compatibilityPolicy=TEXT,
        compatibilityGroup=TEXT,
        defaultMetadata=shape("Metadata"),
        overrideMetadata=shape("Metadata"),
        defaultRuleSet=shape("RuleSet"),
        overrideRuleSet=shape("RuleSet"),
    )


_CONTENT = {
    "schemaType": TEXT,
    "references": array(shape("SchemaReference")),
    "metadata": shape("Metadata"),
    "ruleSet": shape("RuleSet"),
    "schema": TEXT,
}
_TAGS = {"schemaTags": array(shape("SchemaTags"))}
_PLACE = {"subject": TEXT, "version": INT32}
_HISTORY = {"ts": INT64, "deleted": FLAG}
_VERSION = {**_PLACE, "id": INT32, "guid": TEXT, **_CONTENT, "ruleset": shape("RuleSet"), **_TAGS, **_HISTORY}
_RESOURCE = {"resourceName": TEXT, "resourceNamespace": TEXT, "resourceId": TEXT, "resourceType": TEXT}
_ASSOCIATED = {"associationType": TEXT, "lifecycle": LIFECYCLE, "frozen": FLAG}
_WANTED = {"subject": TEXT, **_ASSOCIATED, "schema": shape("RegisterSchemaRequest"), "normalize": FLAG}

_KEK = {
    "name": TEXT,
    "kmsType": TEXT,
    "kmsKeyId": TEXT,
    "kmsProps": mapping(TEXT),
    "doc": TEXT,
    "shared": FLAG,
    "deleted": FLAG,
}
_DEK = {
    "subject": TEXT,
    "version": INT32,
    "algorithm": choice("AES128_GCM", "AES256_GCM", "AES256_SIV"),
    "encryptedKeyMaterial": TEXT,
    "deleted": FLAG,
}


def _operation(**properties: Shape) -> Shape:
    """One operation of a batch, told apart by its `opType`."""
    return {"type": "object", "allOf": [shape("AssociationOp"), members(**properties)]}


SHAPES: dict[str, Shape] = {
    "CompatibilityCheckResponse": members(is_compatible=FLAG, messages=TEXTS),
    "RegisterSchemaRequest": members(
        version=INT32,
        id=INT32,
        **_CONTENT,
        schemaTagsToAdd=array(shape("SchemaTags")),
        schemaTagsToRemove=array(shape("SchemaTags")),
        propagateSchemaTags=FLAG,
    ),
    "RegisterSchemaResponse": members(id=INT32, version=INT32, guid=TEXT, **_CONTENT, **_HISTORY),
    "SchemaReference": members(name=TEXT, **_PLACE),
    "Config": _config("compatibilityLevel"),
    "ConfigUpdateRequest": _config("compatibility"),
    "Mode": members(mode=MODE),
    "ModeUpdateRequest": members(mode=MODE),
    "SchemaString": members(**_PLACE, guid=TEXT, **_CONTENT, **_TAGS, maxId=INT32, **_HISTORY),
    "Schema": members(**_VERSION),
    "ExtendedSchema": members(**_VERSION, aliases=TEXTS, associations=array(shape("Association"))),
    "SubjectVersion": members(**_PLACE),
    "Kek": members(**_KEK, ts=INT64),
    "CreateKekRequest": members(**_KEK),
    "UpdateKekRequest": members(kmsProps=mapping(TEXT), doc=TEXT, shared=FLAG),
    "Dek": members(kekName=TEXT, **_DEK, keyMaterial=TEXT, ts=INT64),
    "CreateDekRequest": members(**_DEK),
    "ContextId": members(context=TEXT, id=INT32),
    "ServerClusterId": members(scope=mapping({}), id=TEXT),
    "SchemaRegistryServerVersion": members(version=TEXT, commitId=TEXT),
    "SchemaRegistryDeployment": members(attributes=TEXTS),
    "ErrorMessage": members(error_code=INT32, message=TEXT),
    "Metadata": members(tags=mapping(UNIQUE_TEXTS), properties=mapping(TEXT), sensitive=UNIQUE_TEXTS),
    "Rule": members(
        name=TEXT,
        doc=TEXT,
        kind=choice("TRANSFORM", "CONDITION"),
        mode=choice("UPGRADE", "DOWNGRADE", "UPDOWN", "WRITE", "READ", "WRITEREAD"),
        type=TEXT,
        tags=UNIQUE_TEXTS,
        params=mapping(TEXT),
        expr=TEXT,
        onSuccess=TEXT,
        onFailure=TEXT,
        disabled=FLAG,
    ),
    "RuleSet": members(
        migrationRules=array(shape("Rule")),
        domainRules=array(shape("Rule")),
        encodingRules=array(shape("Rule")),
        enableAt=choice("ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"),
    ),
    "SchemaEntity": members(entityPath=TEXT, entityType=choice("sr_record", "sr_field")),
    "SchemaTags": members(schemaEntity=shape("SchemaEntity"), tags=TEXTS),
    "TagSchemaRequest": members(
        newVersion=INT32,
        tagsToAdd=array(shape("SchemaTags")),
        tagsToRemove=array(shape("SchemaTags")),
        metadata=shape("Metadata"),
        ruleSet=shape("RuleSet"),
        rulesToMerge=shape("RuleSet"),
        rulesToRemove=TEXTS,
    ),
    "Association": members(
        subject=TEXT, guid=TEXT, **_RESOURCE, **_ASSOCIATED, createTs=INT64, updateTs=INT64
    ),
    "AssociationInfo": members(subject=TEXT, **_ASSOCIATED, schema=shape("Schema")),
    "AssociationResponse": members(**_RESOURCE, associations=array(shape("AssociationInfo"))),
    "AssociationCreateOrUpdateInfo": members(**_WANTED),
    "AssociationCreateOrUpdateRequest": members(
        **_RESOURCE, associations=array(shape("AssociationCreateOrUpdateInfo"))
    ),
    "AssociationOp": {
        **members(opType=choice("CREATE", "UPSERT", "DELETE")),
        "discriminator": {"propertyName": "opType"},
    },
    "AssociationCreateOp": _operation(**_WANTED),
    "AssociationUpsertOp": _operation(**_WANTED),
    "AssociationDeleteOp": _operation(associationType=TEXT),
    "AssociationOpRequest": members(**_RESOURCE, associations=array(shape("AssociationOp"))),
    "AssociationBatchRequest": members(requests=array(shape("AssociationOpRequest"))),
    "AssociationResult": members(error=shape("ErrorMessage"), result=shape("AssociationResponse")),
    "AssociationBatchResponse": members(results=array(shape("AssociationResult"))),
}
"""By their names."""
