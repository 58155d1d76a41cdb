-- Replaces the record of the keys of builds if it is still the one that was read. Whoever repeats it finds it done.
-- KEYS: 1 record. ARGV: 1 record that was read, empty if there was none, 2 new record. Whether the new one stands there.
local there = redis.call('GET', KEYS[1]) or ''
if there == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return there == ARGV[2] and 1 or 0
