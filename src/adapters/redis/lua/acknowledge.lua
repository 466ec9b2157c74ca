-- Acknowledges entries and trims the stream behind them.
-- KEYS: the stream. ARGV: the group, then the entries' ids.
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
trim(KEYS[1], ARGV[1])
