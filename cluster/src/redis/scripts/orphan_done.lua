-- Forgets entries of an orphan that were answered, and the orphan once nothing is left of it.
-- KEYS: of the session. ARGV: 1 boot, 2 TTL of keys in ms, 3 how many request entries follow, then these, then reply entries.
local requests = tonumber(ARGV[3])
for place = 4, #ARGV do
  if place < 4 + requests then
    redis.call('XACK', KEYS[6], 'g', ARGV[place])
    redis.call('XDEL', KEYS[6], ARGV[place])
  else
    redis.call('XDEL', KEYS[7], ARGV[place])
  end
end

if redis.call('XLEN', KEYS[7]) > 0 then
  return 1
end
if redis.call('EXISTS', KEYS[6]) == 1 then
  if redis.call('XPENDING', KEYS[6], 'g')[1] > 0 then
    return 1
  end
  local group = redis.call('XINFO', 'GROUPS', KEYS[6])[1]
  for field = 1, #group, 2 do
    if group[field] == 'last-delivered-id'
      and #redis.call('XRANGE', KEYS[6], '(' .. group[field + 1], '+', 'COUNT', 1) > 0 then
      return 1
    end
  end
end
redis.call('DEL', KEYS[6], KEYS[7])
-- Senders in doubt may still ask what became of their frames.
redis.call('PEXPIRE', KEYS[8], ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('HDEL', KEYS[1], 'orphan:' .. ARGV[1])
end
return 1
