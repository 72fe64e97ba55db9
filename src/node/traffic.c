/* SPDX-License-Identifier: Apache-2.0 */
#include "node/traffic.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "flow/reader.h"
#include "node/evidence.h"

#include <jansson.h>
#include <string.h>

/* What the start said, or the instance's own. */
int traffic_dir(struct node *node, const char *instance_id, char **ret_dir, struct err *e)
{
	AUTO(json_t *, json_decrefp) spec = NULL;
	const char *dir;
	int r = evidence_spec(node, instance_id, &spec, e);

	if (r < 0)
		return r;
	dir = json_string_value(json_object_get(spec, "proxy_output_dir"));
	*ret_dir = dir ? strdup(dir) : evidence_path(node, instance_id, "traffic");
	return *ret_dir ? 0 : err_memory(e);
}

int traffic_path(struct node *node, const char *instance_id, char **ret_path, struct err *e)
{
	AUTO(char *, freep) dir = NULL;
	int r = traffic_dir(node, instance_id, &dir, e);

	if (r < 0)
		return r;
	*ret_path = strf("%s/" TRAFFIC_FILE, dir);
	return *ret_path ? 0 : err_memory(e);
}

int traffic_end(struct node *node, const char *instance_id, struct err *e)
{
	AUTO(char *, freep) path = NULL;
	int r = traffic_path(node, instance_id, &path, e);

	return r < 0 ? r : flow_file_end(path, e);
}
