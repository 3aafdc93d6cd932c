-- Keeps a named document if its version is the expected one ('' for none yet). 1: written (now or by this very write
-- before), 0: not.
local document = key(input.kind, input.name)
local verdict = judge_write(document)
if verdict ~= 'fresh' then return verdict == 'done' and 1 or 0 end
redis.call('HSET', document, 'd', input.document)
if input.version == '' then redis.call('ZADD', key('names', input.kind), 0, input.name) end
return 1
