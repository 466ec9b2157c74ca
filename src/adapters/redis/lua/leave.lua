-- A node's goodbye: others need not wait to see that it is gone.
-- KEYS: the stream, the nodes. ARGV: the group, the node.
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if not consumers.err then
  for _, consumer in ipairs(consumers) do
    local name, pending = consumer[2], consumer[4]
    if string.match(name, '^(.*)/%d+$') == ARGV[2] and pending == 0 then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    end
  end
end
redis.call('ZREM', KEYS[2], ARGV[2])
