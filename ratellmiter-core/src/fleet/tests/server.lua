-- The parts of a Redis server that the script uses: a store of hashes with its commands, and `cmsgpack`. The test sets `cjson` and
-- `CLOCK`, the reply to TIME.

local store = {}

local function hash(key)
    store[key] = store[key] or {}
    return store[key]
end

local commands = {
    TIME = function() return CLOCK end,
    EXPIRE = function() return 1 end,
    HGET = function(key, field) return hash(key)[field] or false end,
    HMGET = function(key, ...)
        local values = {}
        for index, field in ipairs({ ... }) do values[index] = hash(key)[field] or false end
        return values
    end,
    HSET = function(key, field, value)
        assert(type(value) == 'string' or type(value) == 'table', 'HSET stores a string or a packed value')
        hash(key)[field] = value
        return 1
    end,
    HDEL = function(key, ...)
        for _, field in ipairs({ ... }) do hash(key)[field] = nil end
        return 1
    end,
}

redis = {
    call = function(command, ...) return commands[command](...) end,
    error_reply = function(text) return { err = text } end,
}

-- A packed value is a copy, so later changes of the original do not affect it.
local function copy(value)
    if type(value) ~= 'table' then return value end
    local result = {}
    for key, inner in pairs(value) do result[key] = copy(inner) end
    return result
end

cmsgpack = { pack = copy, unpack = copy }

function clear() store = {} end
collectgarbage('setpause', 400)
