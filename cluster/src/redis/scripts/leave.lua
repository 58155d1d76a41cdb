-- Stops being a member, if nothing is left in the inbox. KEYS: of the session. ARGV: 1 boot, 2 TTL of keys in ms.
if redis.call('XLEN', KEYS[3]) > 0 then
  return 0
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  freeze(KEYS, ARGV[2])
  redis.call('DEL', KEYS[6], KEYS[7])
  if redis.call('HEXISTS', KEYS[1], 'acked:' .. ARGV[1]) == 1 then
    forget_member(ARGV[1])
    raise()
  end
end
return 1
