-- Moves happenings from the outbox to the bounded history; those that are there no more were moved before.
for _, place in ipairs(input.places) do
  local entry = redis.call('XRANGE', key('outbox'), place, place)[1]
  if entry then
    redis.call('XADD', key('history'), 'MAXLEN', '~', input.most, '*', 'd', entry[2][2])
    redis.call('XDEL', key('outbox'), place)
  end
end
return 1
