-- Puts a dead letter's order back into the stream.
-- KEYS: the stream, the dead letters. ARGV: the letter's id, the most entries the stream may hold, the record.
-- Returns 1, or 0 where there is no such letter, or -1 where the stream is full.
if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then
  return 0
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  return -1
end
redis.call('XADD', KEYS[1], '*', 'order', ARGV[3])
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
