-- Acknowledges entries and trims the stream behind them.
-- KEYS: the stream, its surplus. ARGV: the group, how many entries have no surplus, their ids, then of each other entry its
-- id and its surplus.
local group, rest = ARGV[1], 3 + ARGV[2]
-- More than some thousand are too many for one call.
for i = 3, rest - 1, 1000 do
  redis.call('XACK', KEYS[1], group, unpack(ARGV, i, math.min(i + 999, rest - 1)))
end
local shared = {}
for i = rest, #ARGV, 2 do
  shared[ARGV[i]] = ARGV[i + 1]
end
settle(KEYS[1], group, KEYS[2], shared)
