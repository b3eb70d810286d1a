-- Chooses a router for each request. Runs in nginx; the list comes over the control socket, so that a router that
-- comes or goes needs no reload, which would close connections that clients keep open.
local balancer = require 'ngx.balancer'
local shared = ngx.shared.routers

local steer = {}
local DOWN_S = 2
local MOST_RETRIES = 2
local known = { version = -1, peers = {} }

local function parse(text)
  local peers = {}
  for host, port in text:gmatch('(%S+) (%d+)\n') do
    peers[#peers + 1] = { host = host, port = tonumber(port), key = 'down ' .. host .. ' ' .. port }
  end
  return peers
end

local function current()
  local version = shared:get('version') or 0
  if version ~= known.version then
    known = { version = version, peers = parse(shared:get('list') or '') }
  end
  return known.peers
end

function steer.set(text)
  shared:set('list', text)
  shared:incr('version', 1, 0)
end

-- A fresh start serves at once with what the former one knew; a reload keeps the memory.
function steer.open(path)
  if shared:get('version') then return end
  local file = io.open(path, 'r')
  if not file then return end
  steer.set(file:read('*a'))
  file:close()
end

-- Headers that only a proxy may write are dropped, whoever sent them.
function steer.clean()
  if #current() == 0 then return ngx.exec('@none') end
  for name in pairs(ngx.req.get_headers(0, true)) do
    local lower = name:lower()
    if lower:sub(1, 12) == 'x-forwarded-' or lower == 'forwarded' then ngx.req.clear_header(name) end
  end
end

-- Round robin over the routers that were not tried yet and took the last connection; over all when there is none.
local function pick(peers, tried)
  local turn = shared:incr('turn', 1, 0)
  local fallback
  for offset = 0, #peers - 1 do
    local peer = peers[(turn + offset) % #peers + 1]
    if not tried[peer.key] then
      if not shared:get(peer.key) then return peer end
      fallback = fallback or peer
    end
  end
  return fallback or peers[turn % #peers + 1]
end

function steer.choose()
  local peers = current()
  if #peers == 0 then return ngx.exit(ngx.ERROR) end
  local context = ngx.ctx
  if context.tried then
    -- Only who refuses connections is passed over: a kept connection that the router closed says nothing about it.
    local times = ngx.var.upstream_connect_time or ''
    if balancer.get_last_failure() and times:match('%-$') then shared:set(context.last.key, true, DOWN_S) end
  else
    context.tried = {}
    balancer.set_more_tries(MOST_RETRIES)
  end
  local peer = pick(peers, context.tried)
  context.tried[peer.key] = true
  context.last = peer
  local ok, problem = balancer.set_current_peer(peer.host, peer.port)
  if not ok then
    ngx.log(ngx.ERR, 'router ', peer.host, ': ', problem)
    return ngx.exit(ngx.ERROR)
  end
end

-- PUT /routers on the control socket.
function steer.control()
  ngx.req.read_body()
  steer.set(ngx.req.get_body_data() or '')
  ngx.print('ok\n')
end

return steer
