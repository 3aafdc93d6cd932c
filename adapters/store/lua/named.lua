-- The documents that have the names now, in their order, false where there is none.
local found = {}
for at, name in ipairs(input.names) do
  local identity = redis.call('HGET', key('identities', input.kind), name)
  found[at] = identity and redis.call('HGET', key(input.kind, identity), 'd')
end
return found
