-- Keeps a named document if its version is the expected one ('' for none yet). 1: written (now or by this very write
-- before), 0: not.
local document = key(input.kind, input.name)
local version = redis.call('HGET', document, 'version') or ''
if version == input.nonce then return 1 end
if version ~= input.version then return 0 end
redis.call('HSET', document, 'd', input.document, 'version', input.nonce)
if version == '' then redis.call('ZADD', key('names', input.kind), 0, input.name) end
return 1
