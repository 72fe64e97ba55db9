/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/progress.h"

#include "base/err.h"
#include "engine/json.h"

int progress_check(const json_t *message, struct err *e)
{
	const char *detail = json_get_text(json_object_get(message, "errorDetail"), "message");

	if (!detail[0])
		detail = json_get_text(message, "error");
	return detail[0] ? err_set(e, ERR_ENGINE, "%s", detail) : 0;
}

int progress_tell(engine_progress_fn *progress, void *cookie, const json_t *message, struct err *e)
{
	const json_t *detail = json_object_get(message, "progressDetail");
	struct engine_progress step = {
		.text = json_get_text(message, "status"),
		.layer = json_string_value(json_object_get(message, "id")),
		.current = json_get_int(detail, "current"),
		.total = json_get_int(detail, "total"),
	};

	return progress && step.text[0] ? progress(cookie, &step, e) : 0;
}
