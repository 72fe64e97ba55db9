-- SPDX-License-Identifier: Apache-2.0
-- The path that is given, each request as another team.
function request()
	wrk.headers["Authorization"] = "Bearer token-of-team-" .. math.random(0, 9999)
	return wrk.format("GET")
end
