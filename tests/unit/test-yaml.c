/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/yaml.h"

#include "check.h"

#include <string.h>

static const struct yaml_file file = { .path = "f.yml", .dir = "." };

static struct yaml_node *parse(struct arena *arena, const char *text)
{
	struct yaml_node *root = NULL;
	struct err e = ERR_INIT;

	if (yaml_parse(arena, &file, text, strlen(text), &root, NULL, &e) < 0)
		print_message("%s\n", e.msg);
	return root;
}

static void check_fault(const char *text, const char *message)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct yaml_node *root = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(yaml_parse(arena, &file, text, strlen(text), &root, NULL, &e), -ERR_INVALID);
	CHECK_STR(e.msg, message);
}

TEST(plain_scalars_are_those_of_yaml_1_2)
{
	static const struct {
		const char *text;
		enum yaml_kind kind;
		const char *as_text;
	} facts[] = {
		{ "22222:22", YAML_STRING, "22222:22" },
		{ "no", YAML_STRING, "no" },
		{ "on", YAML_STRING, "on" },
		{ "y", YAML_STRING, "y" },
		{ "true", YAML_BOOL, "true" },
		{ "False", YAML_BOOL, "false" },
		{ "~", YAML_NULL, "" },
		{ "null", YAML_NULL, "" },
		{ "017", YAML_INT, "15" },
		{ "0o17", YAML_INT, "15" },
		{ "0x1F", YAML_INT, "31" },
		{ "0b101", YAML_INT, "5" },
		{ "-0", YAML_INT, "0" },
		{ "0", YAML_INT, "0" },
		{ "1_000", YAML_INT, "1000" },
		{ "08", YAML_FLOAT, "8" },
		{ "1.10", YAML_FLOAT, "1.1" },
		{ "0.5", YAML_FLOAT, "0.5" },
		{ "1e3", YAML_FLOAT, "1000" },
		{ ".5", YAML_FLOAT, "0.5" },
		{ "1e-7", YAML_FLOAT, "1e-07" },
		{ "99999999999999999999", YAML_FLOAT, "100000000000000000000" },
		{ ".inf", YAML_FLOAT, "+Inf" },
		{ "1.2.3", YAML_STRING, "1.2.3" },
		{ "+", YAML_STRING, "+" },
		{ ".", YAML_STRING, "." },
		{ "0x", YAML_STRING, "0x" },
		{ "2024-01-01", YAML_STRING, "2024-01-01" },
		{ "\"12\"", YAML_STRING, "12" },
		{ "!!str 12", YAML_STRING, "12" },
		{ "! 12", YAML_STRING, "12" },
		{ "!!float 12", YAML_FLOAT, "12" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct arena *, arena_freep) arena = arena_new();
		const struct yaml_node *node = parse(arena, facts[i].text);

		if (node->kind != facts[i].kind)
			fail_msg("%s is %s", facts[i].text, yaml_kind_name(node->kind));
		CHECK_STR(yaml_scalar_text(arena, node), facts[i].as_text);
	}
}

TEST(a_node_knows_its_place_whatever_the_line_ends)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct yaml_node *root = parse(arena, "\xef\xbb\xbf"
						    "a: 1\r\nb:\r\n  - x\r\n  - {c: d}\r\n");
	const struct yaml_node *list = yaml_get(root, "b");
	const struct yaml_node *d = yaml_get(list->items[1], "c");

	CHECK_EQ(list->count, 2);
	CHECK_EQ(list->items[0]->line, 3);
	CHECK_EQ(list->items[0]->column, 5);
	CHECK_STR(list->items[0]->text, "x");
	CHECK_EQ(d->line, 4);
	CHECK_EQ(d->column, 9);
	CHECK(d->file == &file);
	CHECK_EQ(root->entries[1].line, 2);
}

TEST(block_scalars_keep_their_lines)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct yaml_node *root = parse(arena, "a: |\n  x\n  y\nb: >-\n  x\n  y\nc: x\n  y\n");

	CHECK_STR(yaml_string(yaml_get(root, "a")), "x\ny\n");
	CHECK_STR(yaml_string(yaml_get(root, "b")), "x y");
	CHECK_STR(yaml_string(yaml_get(root, "c")), "x y");
}

