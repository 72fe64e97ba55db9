-- SPDX-License-Identifier: Apache-2.0
-- A heartbeat's pace: a request every 5 ms or so on each connection.
function delay()
	return math.random(1, 10)
end
