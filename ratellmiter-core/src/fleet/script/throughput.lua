-- The throughput of accepted calls, as in `congestion/adaptive.rs`. `entries` contains { time, number of calls }, oldest first.

-- Adds sent calls, in groups of { age, number }.
function Throughput.add(entries, sent, now)
    for _, run in ipairs(sent) do
        local at, last = now - run[1], entries[#entries]
        if last and at < last[1] + C.THROUGHPUT_GRAIN then
            last[2] = last[2] + run[2]
        else
            table.insert(entries, { at, run[2] })
        end
    end
    while entries[1] and entries[1][1] + C.THROUGHPUT_MAX_SPAN < now do table.remove(entries, 1) end
end

-- Removes a refused call that was sent at `at`.
function Throughput.remove(entries, at)
    for index = #entries, 1, -1 do
        if entries[index][1] <= at and entries[index][2] > 0 then
            entries[index][2] = entries[index][2] - 1
            return
        end
    end
end

-- Returns the throughput since the first call in calls a minute, over pauses as well; nil without a call.
function Throughput.with_pauses(entries, now)
    local count = 0
    for _, entry in ipairs(entries) do count = count + entry[2] end
    if count > 0 then return count / math.max(now - entries[1][1], C.THROUGHPUT_MIN_SPAN) * C.MINUTE end
end

-- Returns the throughput in calls a minute, or nil if there are too few calls to measure.
function Throughput.rate(entries, now)
    local count, since = 0, now
    for index = #entries, 1, -1 do
        if count >= C.THROUGHPUT_CALLS and since + C.THROUGHPUT_SPAN <= now then break end
        count, since = count + entries[index][2], entries[index][1]
    end
    local span = now - since
    if count >= C.THROUGHPUT_MIN_CALLS and span >= C.THROUGHPUT_MIN_SPAN then return count / span * C.MINUTE end
end
