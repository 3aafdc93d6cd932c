-- Takes a lease or, as its holder, keeps it. 1: it is the caller's, 0: another has it.
local lease = key('claim', input.name)
if redis.call('GET', lease) == input.owner then
  redis.call('PEXPIRE', lease, input.milliseconds)
  return 1
end
return redis.call('SET', lease, input.owner, 'NX', 'PX', input.milliseconds) and 1 or 0
