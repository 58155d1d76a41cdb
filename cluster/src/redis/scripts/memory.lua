-- What an answer of INFO says. No patterns, which would make it three times as long.
local function told(info, name)
  local _, before = string.find(info, name, 1, true)
  return string.sub(info, before + 1, string.find(info, '\r', before, true) - 1)
end

-- Which memory of Redis this is: another one after every start and every promotion. One question for both, as each takes
-- some microseconds.
local function incarnation()
  local info = redis.call('INFO', 'server', 'replication')
  return told(info, 'run_id:') .. '-' .. told(info, 'master_replid:')
end
