/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/loop.h"

#include "base/err.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 64 };

int loop_open(int *ret_loop, struct err *e)
{
	*ret_loop = epoll_create1(EPOLL_CLOEXEC);
	return *ret_loop < 0 ? err_errno(e, ERR_INTERNAL, "make an epoll") : 0;
}

int loop_add(int loop, int fd, enum loop_edge edge, struct watch *watch, struct err *e)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	if (edge == LOOP_EDGE)
		event.events |= EPOLLOUT | EPOLLRDHUP | EPOLLET;
	return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0
		       ? err_errno(e, ERR_INTERNAL, "watch a descriptor")
		       : 0;
}

int loop_turn(int loop, int timeout_ms, struct err *e)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(loop, events, EVENTS_MAX, timeout_ms);

	if (count < 0 && errno != EINTR)
		return err_errno(e, ERR_INTERNAL, "wait for descriptors");
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->ready(watch, events[i].events);
	}
	return 0;
}
