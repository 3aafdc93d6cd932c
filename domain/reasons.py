"""Every reason that people are shown, in one place."""

from __future__ import annotations

ALL_DONE = "All targets of the deployment have been attempted."
NO_INSTANCES = (
    "The deployment failed because no instances were found for the deployment group. "
    "Check the group's tag filters against the tags of the registered instances."
)
AWS_OFF = (
    " The group selects EC2 instances by tags or Auto Scaling groups, and this installation does not look for any: turn"
    " AWS on with SLIPWAY_AWS__ENABLED=true (`aws: {enabled: true}`)."
)
HEALTH_CONSTRAINTS = (
    "The overall deployment failed because too many individual instances failed deployment, too few healthy instances "
    "are available for deployment, or some instances in the deployment group are experiencing problems."
)
HEALTH_CONSTRAINTS_INVALID = (
    "The deployment cannot start: {total} targets with at least {floor} kept healthy leave none to deploy to. "
    "Lower the minimum healthy hosts of {config} or add targets."
)
ZONE_CONSTRAINTS_INVALID = (
    "The deployment cannot start: in one of the zones the minimum healthy hosts per zone of {config} leave no target "
    "to deploy to. Lower it or add targets."
)
GROUP_MISSING = "The deployment group was deleted before the deployment started."
APPLICATION_MISSING = "The application was deleted before the deployment started."
TOO_MANY_TARGETS = (
    "The deployment group has {total} targets to deploy to, and one deployment may have {most}. "
    "Let the group select fewer, or raise SLIPWAY_QUOTAS__TARGETS (`quotas: {{targets: …}}`)."
)
MANUAL_STOP = "The deployment was stopped by request."
DEPLOYMENT_TIMEOUT = "The deployment ran longer than {seconds} seconds."
GROUP_BUSY = "The deployment group {group} has an active deployment {running}; wait until it ends or stop it."
NOT_PICKED_UP = (
    "The agent did not take this event within {seconds} seconds{seen}. "
    "Check that the agent runs on the host and reaches the broker."
)
NO_ANSWER = ("The agent did not take this event within ", "Nobody took this event within ")
"""How the reasons begin by which nobody is to blame but an agent that was not there."""
NEVER_SEEN = "; no agent has ever been seen for this host"
NOBODY_THERE = (
    "Nobody took this event within {seconds} seconds, and no agent has ever been seen for this host: "
    "start one on it with `{command}`. Its work waits on the queue {queue} of the broker."
)
AGENT_ELSEWHERE = (
    " An agent that runs under another id is linked to its EC2 instance by the instance's tag `{tag}`, which holds "
    "that id."
)
LAST_SEEN = "; it was last seen {ago} seconds ago"
EVENT_TIMEOUT = "The event ran longer than {seconds} seconds{seen}."
AGENT_RESTARTED = (
    "The agent was stopped or died while this event ran. "
    "Scripts may have run in part; deploy again once the host is well."
)
DOWNLOAD_STOPPED = "it was stopped with the deployment"
DOWNLOAD_TOO_LONG = (
    "it took longer than the {seconds} seconds that one lifecycle event may take in this deployment group"
)
SCRIPT_STAYS = " A process that its script had started could not be ended; look after it on the host."
STOPPED = "Skipped because the deployment was stopped."
FAILED_BEFORE = "Skipped because an earlier event failed."
ORDER_UNKNOWN = (
    "The agent does not know this attempt: its records were removed while the deployment ran. "
    "Deploy again to this host."
)
ORDER_UNREADABLE = (
    "The agent cannot read the message of this event: it is damaged, or of another version of Slipway. "
    "Run the same version on the host as in the control plane and deploy again."
)
JOURNAL_FAILS = "The event was not begun, for the agent cannot write down that it begins: {error}"
RECORDS_FAIL = "The event was carried out, but the agent cannot keep its records of the deployment: {error}"
AGENT_BROKEN = "The agent met an internal error, its log has the details: {error}"
AGENT_ISSUE = (
    "No agent of the instances that were tried ({hosts}) took up its work. Check that the agents run and reach the "
    "broker; `slipway doctor` shows when each was last seen."
)
UNHEARD = (
    "The agent has not answered since {since} ({ago} seconds ago), from before the deployment was stopped; whether "
    "this event began there is not known."
)
SILENT = "The agent has not answered since {since} ({ago} seconds ago), while this event ran."
AGENT_BUSY = (
    "The agent was at work for other deployments for all of the {seconds} seconds that this event may wait for it; it "
    "runs {slots} at a time. Deploy again once they are done, or let it run more at once: SLIPWAY_AGENT__CONCURRENCY "
    "on the host."
)
GONE_IN_EVENT = "The instance was {fate} while this event ran."
GONE_BEFORE_EVENT = "The instance was {fate} while the deployment was under way, before this event began."
NOTHING_OUTDATED = "All instances have the revision already; there was nothing to do."
ROLLED_BACK = "The deployment {failed} ended as {status}; the deployment {rollback} rolls it back."
NO_EARLIER_SUCCESS = (
    "The deployment cannot be rolled back: no earlier deployment to the group has succeeded. Deploy a good revision."
)
NO_GROUP = "The deployment cannot be rolled back: its deployment group has been deleted."
NOBODY_TO_ROLL_BACK = (
    "None of the instances that the deployment {failed} had touched is there any more, so nothing was brought back."
)
NOTHING_TO_ROLL_BACK = "There is nothing to roll back: the deployment ended before it touched an instance."
TRAFFIC_STAYED = "There is nothing to roll back: no traffic was shifted, and the original instances serve as before."
NO_ORIGINALS = "The deployment cannot be rolled back: there were no original instances to shift traffic back to."
ORIGINALS_RETIRED = (
    "The deployment cannot be rolled back: the original instances have been retired. Deploy the earlier revision."
)
GREEN_TOOK_OVER = (
    "The deployment cannot be rolled back any more: the replacement instances have taken the place of the original "
    "ones, which are out of traffic. Deploy the earlier revision."
)
NOT_ROLLED_BACK = "The deployment {failed} did not end in need of a rollback, so this one does nothing."
TOO_MANY_RUNNING = "At most {most} deployments may be under way; wait until some have ended."
NOBODY_CONTINUED = (
    "Nobody continued the deployment within {minutes} minutes after the replacement instances were ready, so no "
    "traffic was shifted to them."
)
BLUE_KEEPS_TRAFFIC = (
    "Original instances could not be taken out of traffic; their targets say why. The replacement instances have "
    "traffic too: take the originals out at the load balancer, or shift back."
)
GREEN_KEEPS_TRAFFIC = (
    "{host} has traffic from an earlier deployment that failed, and the load balancer {balancer} does not take it out: "
    "{why} Take it out there, and deploy again."
)
GREEN_STAYS = (
    "Traffic had begun to go to the replacement instances, so they were left as they are, and the deployment group "
    "still selects the original ones. See at the load balancer who serves, and take out who is not to."
)
NOT_RETIRED = (
    "The replacement instances have the traffic, but the original ones could not be retired: {why} See to them by hand."
)
STAYS_SUSPENDED = "{processes} of the Auto Scaling group {group} stay suspended; resume them yourself. {why}"
GREEN_KEEPS = (
    "Not all of the original instances could be put back into traffic, so the replacement instances keep theirs, and "
    "the deployment group selects them still. See at the load balancer who serves, and take out who is not to."
)
GREEN_STAYS_MADE = "The environment {green} was made for the deployment; it is not the group's."
NOT_ABANDONED = "The replacement instances could not be removed: {why} See to them by hand."
ENVIRONMENT_TIMEOUT = "it was not done within {seconds} seconds."
PROVISION_TIMEOUT = "The replacement instances were not there within {seconds} seconds{last}."
BALANCER_TIMEOUT = "The load balancer did not get there within {seconds} seconds; last it said: {last}."
BALANCER_CUT = "The wait for the load balancer was ended, for the deployment was stopped."
NO_CONTROL = "No control worker took this event within {seconds} seconds. Check that the control workers run."
GREEN_SERVES = (
    "The deployment failed because hosts are named as replacements that the deployment group has in service: {hosts}. "
    "Let the target instances select other hosts than the group's."
)
NOTHING_TO_COPY = (
    "The deployment group has no Auto Scaling group or environment any more that green could be made like."
)
NO_GREEN = (
    "The deployment failed because no replacement instances were found. Check the target instances of the deployment "
    "against the tags of the instances."
)
NO_BALANCER = (
    "The deployment group has traffic control and names no load balancer: name some in its loadBalancerInfo, or set "
    "deploymentOption to WITHOUT_TRAFFIC_CONTROL."
)
BALANCER_AWAITED = (
    "The deployment waits for the load balancer {balancer!r}, which has not answered since {since}: {why}. It begins "
    "once it is answered, and fails if that is not before {until}. See that the balancer runs and that control workers "
    "reach it; `slipway doctor` asks it too."
)
BALANCER_AWAY = (
    "The deployment did not begin: the load balancer {balancer!r} has not answered since {since}: {why}. It was waited "
    "for as long as a lifecycle event may take, {seconds} seconds. See that it runs and that control workers reach it, "
    "then deploy again."
)
ALARM_ACTIVE = "One or more alarms are active, so the deployment was stopped. Activated alarms: {alarms}"
ALARMS_UNREADABLE = (
    "The deployment was stopped, for the state of its alarms cannot be read: {why} Mend that, or set "
    "ignorePollAlarmFailure to deploy all the same."
)
ALARMS_UNWATCHED = (
    "Alarms could not be read, and the deployment went on without them, as ignorePollAlarmFailure says: {why}"
)
ALARMS_AWAITED = "The deployment does not begin before its alarms are known: {why}"
PUT_OFF = "The deployment cannot begin yet and is tried again every few seconds: {why}"
ALARMS_BEING_READ = "they are being read."
ALARM_DETAIL = "The alarm {name} is active: {detail}"
