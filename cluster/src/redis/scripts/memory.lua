-- What an answer of INFO says. A pattern instead of a plain search would make it three times as long.
local function told(section, name)
  local info = redis.call('INFO', section)
  local _, before = string.find(info, name, 1, true)
  return string.sub(info, before + 1, string.find(info, '\r', before, true) - 1)
end

-- Which memory of Redis this is: another one after every start and every promotion.
local function incarnation()
  return told('server', 'run_id:') .. '-' .. told('replication', 'master_replid:')
end