TEST(merge_keys_fill_in_what_a_map_lacks)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct yaml_node *root = parse(arena, "x: &x {a: 1, b: 1}\n"
						    "y: &y {b: 2, c: 2}\n"
						    "m: {<<: *x, a: 0}\n"
						    "n: {<<: [*y, *x]}\n");
	const struct yaml_node *m = yaml_get(root, "m"), *n = yaml_get(root, "n");

	CHECK_EQ(m->count, 2);
	CHECK_STR(yaml_get(m, "a")->text, "0");
	CHECK_STR(yaml_get(m, "b")->text, "1");
	CHECK_EQ(n->count, 3);
	CHECK_STR(yaml_get(n, "b")->text, "2");
	CHECK_STR(yaml_get(n, "a")->text, "1");
}

TEST(a_local_tag_is_kept)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct yaml_node *root = parse(arena, "a: !reset []\nb: !reset null\n");

	CHECK_STR(yaml_get(root, "a")->tag, "!reset");
	CHECK_STR(yaml_get(root, "b")->tag, "!reset");
}

TEST(empty_text_is_null)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();

	CHECK_EQ(parse(arena, "")->kind, YAML_NULL);
	CHECK_EQ(parse(arena, "# only a comment\n")->kind, YAML_NULL);
}

TEST(json_is_read_with_its_surrogate_pairs)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct yaml_node *root =
		parse(arena,
		      "{\n\t\"a\":\"\\ud83d\\ude00\\/\\\\ud83d\",\n\t\"b\":[true,null,1.5]\n}\n");

	CHECK_STR(yaml_string(yaml_get(root, "a")), "\xf0\x9f\x98\x80/\\ud83d");
	CHECK_EQ(yaml_get(root, "b")->count, 3);
}

TEST(a_fault_names_its_place)
{
	check_fault("a: 1\nb: 2\na: 3\n", "f.yml:3:1: the key 'a' is already defined at line 1");
	check_fault("a: [1, 2\n", "f.yml:2:1: did not find expected ',' or ']' (while parsing a "
				  "flow sequence)");
	check_fault("a: *x\n", "f.yml:1:4: the alias '*x' has no anchor");
	check_fault("a: &x [*x]\n", "f.yml:1:8: the alias '*x' contains itself");
	check_fault("? [a]\n: b\n", "f.yml:1:3: a key must be a scalar");
	check_fault("a: 1\n--- \nb: 2\n", "f.yml:2:1: a second document");
	check_fault("<<: 1\n", "f.yml:1:5: '<<' merges maps, not a number");
	check_fault("a: \"x\\0y\"\n", "f.yml:1:4: a NUL character");
	check_fault("a: 1\nb\xc3\xa9: caf\xe9 au lait\n",
		    "f.yml:2:9: invalid trailing UTF-8 octet: the file has to be in UTF-8");
	check_fault("a: 1\nb: \x01\n", "f.yml:2:4: control characters are not allowed");
	check_fault("a: !!int x\n", "f.yml:1:4: 'x' is not of type !!int");
	check_fault("a: !!binary x\n",
		    "f.yml:1:4: the tag 'tag:yaml.org,2002:binary' is not supported");
	check_fault("a:\n\t- b\n", "f.yml:2:1: found character that cannot start any token (while "
				   "scanning for the next token)");
}

TEST(a_fault_is_told_in_parts_too)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct yaml_fault fault;
	struct yaml_node *root;

	CHECK_EQ(yaml_parse(arena, &file, "a: *x", 5, &root, &fault, NULL), -ERR_INVALID);
	CHECK_EQ(fault.line, 1);
	CHECK_EQ(fault.column, 4);
	CHECK_STR(fault.reason, "the alias '*x' has no anchor");
}

TEST(an_alias_bomb_is_refused)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++)
		buf_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
			   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	check_fault(b.data, "f.yml:6:5: expands to more than 100000 nodes: too many aliases");
	buf_done(&b);
}

TEST(deep_nesting_is_refused)
{
	char text[YAML_MAX_DEPTH + 2];

	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_fault(text, "f.yml:1:65: nested too deeply");
}

RUN_TESTS(T(plain_scalars_are_those_of_yaml_1_2), T(a_node_knows_its_place_whatever_the_line_ends),
	  T(block_scalars_keep_their_lines), T(merge_keys_fill_in_what_a_map_lacks),
	  T(a_local_tag_is_kept), T(empty_text_is_null), T(json_is_read_with_its_surrogate_pairs),
	  T(a_fault_names_its_place), T(a_fault_is_told_in_parts_too), T(an_alias_bomb_is_refused),
	  T(deep_nesting_is_refused))
