-- Keeps a named document if its version is the expected one ('' for none yet). 1: written (now or by this very write
-- before), 0: not.
local before = answered()
if before then return before end
local document = key(input.kind, input.name)
if version_of(document) ~= input.version then return 0 end
redis.call('HSET', document, 'd', input.document, 'version', input.nonce)
if input.version == '' then redis.call('ZADD', key('names', input.kind), 0, input.name) end
return answer(1)
