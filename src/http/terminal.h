/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of a shell: a terminal on another machine, over a WebSocket. Binary messages
 * are its bytes; text messages are control, {"type": "resize", "cols":, "rows":} to the server and
 * {"type": "exit", "code":} from it.
 *
 * One thread may read while another writes. Pings are answered while somebody reads. Its client
 * must outlive it.
 */
#ifndef HTTP_TERMINAL_H
#define HTTP_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct http_call;
struct http_client;
struct http_reply;
struct terminal;

enum { TERMINAL_NO_CODE = -1 };

/*
 * The call says path, further headers and how long opening may take. Fails as http_tunnel_open()
 * does: with PROTOCOL the server's refusal is in ret_reply.
 */
int terminal_open(struct http_client *client, const struct http_call *call,
		  struct terminal **ret_terminal, struct http_reply *ret_reply, struct err *e);

/*
 * Waits up to timeout_ms (-1: for ever) for what its process writes; ret_len 0: it has ended. Fails
 * with TIMEOUT, TRANSPORT (the connection is lost) or PROTOCOL.
 */
int terminal_read(struct terminal *terminal, void *bytes, size_t size, int timeout_ms,
		  size_t *ret_len, struct err *e);

/* Waits until all is sent. Fails with TRANSPORT. */
int terminal_write(struct terminal *terminal, const void *bytes, size_t len, struct err *e);
int terminal_resize(struct terminal *terminal, unsigned columns, unsigned rows, struct err *e);

/* After its end: the process' exit code; TERMINAL_NO_CODE: its container went, or the server. */
int terminal_exit_code(const struct terminal *terminal);

/* From any thread: who reads sees the end, who writes fails. */
void terminal_stop(struct terminal *terminal);

/* Hangs up: a process that still runs is ended by the server. */
void terminal_close(struct terminal *terminal);
static inline void terminal_closep(struct terminal **terminal)
{
	terminal_close(*terminal);
}

#endif
