-- Deployments with their counters and today's names: {document, counters, application, group} each, or false.
local found = {}
for at, id in ipairs(input.ids) do
  local document = redis.call('HGET', key('deployment', id), 'd')
  if document then
    local held = cjson.decode(document)
    found[at] = {
      document,
      redis.call('HGETALL', key('progress', id, held.phase)),
      redis.call('HGET', key('application', held.applicationId), 'name'),
      redis.call('HGET', key('group', held.deploymentGroupId), 'name'),
    }
  else
    found[at] = false
  end
end
return found
