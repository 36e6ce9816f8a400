-- How many calls really go through, by the second; newest last.

local function went(count)
    local second = math.floor(now / 1e6)
    local last = doc.through[#doc.through]
    if last and last[1] == second then
        last[2] = last[2] + count
    elseif count > 0 then
        table.insert(doc.through, { second, count })
    end
    while doc.through[1] and doc.through[1][1] < second - 120 do table.remove(doc.through, 1) end
end

local function came_back(count)
    for index = #doc.through, 1, -1 do
        local taken = math.min(doc.through[index][2], count)
        doc.through[index][2], count = doc.through[index][2] - taken, count - taken
    end
end

local function going_through()
    local count, since = 0, now
    for index = #doc.through, 1, -1 do
        if count >= 10 and since + 5e6 <= now then break end
        count, since = count + doc.through[index][2], doc.through[index][1] * 1e6
    end
    local span = (now - since) / 1e6
    if count >= 3 and span >= 1 then return count / span * 60 end
end
