-- Keeps a batch of reports in order. `hearing.py` and `logs.py` say the same in Python.
local RANK = {Pending = 0, InProgress = 1, Unknown = 2, Succeeded = 3, Failed = 3, Skipped = 3}

local function hello(report)
  local seen = key('seen', report.host)
  local at = redis.call('HGET', seen, 'at')
  if at and tonumber(at) > tonumber(report.at) then return end
  redis.call('HSET', seen, 'at', report.at, 'd', report.d)
  redis.call('ZADD', key('agents'), report.at, report.host)
  redis.call('ZREMRANGEBYSCORE', key('agents'), '-inf', '(' .. report.forget)
end

-- A report of an event: true if it changed the record.
local function event(report, record)
  local held = redis.call('HGET', record, report.event)
  local status, start = 'Pending', ''
  if held then status, start = string.match(held, '^([^|]*)|([^|]*)|') end
  local changed = false
  if RANK[report.status] > RANK[status] then
    if report.start ~= '' then start = report.start end
    redis.call('HSET', record, report.event, report.status .. '|' .. start .. '|' .. report['end'])
    if report.rest then
      redis.call('HSET', record, '!' .. report.event, report.rest)
    else
      redis.call('HDEL', record, '!' .. report.event)
    end
    if report.at ~= '' then redis.call('HSET', record, 'updated', report.at) end
    changed = true
  end
  if report.interrupted and redis.call('HSETNX', record, 'interrupted', 1) == 1 then changed = true end
  if changed then redis.call('HINCRBY', record, 'version', 1) end
  return changed
end

-- An event that runs still: its start is told again by whoever looks at it.
local function told_again(report, record)
  local held = redis.call('HGET', record, report.event)
  return report.status == 'InProgress' and held and string.match(held, '^InProgress|') ~= nil
end

-- The numbers below `next` that were not seen yet, as 'start-end,start-end'.
local function parse_gaps(text)
  local gaps = {}
  for start, stop in string.gmatch(text, '(%d+)-(%d+)') do gaps[#gaps + 1] = {tonumber(start), tonumber(stop)} end
  return gaps
end

local function trim_gaps(gaps)
  while #gaps > input.most_gaps do table.remove(gaps, 1) end
end

local function format_gaps(gaps)
  local texts = {}
  for _, gap in ipairs(gaps) do texts[#texts + 1] = string.format('%.0f-%.0f', gap[1], gap[2]) end
  return table.concat(texts, ',')
end

local function is_new(log, number)
  if number >= log.next then
    if number > log.next then table.insert(log.gaps, {log.next, number}) end
    trim_gaps(log.gaps)
    log.next = number + 1
    return true
  end
  for at, gap in ipairs(log.gaps) do
    if gap[1] <= number and number < gap[2] then
      table.remove(log.gaps, at)
      if number + 1 < gap[2] then table.insert(log.gaps, at, {number + 1, gap[2]}) end
      if gap[1] < number then table.insert(log.gaps, at, {gap[1], number}) end
      trim_gaps(log.gaps)
      return true
    end
  end
  return false
end

local function keep_line(name, log, number, text)
  local size = #text + 1
  local line = string.format('%.0f %s', number, text)
  if not log.full and log.head + size <= input.half then
    log.head = log.head + size
    redis.call('RPUSH', name .. ':head', line)
    return
  end
  log.full = true
  log.tail = log.tail + size
  redis.call('RPUSH', name .. ':tail', line)
  while log.tail > input.half do
    local oldest = redis.call('LPOP', name .. ':tail')
    local weight = #oldest - string.find(oldest, ' ', 1, true) + 1
    log.tail = log.tail - weight
    log.dropped = log.dropped + weight
  end
end

local function read_log(name, attempt)
  local held = redis.call('HMGET', name, 'attempt', 'next', 'gaps', 'head', 'tail', 'dropped', 'full')
  if held[1] ~= attempt then
    redis.call('DEL', name, name .. ':head', name .. ':tail')
    held = {}
  end
  return {
    next = tonumber(held[2] or 0),
    gaps = parse_gaps(held[3] or ''),
    head = tonumber(held[4] or 0),
    tail = tonumber(held[5] or 0),
    dropped = tonumber(held[6] or 0),
    full = held[7] == '1',
  }
end

local function number_text(number)
  return string.format('%.0f', number)
end

-- Lines of an event's log: true if one of them was new.
local function lines(report)
  local name = key('log', report.id, report.target, report.event)
  local log = read_log(name, report.attempt)
  local any = false
  for at, text in ipairs(report.lines) do
    local number = report.first + at - 1
    if is_new(log, number) then
      keep_line(name, log, number, text)
      any = true
    end
  end
  if any then
    redis.call('HSET', name, 'attempt', report.attempt, 'next', number_text(log.next), 'gaps', format_gaps(log.gaps),
      'head', number_text(log.head), 'tail', number_text(log.tail), 'dropped', number_text(log.dropped),
      'full', log.full and 1 or 0)
  end
  return any
end

-- XX only moves what is due already, so that a retired lane stays away.
local function look_again(report, phase, lane)
  redis.call('ZADD', due_key(report.id, phase, tonumber(lane)), 'XX', report.check_at, lane)
  refresh_due(report.id, phase, shard_of(tonumber(lane)))
end

local function hear(report)
  local record = key('target', report.id, report.target)
  local held = redis.call('HMGET', record, 'status', 'attempt', 'phase', 'lane')
  if not held[1] or held[2] ~= report.attempt then return end
  local under_way = held[1] == 'InProgress'
  local changed = false
  if report.kind == 'log' then
    -- Lines are told beside the chain of events and may come after its end.
    changed = lines(report)
  elseif under_way then
    changed = event(report, record) or told_again(report, record)
  end
  if changed and under_way and report.check_at ~= '' and held[3] then look_again(report, held[3], held[4]) end
end

for _, report in ipairs(input.reports) do
  if report.kind == 'hello' then hello(report) else hear(report) end
end
return 1
