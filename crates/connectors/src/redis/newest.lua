-- Sets a key to a document unless the one that is there is newer: by the first of the fields in which
-- the two differ. Of two that are alike the later one is kept.
-- KEYS[1]; ARGV: the document, milliseconds until it expires or 0, then the fields.
local there = redis.call('GET', KEYS[1])
if there then
    local read, old = pcall(cjson.decode, there)
    if read and type(old) == 'table' then
        local new = cjson.decode(ARGV[1])
        for i = 3, #ARGV do
            local ours, theirs = tonumber(new[ARGV[i]]), tonumber(old[ARGV[i]])
            if ours and theirs then
                if ours < theirs then return 0 end
                if ours > theirs then break end
            end
        end
    end
end
if ARGV[2] == '0' then
    redis.call('SET', KEYS[1], ARGV[1])
else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
