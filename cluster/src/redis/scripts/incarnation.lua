-- Which memory of Redis this is, and whether it is a master's. {incarnation, role}.
local replication = redis.call('INFO', 'replication')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local history = string.match(replication, 'master_replid:(%x+)')
return {run .. '-' .. history, string.match(replication, 'role:(%a+)')}
