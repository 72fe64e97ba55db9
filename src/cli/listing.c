/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include "base/err.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/print.h"

int listing_print(struct cli *cli, const char *path, const struct listing *listing, struct err *e)
{
	AUTO(json_t *, json_decrefp) all = NULL;
	struct table *table;
	json_t *row;
	size_t i;
	int r = path ? api_get_all(cli->api, path, &all, e) : err_memory(e);

	if (r < 0)
		return r;
	if (cli->common->json) {
		print_json(all);
		return CLI_OK;
	}
	table = table_new(listing->headings);
	json_array_foreach (json_object_get(all, listing->member), i, row)
		listing->add(table, row);
	table_print(table, listing->empty);
	return CLI_OK;
}
