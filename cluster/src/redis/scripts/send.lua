-- Appends a frame, once: frames of a sender are numbered, and the number of the last one is kept with the stream, also
-- after the session was fenced. KEYS: 1 stream, 2 cursors, 3 cursors of what is gone.
-- ARGV: 1 stream and sender, 2 number, 3 how many entries the stream may hold (empty: no limit), 4 frame.
local number = tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
  if tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or '-1') >= number then
    return 'kept'
  end
  return 'gone'
end
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '-1') >= number then
  return 'dup'
end
if ARGV[3] ~= '' and redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return 'full'
end
redis.call('XADD', KEYS[1], '*', 'f', ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 'ok'
