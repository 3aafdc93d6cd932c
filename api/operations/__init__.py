"""The API's operations, one function each, by the operation's name. They see the site and what the caller gave,
validated against the operation's shape; they know neither bytes nor signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from api.operations import applications, configs, deployments, github, groups, instances, revisions, tags, targets
from api.site import Site

Operation = Callable[[Site, Mapping[str, Any]], Mapping[str, Any] | None]

OPERATIONS: Mapping[str, Operation] = {
    "AddTagsToOnPremisesInstances": instances.add_tags_to_on_premises_instances,
    "BatchGetApplicationRevisions": revisions.batch_get_application_revisions,
    "BatchGetApplications": applications.batch_get_applications,
    "BatchGetDeploymentGroups": groups.batch_get_deployment_groups,
    "BatchGetDeploymentInstances": targets.batch_get_deployment_instances,
    "BatchGetDeploymentTargets": targets.batch_get_deployment_targets,
    "BatchGetDeployments": deployments.batch_get_deployments,
    "BatchGetOnPremisesInstances": instances.batch_get_on_premises_instances,
    "ContinueDeployment": deployments.continue_deployment,
    "CreateApplication": applications.create_application,
    "CreateDeployment": deployments.create_deployment,
    "CreateDeploymentConfig": configs.create_deployment_config,
    "CreateDeploymentGroup": groups.create_deployment_group,
    "DeleteApplication": applications.delete_application,
    "DeleteDeploymentConfig": configs.delete_deployment_config,
    "DeleteDeploymentGroup": groups.delete_deployment_group,
    "DeleteGitHubAccountToken": github.delete_git_hub_account_token,
    "DeleteResourcesByExternalId": deployments.delete_resources_by_external_id,
    "DeregisterOnPremisesInstance": instances.deregister_on_premises_instance,
    "GetApplication": applications.get_application,
    "GetApplicationRevision": revisions.get_application_revision,
    "GetDeployment": deployments.get_deployment,
    "GetDeploymentConfig": configs.get_deployment_config,
    "GetDeploymentGroup": groups.get_deployment_group,
    "GetDeploymentInstance": targets.get_deployment_instance,
    "GetDeploymentTarget": targets.get_deployment_target,
    "GetOnPremisesInstance": instances.get_on_premises_instance,
    "ListApplicationRevisions": revisions.list_application_revisions,
    "ListApplications": applications.list_applications,
    "ListDeploymentConfigs": configs.list_deployment_configs,
    "ListDeploymentGroups": groups.list_deployment_groups,
    "ListDeploymentInstances": targets.list_deployment_instances,
    "ListDeploymentTargets": targets.list_deployment_targets,
    "ListDeployments": deployments.list_deployments,
    "ListGitHubAccountTokenNames": github.list_git_hub_account_token_names,
    "ListOnPremisesInstances": instances.list_on_premises_instances,
    "ListTagsForResource": tags.list_tags_for_resource,
    "PutLifecycleEventHookExecutionStatus": deployments.put_lifecycle_event_hook_execution_status,
    "RegisterApplicationRevision": revisions.register_application_revision,
    "RegisterOnPremisesInstance": instances.register_on_premises_instance,
    "RemoveTagsFromOnPremisesInstances": instances.remove_tags_from_on_premises_instances,
    "SkipWaitTimeForInstanceTermination": deployments.skip_wait_time_for_instance_termination,
    "StopDeployment": deployments.stop_deployment,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateApplication": applications.update_application,
    "UpdateDeploymentGroup": groups.update_deployment_group,
}
