-- The name of what Redis remembers, which is forgotten with everything else: when it was first asked for. KEYS: 1 name.
local time = redis.call('TIME')
redis.call('SET', KEYS[1], time[1] .. '.' .. time[2], 'NX')
return redis.call('GET', KEYS[1])
