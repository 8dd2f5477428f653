"""What operations of `Admin` take and give."""

from barnabas.clients.admin.acl_operation import AclOperation
from barnabas.clients.admin.acls import (
    CLUSTER_NAME,
    AclBinding,
    AclBindings,
    AclFilter,
    AclPermission,
    AclResourceType,
    PatternType,
)
from barnabas.clients.admin.cluster import (
    ClusterDescription,
    FeatureMetadata,
    FeatureUpdate,
    Node,
    QuorumDescription,
    QuorumReplica,
    RaftEndpoint,
    UpgradeType,
    VersionRange,
)
from barnabas.clients.admin.configs import ConfigEntry, ConfigOp, ConfigResource, Configs, ConfigSynonym
from barnabas.clients.admin.group_model import (
    CommittedOffset,
    GroupDescription,
    GroupListing,
    GroupMember,
    GroupType,
    ShareOffset,
)
from barnabas.clients.admin.log_dirs import (
    LogDirDescription,
    LogDirectory,
    Replica,
    ReplicaInfo,
    ReplicaLogDir,
)
from barnabas.clients.admin.partitions import ElectionType, ListedOffset, OffsetSpec, Reassignment
from barnabas.clients.admin.quotas import QuotaEntity, QuotaFilter
from barnabas.clients.admin.streams_groups import StreamsGroupDescription, StreamsMember, Subtopology
from barnabas.clients.admin.tokens import DelegationToken
from barnabas.clients.admin.topics import (
    CreatedTopic,
    NewTopic,
    PartitionDescription,
    TopicDescription,
    TopicListing,
)
from barnabas.clients.admin.transactions import (
    FencedProducer,
    ProducerState,
    TransactionDescription,
    TransactionListing,
)
from barnabas.clients.admin.users import ScramMechanism, ScramPassword
from barnabas.clients.results import Results
from barnabas.config.alter import OpType, ResourceType
from barnabas.config.describe import ConfigSource

__all__ = [
    "CLUSTER_NAME",
    "AclBinding",
    "AclBindings",
    "AclFilter",
    "AclOperation",
    "AclPermission",
    "AclResourceType",
    "ClusterDescription",
    "CommittedOffset",
    "ConfigEntry",
    "ConfigOp",
    "ConfigResource",
    "ConfigSource",
    "ConfigSynonym",
    "Configs",
    "CreatedTopic",
    "DelegationToken",
    "ElectionType",
    "FeatureMetadata",
    "FeatureUpdate",
    "FencedProducer",
    "GroupDescription",
    "GroupListing",
    "GroupMember",
    "GroupType",
    "ListedOffset",
    "LogDirDescription",
    "LogDirectory",
    "NewTopic",
    "Node",
    "OffsetSpec",
    "OpType",
    "PartitionDescription",
    "PatternType",
    "ProducerState",
    "QuorumDescription",
    "QuorumReplica",
    "QuotaEntity",
    "QuotaFilter",
    "RaftEndpoint",
    "Reassignment",
    "Replica",
    "ReplicaInfo",
    "ReplicaLogDir",
    "ResourceType",
    "Results",
    "ScramMechanism",
    "ScramPassword",
    "ShareOffset",
    "StreamsGroupDescription",
    "StreamsMember",
    "Subtopology",
    "TopicDescription",
    "TopicListing",
    "TransactionDescription",
    "TransactionListing",
    "UpgradeType",
    "VersionRange",
]
