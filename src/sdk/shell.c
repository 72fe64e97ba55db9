/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal in one of an instance's containers. */
#include "base/err.h"
#include "http/terminal.h"
#include "sdk/client.h"

#include <limits.h>

struct ctfy_shell {
	struct terminal *terminal;
};

static void shell_closep(struct ctfy_shell **shell)
{
	ctfy_shell_close(*shell);
}

static int check_size(unsigned columns, unsigned rows, struct ctfy_error *error)
{
	if (columns > 0 && rows > 0)
		return 0;
	return sdk_refuse_argument(error, "a terminal of %u columns and %u rows is not possible",
				   columns, rows);
}

int ctfy_node_open_shell(struct ctfy_node_client *client, const char *instance_id,
			 const char *container_id, unsigned columns, unsigned rows,
			 struct ctfy_shell **ret_shell, const struct ctfy_call *call,
			 struct ctfy_error *error)
{
	AUTO(struct ctfy_shell *, shell_closep) shell = calloc(1, sizeof(*shell));
	char size[64];
	const struct request request = {
		.path = { "/instances/", instance_id, "/containers/", container_id, "/shell" },
		.query = size,
	};
	int r = shell ? check_size(columns, rows, error) : sdk_fail_memory(error);

	if (r < 0)
		return r;
	snprintf(size, sizeof(size), "?cols=%u&rows=%u", columns, rows);
	r = sdk_open_terminal(client, &request, call, &shell->terminal, error);
	if (r < 0)
		return r;
	*ret_shell = TAKE(shell);
	return 0;
}

static int milliseconds(double seconds)
{
	return seconds < 0 ? -1 : seconds * 1000 < INT_MAX ? (int)(seconds * 1000) : INT_MAX;
}

int ctfy_shell_read(struct ctfy_shell *shell, void *bytes, size_t size, double timeout,
		    size_t *ret_size, struct ctfy_error *error)
{
	struct err e = ERR_INIT;
	int r = terminal_read(shell->terminal, bytes, size, milliseconds(timeout), ret_size, &e);

	return r < 0 ? sdk_fail(error, &e) : 0;
}

int ctfy_shell_write(struct ctfy_shell *shell, const void *bytes, size_t size,
		     struct ctfy_error *error)
{
	struct err e = ERR_INIT;

	return terminal_write(shell->terminal, bytes, size, &e) < 0 ? sdk_fail(error, &e) : 0;
}

int ctfy_shell_resize(struct ctfy_shell *shell, unsigned columns, unsigned rows,
		      struct ctfy_error *error)
{
	struct err e = ERR_INIT;
	int r = check_size(columns, rows, error);

	if (r < 0)
		return r;
	return terminal_resize(shell->terminal, columns, rows, &e) < 0 ? sdk_fail(error, &e) : 0;
}

int ctfy_shell_exit_code(const struct ctfy_shell *shell)
{
	return terminal_exit_code(shell->terminal);
}

void ctfy_shell_close(struct ctfy_shell *shell)
{
	if (!shell)
		return;
	terminal_close(shell->terminal);
	free(shell);
}
