-- The record of the keys of builds, and the time. KEYS: 1 record. {time in ms, record or nothing}.
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('GET', KEYS[1])}
