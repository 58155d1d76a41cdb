-- Which memory of Redis this is, and whether it is a master's. {incarnation, role}.
return {incarnation(), told(redis.call('INFO', 'replication'), 'role:')}
