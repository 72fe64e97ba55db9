/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/pipes.h"

#include <fcntl.h>
#include <unistd.h>

static const struct pipe none = PIPE_NONE;

static void pipe_close(struct pipe *pipe)
{
	close(pipe->read_fd);
	close(pipe->write_fd);
	*pipe = none;
}

bool pipe_take(struct pipes *pipes, struct pipe *pipe)
{
	int fds[2];

	if (pipes->taken >= PIPES_MAX)
		return false;
	if (pipes->spare_count > 0) {
		*pipe = pipes->spare[--pipes->spare_count];
	} else {
		if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
			return false;
		*pipe = (struct pipe){ .read_fd = fds[0], .write_fd = fds[1] };
	}
	pipes->taken++;
	return true;
}

void pipe_give(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe->read_fd < 0)
		return;
	pipes->taken--;
	if (pipe->len > 0 || pipes->spare_count == PIPES_SPARE_MAX)
		pipe_close(pipe);
	else
		pipes->spare[pipes->spare_count++] = *pipe;
	*pipe = none;
}

void pipes_done(struct pipes *pipes)
{
	while (pipes->spare_count > 0)
		pipe_close(&pipes->spare[--pipes->spare_count]);
}
