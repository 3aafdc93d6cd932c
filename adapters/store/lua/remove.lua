-- Forgets a named document; the document, or false.
local document = key(input.kind, input.name)
local held = redis.call('HGET', document, 'd')
redis.call('DEL', document)
redis.call('ZREM', key('names', input.kind), input.name)
return held
