/* SPDX-License-Identifier: Apache-2.0 */
#include "node/options.h"

const struct option_row node_option_rows[] = {
#define ROW(...) OPTION_ROW(struct node_options, __VA_ARGS__)
	NODE_OPTIONS(ROW)
#undef ROW
		{ .name = NULL },
};
