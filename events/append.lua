-- Appends to a text, if it has the length that the writer thinks it has, and
-- publishes the appendix. Returns the delta's number, or -1 if the length is
-- another: texts were lost, or an earlier attempt has left some.
local name = ARGV[3] .. '.' .. ARGV[4]
local text = redis.call('HGET', KEYS[1], name) or ''
if #text ~= tonumber(ARGV[5]) then
	return -1
end
redis.call('HSET', KEYS[1], name, text .. ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('PUBLISH', ARGV[1], cjson.encode({job = ARGV[2], n = n, channel = ARGV[3], field = ARGV[4], text = ARGV[6]}))
return n
