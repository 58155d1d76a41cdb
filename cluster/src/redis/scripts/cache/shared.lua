-- Before the text of every script on the log of revalidations.
-- KEYS: 1 inc, 2 log, 3 acks, 4 grants, 5 declared, 6 the channel of pushes, which is no key.
-- ARGV of all but `open`: 1 epoch, 2 when it began, 3 TTL of keys in ms, 4 most entries of the log, 5 and of an answer,
-- 6 most bytes of an answer, then what the script takes. Marks are packed by whoever publishes; see payload.rs.

local SEQUENCE_MAX = 2 ^ 36 - 1

-- What stands of an epoch, of whatever memory, or nothing if somebody who is registered was lost from it.
local function epoch_kept()
  local there = redis.call('HMGET', KEYS[1], 'epoch', 'began', 'memory', 'sequence', 'readers')
  local readers = tonumber(there[5])
  if redis.call('ZCARD', KEYS[3]) ~= readers or redis.call('HLEN', KEYS[4]) ~= readers then
    return nil
  end
  return {number = there[1], began = there[2], memory = there[3], tail = tonumber(there[4]), readers = readers}
end

-- The same, or nothing if it is not of this memory.
local function epoch_there()
  local there = epoch_kept()
  return there and there.memory == incarnation() and there or nil
end

-- The sequence of the last entry, or nothing if this is not the epoch of the caller.
local function tail_of(there)
  return there and there.number == ARGV[1] and there.began == ARGV[2] and there.tail or nil
end

-- The same of the epoch of this memory.
local function tail_of_epoch()
  return tail_of(epoch_there())
end

-- Up to where all who are registered have applied everything.
local function watermark(tail)
  return tonumber(redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2] or tail)
end

-- Tells all that listen where the watermark is.
local function push_watermark(now)
  redis.call('PUBLISH', KEYS[6], 'w' .. ARGV[2] .. '-' .. ARGV[1] .. '-' .. now)
end

-- The same if it was raised.
local function tell_watermark(before, now)
  if now > before and redis.call('ZCARD', KEYS[3]) > 0 then
    push_watermark(now)
  end
end

-- Raises up to where a reader has applied everything, if it is registered, and gives back the watermark. Only that of the
-- last one raises it, at most up to the one before.
local function acknowledge(process, applied, tail)
  local last = redis.call('ZRANGE', KEYS[3], 0, 1, 'WITHSCORES')
  local before = tonumber(last[2] or tail)
  redis.call('ZADD', KEYS[3], 'XX', 'GT', applied, process)
  local now = last[1] == process and math.max(before, math.min(applied, tonumber(last[4] or applied))) or before
  if now > before then
    push_watermark(now)
  end
  return now
end

-- Appends an entry and pushes it. An id that is not after the last one raises an error before anything is written.
local function append(tail, marks)
  local sequence = tail + 1
  local id = ARGV[1] .. '-' .. sequence
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], id, 'm', marks)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  redis.call('HSET', KEYS[1], 'sequence', sequence)
  redis.call('PUBLISH', KEYS[6], 'e' .. ARGV[2] .. '-' .. id .. ' ' .. marks)
  return sequence
end

-- The marks of the entries after one and up to another, as many as fit, or false where some are gone.
local function following(after, through)
  local all, bytes = {}, 0
  if after == through then
    return all
  end
  local from, to = ARGV[1] .. '-' .. after + 1, ARGV[1] .. '-' .. through
  for place, entry in ipairs(redis.call('XRANGE', KEYS[2], from, to, 'COUNT', ARGV[5])) do
    local marks = entry[2][2]
    bytes = bytes + #marks
    if entry[1] ~= ARGV[1] .. '-' .. after + place then
      return false
    end
    if place > 1 and bytes > tonumber(ARGV[6]) then
      break
    end
    all[place] = marks
  end
  return #all > 0 and all
end

-- The next number of this epoch: one for each lease, and one for each reader that was reaped.
local function next_number()
  return redis.call('HINCRBY', KEYS[1], 'numbers', 1)
end

-- The number that a reader was given when it was reaped, if it was in this epoch.
local function reaped(process)
  local began, number = string.match(redis.call('HGET', KEYS[1], 'reaped:' .. process) or '', '^(%d+)-(%d+)$')
  return began == ARGV[2] and number or nil
end

local function unregister(process)
  if redis.call('ZREM', KEYS[3], process) == 1 then
    redis.call('HINCRBY', KEYS[1], 'readers', -1)
  end
  redis.call('HDEL', KEYS[4], process)
end

local function forget(process)
  unregister(process)
  redis.call('HDEL', KEYS[5], process)
  redis.call('HDEL', KEYS[1], 'reaped:' .. process)
end

-- All keys go away together.
local function keep(ttl_ms)
  for key = 1, 5 do
    redis.call('PEXPIRE', KEYS[key], ttl_ms)
  end
end
