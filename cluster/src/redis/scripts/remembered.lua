-- Before the text of every script on sessions and idempotency keys. The last key and the last argument say which memory the
-- connection learned of: a Redis that forgot everything and went on has another name for it, or none, and refuses.
local remembered, memory = table.remove(ARGV), table.remove(KEYS)
if redis.call('GET', memory) ~= remembered then
  return 'lost'
end
