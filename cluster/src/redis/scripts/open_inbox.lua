-- Creates inbox and lease of a session that will join. KEYS: of the session. ARGV: 1 boot, 2 TTL of keys in ms.
-- A session that was fenced or left does not come back, also when this command comes late: its cursors are still there.
if redis.call('EXISTS', KEYS[6], KEYS[8]) > 0 or redis.call('HEXISTS', KEYS[1], 'orphan:' .. ARGV[1]) == 1 then
  return 0
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[3], 'g', '0', 'MKSTREAM')
end
if redis.call('EXISTS', KEYS[4]) == 0 then
  -- The only way to make an empty stream; nobody reads it by the group.
  redis.call('XGROUP', 'CREATE', KEYS[4], 'g', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', KEYS[4], 'g')
end
redis.call('HSET', KEYS[5], 'since', now())
redis.call('SET', KEYS[2], 1, 'NX')
for key = 2, 5 do
  redis.call('PEXPIRE', KEYS[key], ARGV[2])
end
return 1
