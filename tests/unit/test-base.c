#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include "check.h"

#include <string.h>

TEST(an_error_carries_its_code_and_words)
{
	struct err e = ERR_INIT;

	CHECK_EQ(err_set(&e, ERR_ENGINE, "no such image: %s", "x"), -ERR_ENGINE);
	CHECK_EQ(err_wrap(&e, "start '%s'", "web"), -ERR_ENGINE);
	CHECK_STR(e.msg, "start 'web': no such image: x");
	CHECK_EQ(err_status(e.code), 502);
}

TEST(a_long_cause_keeps_its_end)
{
	struct err e = ERR_INIT;
	char cause[3000];

	memset(cause, 'x', sizeof(cause));
	strcpy(cause + sizeof(cause) - 9, "the end.");
	err_set(&e, ERR_ENGINE, "%s", cause);
	err_wrap(&e, "start 'web'");
	CHECK_EQ(strlen(e.msg), ERR_MESSAGE_SIZE - 1);
	CHECK_EQ(strncmp(e.msg, "start 'web': ", 13), 0);
	CHECK_STR(e.msg + strlen(e.msg) - 8, "the end.");
}

TEST(a_limited_buffer_never_grows_past_its_limit)
{
	struct buf b = BUF_LIMITED(10);
	struct err e = ERR_INIT;

	buf_puts(&b, "12345");
	buf_puts(&b, "67890");
	CHECK_EQ(buf_check(&b, &e), 0);
	buf_putc(&b, '!');
	CHECK_EQ(buf_check(&b, &e), -ERR_TOO_LARGE);
	CHECK_STR(b.data, "1234567890");
	buf_done(&b);
	CHECK_EQ(b.len, 0);
}

TEST(a_taken_buffer_is_empty_and_usable)
{
	struct buf b = BUF_INIT;
	char *s = buf_take(&b);

	CHECK_STR(s, "");
	free(s);
	buf_printf(&b, "%d-%s", 7, "x");
	s = buf_take(&b);
	CHECK_STR(s, "7-x");
	CHECK_STR(b.data, "");
	free(s);
}

TEST(an_arena_holds_small_and_large)
{
	AUTO(struct arena *, arena_freep) a = arena_new();
	char *s = arena_printf(a, "%s", "small");
	char *large = arena_alloc(a, 1 << 20);
	char *next = arena_strdup(a, "next");

	memset(large, 1, 1 << 20);
	CHECK_STR(s, "small");
	CHECK_STR(next, "next");
	CHECK_EQ((uintptr_t)next % sizeof(max_align_t), 0);
	CHECK(!arena_failed(a));
}

RUN_TESTS(T(an_error_carries_its_code_and_words), T(a_long_cause_keeps_its_end),
	  T(a_limited_buffer_never_grows_past_its_limit), T(a_taken_buffer_is_empty_and_usable),
	  T(an_arena_holds_small_and_large))
