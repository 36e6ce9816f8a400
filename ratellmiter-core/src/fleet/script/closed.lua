-- The closed state of the fleet, as in `congestion/closed.rs`: its reason, its end if known, and the one process that may send calls.
-- It gets a new generation when it starts and when its end changes, so a late report of an accepted call opens no newer one.

-- Sets the reason and the end that a process has reported.
local function set(s, news)
    local doc = s.doc
    -- Milliseconds of the server's clock, which differ from those of a lost document.
    local wall = math.floor((tonumber(doc.zero) + s.now) / 1000)
    doc.generation = math.max(wall, (doc.generation or 0) + 1)
    doc.closed.generation, doc.closed.reason = doc.generation, news.reason
    doc.closed.opens_at = news.opens_in and s.now + news.opens_in
end

-- Closes or opens the fleet by the report of a process, or opens it by time.
function Closed.apply(s)
    local doc, report, now = s.doc, s.report, s.now
    if report.accepted then doc.accepted = { id = s.id, at = now - report.accepted } end
    local closed, news = doc.closed, report.closed
    if closed and (closed.generation == report.opened or closed.opens_at and closed.opens_at <= now) then
        doc.closed, closed = nil, nil
        -- The calls that were sent meanwhile have used no slots.
        if (report.paced or 0) > 0 then doc.next_slot = math.max(doc.next_slot, now + report.paced + s.tolerance()) end
        Pause.reopen(doc.pause, now)
    end
    if not news then return end
    local is_known = news.generation ~= nil and report.epoch == doc.zero
    -- The process has not heard yet that the fleet has opened, or that the end has changed.
    if is_known and not (closed and closed.generation == news.generation) then return end
    if not closed then
        doc.closed = { probe = s.id }
        set(s, news)
    elseif news.opens_in and (news.is_news or not is_known) then
        local is_same = closed.opens_at and math.abs(now + news.opens_in - closed.opens_at) <= C.SECOND
        if not is_same or closed.reason ~= news.reason then set(s, news) end
    end
    if doc.closed.probe == s.id then
        doc.closed.next_probe, doc.closed.next_unfailing = now + news.next_probe, now + news.next_unfailing
    end
end

-- Takes the permission to send calls from a process that ends.
function Closed.drop_probe(doc, id)
    if doc.closed and doc.closed.probe == id then doc.closed.probe = nil end
end

-- Passes the permission to send calls on. Only its owner can return it, so two processes never have it.
function Closed.assign(s)
    local closed, news = s.doc.closed, s.report.closed
    s.me.wants_probe = news and news.wants or false
    if not closed then return end
    local releases = news and news.releases and closed.probe == s.id
    if releases then closed.probe = nil end
    s.is_probe_wanted = false
    for member in Members.others(s) do s.is_probe_wanted = s.is_probe_wanted or member.wants_probe end
    local is_next = not s.is_probe_wanted or s.me.wants_probe and not releases or news and news.probes
    if not closed.probe and is_next then closed.probe = s.id end
end

-- Returns the closed state for the reply; nil while the fleet is open.
function Closed.reply(s)
    local closed = s.doc.closed
    return closed and {
        generation = closed.generation, reason = closed.reason, opens_in = closed.opens_at and closed.opens_at - s.now,
        may_send = closed.probe == s.id, is_wanted = s.is_probe_wanted,
        next_probe = math.max(closed.next_probe - s.now, 0), next_unfailing = math.max(closed.next_unfailing - s.now, 0),
    }
end

-- Returns the age of the last call that another process reported as accepted, if that is the last of all.
function Closed.accepted(s)
    local accepted = s.doc.accepted
    return accepted and accepted.id ~= s.id and s.now - accepted.at or nil
end
