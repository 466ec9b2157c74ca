-- A page of dead letters, with the fields of their entries unpacked.
-- KEYS: the dead letters. ARGV: XRANGE or XREVRANGE, from where, to where, the most letters.
local letters = redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'COUNT', ARGV[4])
for _, letter in ipairs(letters) do
  local fields = letter[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'packed_entry' then
      local readable, unpacked = pcall(cmsgpack.unpack, fields[i + 1])
      if readable and type(unpacked) == 'table' then
        fields[i + 1] = unpacked
      end
    end
  end
end
return letters
