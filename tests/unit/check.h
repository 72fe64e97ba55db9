/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test states a fact: TEST(a_failed_start_leaves_no_container_behind) { ... }
 *
 * A thin dress over cmocka. List the tests at the end of the file: RUN_TESTS(T(name), T(other));
 */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST(name)        static void name(void **cmocka_state_ __attribute__((unused)))
#define CHECK(x)          assert_true(x)
#define CHECK_EQ(a, b)    assert_int_equal(a, b)
#define CHECK_STR(a, b)   assert_string_equal(a, b)
#define CHECK_HAS(hay, n) assert_non_null(strstr(hay, n))
#define T(name)           cmocka_unit_test(name)
#define RUN_TESTS(...)                                             \
	int main(void)                                             \
	{                                                          \
		const struct CMUnitTest tests[] = { __VA_ARGS__ }; \
		return cmocka_run_group_tests(tests, NULL, NULL);  \
	}

#endif
