-- Replaces all texts of a channel by those given, and tells listeners to read
-- them anew.
local prefix = ARGV[3] .. '.'
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
	if string.sub(name, 1, #prefix) == prefix then
		redis.call('HDEL', KEYS[1], name)
	end
end
for i = 5, #ARGV, 2 do
	redis.call('HSET', KEYS[1], prefix .. ARGV[i], ARGV[i + 1])
end
local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[1], cjson.encode({job = ARGV[2], n = n, channel = ARGV[3], restart = true}))
return n
