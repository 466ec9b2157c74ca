-- Appends orders, unless the stream is full.
-- KEYS: the stream, its surplus. ARGV: the most orders it may hold, then of each entry how many orders and their lines.
-- Returns -1 where nothing was appended.
if backlog(KEYS[1], KEYS[2]) >= tonumber(ARGV[1]) then
  return -1
end
local more = 0
for i = 2, #ARGV, 2 do
  local surplus = ARGV[i] - 1
  if surplus == 0 then
    redis.call('XADD', KEYS[1], '*', 'order', ARGV[i + 1])
  else
    redis.call('XADD', KEYS[1], '*', 'surplus', surplus, 'orders', ARGV[i + 1])
    more = more + surplus
  end
end
if more > 0 then
  redis.call('INCRBY', KEYS[2], more)
end
return 0
