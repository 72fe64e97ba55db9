/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "http/budget.h"
#include "http/call.h"
#include "http/serve.h"

#include "check.h"
#include "http-world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 30000 };

static const uint64_t MIB = 1 << 20;

static struct bill bill_of(struct budget *budget, enum payer_kind kind, const char *account,
			   const char *address)
{
	return (struct bill){ budget, payer_of(7, kind, account, address), 0 };
}

TEST(an_account_has_an_eighth_and_the_accounts_of_an_address_a_half)
{
	static struct budget budget = { .most = 800 };
	struct bill first = bill_of(&budget, PAYER_ACCOUNT, "ann", "192.0.2.1");
	struct bill same = bill_of(&budget, PAYER_ACCOUNT, "ann", "192.0.2.2");
	struct bill others[4], elsewhere = bill_of(&budget, PAYER_ACCOUNT, "eve", "192.0.2.2");

	CHECK_EQ(bill_raise(&first, 60), BUDGET_FITS);
	CHECK_EQ(bill_raise(&first, 101), BUDGET_SHARE_USED);
	CHECK_EQ(bill_raise(&first, 100), BUDGET_FITS);
	CHECK_EQ(bill_raise(&same, 1), BUDGET_SHARE_USED);
	for (unsigned i = 0; i < 4; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		others[i] = bill_of(&budget, PAYER_ACCOUNT, name, "192.0.2.1");
		CHECK_EQ(bill_raise(&others[i], 100), i < 3 ? BUDGET_FITS : BUDGET_SHARE_USED);
	}
	CHECK_EQ(bill_raise(&elsewhere, 100), BUDGET_FITS);
	CHECK_EQ(atomic_load(&budget.all), 500);
	CHECK_EQ(atomic_load(&budget.refused), 3);
	bill_end(&first);
	CHECK_EQ(bill_raise(&same, 100), BUDGET_FITS);
	CHECK_EQ(bill_raise(&others[3], 100), BUDGET_FITS);
}

TEST(who_shows_no_account_leaves_three_quarters_to_those_who_do)
{
	static struct budget budget = { .most = 1600 };
	struct bill account = bill_of(&budget, PAYER_ACCOUNT, "ann", "192.0.2.0");
	struct bill ours = bill_of(&budget, PAYER_OURS, NULL, "192.0.2.0");
	uint64_t taken = 0;

	for (unsigned i = 0; i < 8; i++) {
		char address[] = "192.0.2.0";
		struct bill bill;

		address[8] = (char)('0' + i);
		bill = bill_of(&budget, PAYER_STRANGER, NULL, address);
		CHECK_EQ(bill_raise(&bill, 101), BUDGET_SHARE_USED);
		taken += bill_raise(&bill, 100) == BUDGET_FITS ? 100 : 0;
	}
	CHECK_EQ(taken, 400);
	CHECK_EQ(bill_raise(&account, 200), BUDGET_FITS);
	CHECK_EQ(bill_raise(&ours, 1001), BUDGET_ALL_USED);
	CHECK_EQ(bill_raise(&ours, 1000), BUDGET_FITS);
	bill_end(&ours);
	bill_end(&account);
	CHECK_EQ(atomic_load(&budget.all), 400);
}

/* As that account; how it is answered. A body makes it a POST. */
static int call_as(struct world *w, const char *name, const char *path, const char *body)
{
	AUTO(char *, freep) url = strf("http://127.0.0.1:%u", http_server_port(w->server));
	AUTO(char *, freep) bearer = strf("user-%s", name);
	const struct http_client_options options = { .role = "server",
						     .base_url = url,
						     .bearer = bearer };
	const struct http_call call = { .method = body ? "POST" : "GET",
					.path = path,
					.body = body,
					.body_len = body ? strlen(body) : 0 };
	struct http_client *client;
	int r;

	CHECK_EQ(http_client_new(&options, &client, &w->e), 0);
	r = http_call(client, &call, &w->reply, &w->e);
	http_client_free(client);
	CHECK_EQ(r, 0);
	return w->reply.status;
}

static void await_status(struct world *w, const char *name, const char *path, const char *body,
			 int status)
{
	int64_t until = clock_monotonic_ms() + WAIT_MS;

	while (call_as(w, name, path, body) != status) {
		CHECK(clock_monotonic_ms() < until);
		poll(NULL, 0, 10);
	}
}

