-- Writes metrics, unless those that are there include more orders.
-- KEYS: the number of orders, the top drinks, the recent orders, then a key for each hour.
-- ARGV: the number of orders, for how many milliseconds it holds against smaller ones, the time, how many top drinks and
-- recent orders follow, these, then for each hour's key when it expires (seconds since 1970; 0: the hour has no orders),
-- the hour's start, its orders, revenue and top drinks.
-- Returns 1, or 0 where nothing was written.
local total, at = ARGV[1], 6
local there = redis.call('GET', KEYS[1])
if there and tonumber(there) > tonumber(total) then
  return 0
end
redis.call('SET', KEYS[1], total, 'PX', ARGV[2])

local function list(key, count)
  redis.call('DEL', key)
  if count > 0 then
    redis.call('RPUSH', key, unpack(ARGV, at, at + count - 1))
    at = at + count
  end
end
list(KEYS[2], tonumber(ARGV[4]))
list(KEYS[3], tonumber(ARGV[5]))

-- Most hours are as they were: what is equal is not written again.
local function is_there(key, hour)
  local found = redis.pcall('HMGET', key, 'hour_start', 'order_count', 'revenue', 'top_drinks')
  for i = 1, 4 do
    if found[i] ~= hour[i] then
      return false
    end
  end
  return true
end

for i = 4, #KEYS do
  local key, expires, hour = KEYS[i], ARGV[at], { unpack(ARGV, at + 1, at + 4) }
  at = at + 5
  if expires == '0' then
    redis.call('DEL', key)
  elseif not is_there(key, hour) then
    redis.call('DEL', key)
    redis.call('HSET', key, 'hour_start', hour[1], 'order_count', hour[2], 'revenue', hour[3], 'top_drinks', hour[4],
      'stored_total', total, 'updated_at', ARGV[3])
    redis.call('EXPIREAT', key, expires)
  end
end
return 1
