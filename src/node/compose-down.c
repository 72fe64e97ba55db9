/* SPDX-License-Identifier: Apache-2.0 */
#include "node/compose.h"

#include "base/err.h"
#include "base/own.h"
#include "node/labelled.h"
#include "node/node.h"

#include <stdio.h>

void label_filter(const struct node *node, const char *instance_id, struct label_filter *filter)
{
	snprintf(filter->text[0], sizeof(filter->text[0]), LABEL_NODE "=%s", node->id);
	filter->labels[0] = filter->text[0];
	filter->labels[1] = NULL;
	filter->labels[2] = NULL;
	if (instance_id) {
		snprintf(filter->text[1], sizeof(filter->text[1]), LABEL_INSTANCE "=%s",
			 instance_id);
		filter->labels[1] = filter->text[1];
	}
}

int compose_down(struct node *node, const char *instance_id, unsigned kinds, struct err *e)
{
	struct label_filter filter;

	label_filter(node, instance_id, &filter);
	return labelled_remove(node->engine, kinds, filter.labels, instance_id, e);
}

int compose_instances(struct node *node, json_t **ret_ids, struct err *e)
{
	AUTO(json_t *, json_decrefp) ids = json_object();
	struct label_filter filter;
	int r = ids ? 0 : err_memory(e);

	label_filter(node, NULL, &filter);
	for (int kind = 0; r == 0 && kind < LABELLED_KINDS; kind++) {
		AUTO(json_t *, json_decrefp) found = NULL;
		const char *name, *id;
		json_t *labels;

		r = labelled_list(node->engine, kind, filter.labels, &found, e);
		json_object_foreach (found, name, labels) {
			id = json_string_value(json_object_get(labels, LABEL_INSTANCE));
			if (id && json_object_set_new(ids, id, json_true()) < 0)
				return err_memory(e);
		}
	}
	if (r == 0)
		*ret_ids = TAKE(ids);
	return r;
}
