-- The document that has the name now, or false.
local identity = redis.call('HGET', key('identities', input.kind), input.name)
return identity and redis.call('HGET', key(input.kind, identity), 'd')
