-- Forgets claimed request entries. KEYS: 1 stream. ARGV: entries.
for _, entry in ipairs(ARGV) do
  redis.call('XACK', KEYS[1], 'g', entry)
  redis.call('XDEL', KEYS[1], entry)
end
return 1
