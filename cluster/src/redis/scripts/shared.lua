-- Before the text of every script that changes a session or the view.
-- KEYS of a session: 1 view, 2 lease, 3 in, 4 re, 5 cur, 6 orph, 7 ore, 8 ocur.

-- Which memory it is, as a connection learns it: that of a server, under the name of what it remembers.
local server = incarnation
local function incarnation()
  return server() .. '-' .. remembered
end

-- The clock of Redis, in milliseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The next version of the view: it grows across a roll-back, too, as it is never below the clock.
local function raise()
  local last = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
  local version = string.format('%.0f', math.max(last + 1, now()))
  redis.call('HSET', KEYS[1], 'version', version)
  return version
end

local function rename(from, to, ttl_ms)
  if redis.call('EXISTS', from) == 1 then
    redis.call('RENAME', from, to)
    redis.call('PEXPIRE', to, ttl_ms)
  end
end

-- Ends a session: from here on nothing is added to its streams and nothing is claimed from them.
local function freeze(keys, ttl_ms)
  redis.call('DEL', keys[2])
  rename(keys[3], keys[6], ttl_ms)
  rename(keys[4], keys[7], ttl_ms)
  rename(keys[5], keys[8], ttl_ms)
end

local function forget_member(boot)
  redis.call('HDEL', KEYS[1], 'build:' .. boot, 'lined:' .. boot, 'keys:' .. boot, 'draining:' .. boot,
    'acked:' .. boot, 'busy:' .. boot, 'said:' .. boot)
end
