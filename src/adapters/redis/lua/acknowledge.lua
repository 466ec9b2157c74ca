-- Acknowledges entries and trims the stream behind them.
-- KEYS: the stream, its surplus. ARGV: the group, how many entries have one order, their ids, then of each other entry its
-- id and how many orders it has.
local group, singles = ARGV[1], tonumber(ARGV[2])
if singles > 0 then
  redis.call('XACK', KEYS[1], group, unpack(ARGV, 3, 2 + singles))
end
local less = 0
for i = 3 + singles, #ARGV, 2 do
  less = less + redis.call('XACK', KEYS[1], group, ARGV[i]) * (ARGV[i + 1] - 1)
end
trim(KEYS[1], group, KEYS[2], less)
