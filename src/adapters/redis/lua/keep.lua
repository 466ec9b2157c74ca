-- A node's round: shows that it lives, takes over what silent nodes have not acknowledged, and tells how the stream is.
-- KEYS: the stream, its surplus, the nodes with the time of their last round, the dead letters.
-- ARGV: the group, this node, how many readers it has, after how many milliseconds a node counts as dead, the most entries
-- to take over at once.
-- Returns orders, entries, lag (-1: unknown), pending, taken over, dead letters, then what is pending for each reader of this
-- node. All but the first and the dead letters are entries.
local stream, nodes, dead = KEYS[1], KEYS[3], KEYS[4]
local group, node, readers = ARGV[1], ARGV[2], tonumber(ARGV[3])
local silence, budget = tonumber(ARGV[4]), tonumber(ARGV[5])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', nodes, now, node)
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', now - 100 * silence)

local function map(list)
  local result = {}
  for i = 1, #list, 2 do
    result[list[i]] = list[i + 1]
  end
  return result
end

local lag, pending, claimed, own = -1, 0, 0, {}
for i = 1, readers do
  own[i] = 0
end

-- Entries go over to this node's first reader. A consumer without entries is forgotten, one with entries never: its
-- entries would be acknowledged unread.
local function take_over(name, left)
  if left > 0 and budget > 0 then
    local ids = {}
    for _, entry in ipairs(redis.call('XPENDING', stream, group, '-', '+', math.min(budget, 1000), name)) do
      ids[#ids + 1] = entry[1]
    end
    claimed = claimed + #ids
    budget = budget - #ids
    left = left - #ids
    ids[#ids + 1] = 'JUSTID'
    redis.call('XCLAIM', stream, group, node .. '/0', 0, unpack(ids))
  end
  if left == 0 then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
  end
end

-- Without the stream or its group there is nothing to take over; a reader creates and reports it.
local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
if not consumers.err then
  for _, found in ipairs(consumers) do
    local consumer = map(found)
    local owner, number = string.match(consumer.name, '^(.*)/(%d+)$')
    if owner == node then
      own[tonumber(number) + 1] = consumer.pending
    else
      local last = owner and redis.call('ZSCORE', nodes, owner)
      local silent = not last or now - last > silence
      if silent and consumer.idle > silence then
        take_over(consumer.name, consumer.pending)
      end
    end
  end
  own[1] = own[1] + claimed
  pending = redis.call('XPENDING', stream, group)[1]
  for _, found in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = map(found)
    if info.name == group and info.lag then
      lag = info.lag
    end
  end
end

return { backlog(stream, KEYS[2]), redis.call('XLEN', stream), lag, pending, claimed, redis.call('XLEN', dead), unpack(own) }
