-- Puts a dead letter's order back into the stream.
-- KEYS: the stream, its surplus, the dead letters. ARGV: the letter's id, the most orders the stream may hold, the record.
-- Returns 1, or 0 where there is no such letter, or -1 where the stream is full.
if #redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1]) == 0 then
  return 0
end
if backlog(KEYS[1], KEYS[2]) >= tonumber(ARGV[2]) then
  return -1
end
redis.call('XADD', KEYS[1], '*', 'order', ARGV[3])
redis.call('XDEL', KEYS[3], ARGV[1])
return 1
