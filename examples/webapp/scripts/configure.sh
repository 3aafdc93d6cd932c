#!/bin/sh
app="${SLIPWAY_ROOT%/}/srv/webapp"
echo "$DEPLOYMENT_ID" >"$app/release"
echo "release $DEPLOYMENT_ID of $APPLICATION_NAME for $DEPLOYMENT_GROUP_NAME"