/* Who asks, and reads nothing; or but the beginning. */
static int ask_unread(const struct world *w, const char *name, const char *path)
{
	AUTO(char *, freep) text = strf("GET %s HTTP/1.1\r\n" HOST
					"Authorization: Bearer user-%s\r\nX-Agent: smith\r\n"
					"Connection: close\r\n\r\n",
					path, name);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(http_server_port(w->server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	CHECK_EQ(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	raw_put(fd, text);
	return fd;
}

static int ask_and_see(const struct world *w, const char *name, const char *path)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	int fd = ask_unread(w, name, path);

	raw_read(fd, &b, "\r\n\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 200 ");
	return fd;
}

static void check_told(const struct world *w)
{
	CHECK_STR(header(w, "Retry-After"), "1");
	CHECK_HAS(detail(w), "too many ");
	CHECK_HAS(detail(w), " of yours: try again in 1 s");
}

TEST(large_answers_that_one_account_does_not_read_leave_memory_to_others)
{
	struct http_refusals refusals;
	int fds[2];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .answers_max = 192 * MIB });
	for (int i = 0; i < 2; i++)
		fds[i] = ask_and_see(&w, "ann", "/large?n=10");
	await_status(&w, "ann", "/large?n=10", NULL, 429);
	check_told(&w);
	CHECK_EQ(call_as(&w, "ann", "/items/7", NULL), 200);
	CHECK_EQ(call_as(&w, "ben", "/large?n=10", NULL), 200);
	CHECK_EQ(w.reply.body.len, 10 * MIB);
	http_server_refusals(w.server, &refusals);
	CHECK(refusals.answers > 0);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	await_status(&w, "ann", "/large?n=10", NULL, 200);
	world_end(&w);
}

TEST(streams_are_as_many_as_an_account_may_have)
{
	struct http_refusals refusals;
	int fds[2];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .streams_max = 16 });
	for (int i = 0; i < 2; i++)
		fds[i] = ask_and_see(&w, "ann", "/lines?n=8192");
	await_status(&w, "ann", "/lines?n=8192", NULL, 429);
	check_told(&w);
	CHECK_EQ(call_as(&w, "ben", "/items/7", NULL), 200);
	http_server_refusals(w.server, &refusals);
	CHECK(refusals.streams > 0);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	world_end(&w);
}

TEST(half_a_body_of_one_account_leaves_room_for_the_bodies_of_others)
{
	enum { SIZE = 100 << 10, HALVES = 200 };
	static char body[SIZE + 1];
	struct http_refusals refusals;
	struct world w;
	int fds[HALVES], count = 0;

	memset(body, 'x', SIZE);
	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .bodies_max = 8 * 128 << 10 });
	do {
		CHECK(count < HALVES);
		fds[count] = raw_open(&w);
		raw_put(fds[count],
			"POST /echo HTTP/1.1\r\n" HOST "Authorization: Bearer user-ann\r\n"
			"Content-Length: 200000\r\n\r\n");
		raw_put(fds[count++], body);
	} while (call_as(&w, "ann", "/echo", body) != 429);
	check_told(&w);
	CHECK_EQ(call_as(&w, "ben", "/echo", body), 200);
	CHECK_EQ(w.reply.body.len, SIZE);
	http_server_refusals(w.server, &refusals);
	CHECK(refusals.bodies > 0);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	await_status(&w, "ann", "/echo", body, 200);
	world_end(&w);
}

TEST(one_slow_account_leaves_the_spool_to_others)
{
	enum { READERS = 40, LINES = 8192 };
	struct http_refusals refusals;
	AUTO(struct buf, buf_done) b = BUF_INIT;
	AUTO(struct buf, buf_done) body = BUF_INIT;
	int fds[READERS], fd;
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .spool_max = 128 * MIB,
							    .streams_max = 4096,
							    .workers = 64 });
	for (int i = 0; i < READERS; i++)
		fds[i] = ask_unread(&w, "ann", "/lines?n=8192");
	await_aborted();
	http_server_refusals(w.server, &refusals);
	CHECK(refusals.writers > 0);
	fd = raw_open(&w);
	raw_put(fd, "GET /lines?n=8192 HTTP/1.1\r\n" HOST "Authorization: Bearer user-ben\r\n"
		    "X-Agent: smith\r\nConnection: close\r\n\r\n");
	CHECK_EQ(call_as(&w, "eve", "/items/7", NULL), 200);
	raw_read(fd, &b, NULL);
	raw_body(&b, &body);
	CHECK_EQ(body.len, LINES * 1024);
	for (int i = 0; i < READERS; i++)
		close(fds[i]);
	close(fd);
	world_end(&w);
}

RUN_TESTS(T(an_account_has_an_eighth_and_the_accounts_of_an_address_a_half),
	  T(who_shows_no_account_leaves_three_quarters_to_those_who_do),
	  T(large_answers_that_one_account_does_not_read_leave_memory_to_others),
	  T(streams_are_as_many_as_an_account_may_have),
	  T(half_a_body_of_one_account_leaves_room_for_the_bodies_of_others),
	  T(one_slow_account_leaves_the_spool_to_others))
