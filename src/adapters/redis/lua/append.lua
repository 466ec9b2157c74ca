-- Appends records, unless the stream is full.
-- KEYS: the stream. ARGV: the most entries it may hold, then the records.
-- Returns how many entries it holds now, or -1 where nothing was appended.
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[1]) then
  return -1
end
for i = 2, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'order', ARGV[i])
end
return length + #ARGV - 1
