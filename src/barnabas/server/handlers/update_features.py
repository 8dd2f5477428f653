"""UpdateFeatures."""

from barnabas._core import ColdRequest
from barnabas.controller import features
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.update_features_request import UpdateFeaturesRequest
from barnabas.protocol.generated.update_features_response import UpdateFeaturesResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.UPDATE_FEATURES)
async def update_features(node: NodeContext, request: ColdRequest) -> UpdateFeaturesResponse:
    """Changes levels of features, all or none."""
    asked = body(request, UpdateFeaturesRequest)
    return await node.commit(features.update_features(node.state(), asked, request.api_version))
