-- SPDX-License-Identifier: Apache-2.0
-- A team's answer to a task, each request another team: one in ten is right.
local body = '{"answer":"%s"}'

function init(args)
	math.randomseed(os.time())
end

function request()
	local team, task = math.random(0, 9999), math.random(90, 99)
	local answer = math.random(1, 10) == 1 and "answer-" .. task or "guess-" .. math.random(1, 1000000)
	wrk.headers["Authorization"] = "Bearer token-of-team-" .. team
	wrk.headers["Content-Type"] = "application/json"
	return wrk.format("POST", "/api/v1/challenges/task-0" .. task .. "/submissions", nil,
		body:format(answer))
end
