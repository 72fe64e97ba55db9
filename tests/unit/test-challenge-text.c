/* SPDX-License-Identifier: Apache-2.0 */
/* The small readers: amounts, words, variables, env files, templates, patterns, Dockerfiles. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/capability.h"
#include "challenge/dockerfile.h"
#include "challenge/folder.h"
#include "challenge/ignore.h"
#include "challenge/interpolate.h"
#include "challenge/template.h"
#include "challenge/unit.h"
#include "challenge/variables.h"
#include "challenge/words.h"

#include "check.h"

#include <string.h>

TEST(sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: refused */
	} facts[] = {
		{ "1024", 1024 },
		{ "512m", 512 << 20 },
		{ "1G", 1 << 30 },
		{ "2Gb", 2LL << 30 },
		{ "64MiB", 64 << 20 },
		{ "1.5k", 1536 },
		{ "100 kB", 102400 },
		{ "10b", 10 },
		{ "0", 0 },
		{ "1t", 1LL << 40 },
		{ "", -1 },
		{ "m", -1 },
		{ "-1", -1 },
		{ "1x", -1 },
		{ "1mm", -1 },
		{ "1e3", -1 },
		{ "99999999999p", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		int64_t bytes = -1;

		CHECK_EQ(unit_bytes(facts[i].text, &bytes), facts[i].bytes >= 0);
		CHECK_EQ(bytes, facts[i].bytes);
	}
}

TEST(durations_carry_their_units)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: refused */
	} facts[] = {
		{ "10s", 10000000000 },
		{ "1m30s", 90000000000 },
		{ "500ms", 500000000 },
		{ "1.5h", 5400000000000 },
		{ "2us", 2000 },
		{ "7ns", 7 },
		{ "1d", 86400000000000 },
		{ "0", 0 },
		{ "1h1ms", 3600001000000 },
		{ "10", -1 },
		{ "", -1 },
		{ "s", -1 },
		{ "-1s", -1 },
		{ "1y", -1 },
		{ "1s ", -1 },
		{ "99999999w", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		int64_t ns = -1;

		CHECK_EQ(unit_duration(facts[i].text, &ns), facts[i].ns >= 0);
		CHECK_EQ(ns, facts[i].ns);
	}
}

TEST(other_amounts)
{
	int64_t number;
	uint32_t mode;
	bool yes;

	CHECK(unit_cpus("0.5", &number));
	CHECK_EQ(number, 500000000);
	CHECK(unit_cpus("2", &number));
	CHECK_EQ(number, 2000000000);
	CHECK(!unit_cpus("-1", &number));
	CHECK(!unit_cpus("half", &number));
	CHECK(unit_mode("0440", &mode));
	CHECK_EQ(mode, 0440);
	CHECK(unit_mode("0o755", &mode));
	CHECK_EQ(mode, 0755);
	CHECK(!unit_mode("0888", &mode));
	CHECK(!unit_mode("", &mode));
	CHECK(unit_bool("YES", &yes));
	CHECK(yes);
	CHECK(unit_bool("off", &yes));
	CHECK(!yes);
	CHECK(!unit_bool("maybe", &yes));
	CHECK(unit_integer("-1", -1, 5, &number));
	CHECK(!unit_integer("6", -1, 5, &number));
	CHECK(!unit_integer("5x", -1, 5, &number));
	CHECK(!unit_integer("99999999999999999999", 0, INT64_MAX, &number));
}

TEST(a_command_line_is_split_without_a_shell)
{
	static const struct {
		const char *line, *words; /* NULL: refused */
		const char *rest;         /* NULL: none */
	} facts[] = {
		{ "bash /startup.sh", "[\"bash\",\"/startup.sh\"]", NULL },
		{ "sh -c 'echo \"$HOME\" | wc'", "[\"sh\",\"-c\",\"echo \\\"$HOME\\\" | wc\"]",
		  NULL },
		{ "a \"b c\"d 'e''f'", "[\"a\",\"b cd\",\"ef\"]", NULL },
		{ "  spaced\tout\n", "[\"spaced\",\"out\"]", NULL },
		{ "back\\ slash \"in\\\"side\"", "[\"back slash\",\"in\\\"side\"]", NULL },
		{ "'single \\n'", "[\"single \\\\n\"]", NULL },
		{ "empty '' \"\"", "[\"empty\",\"\",\"\"]", NULL },
		{ "$(id a) `id b` $x", "[\"$(id a)\",\"`id b`\",\"$x\"]", NULL },
		{ "printf \"a\\tb\\n\"", "[\"printf\",\"a\\tb\\n\"]", NULL },
		{ "print(1) (2) )", "[\"print(1)\",\"(2)\",\")\"]", NULL },
		{ "a b && c", "[\"a\",\"b\"]", "&& c" },
		{ "a;b", "[\"a\"]", ";b" },
		{ "'a;b' c\\;d \"e|f\" $(g & h)", "[\"a;b\",\"c;d\",\"e|f\",\"$(g & h)\"]", NULL },
		{ "a 2>&1", "[\"a\"]", ">&1" },
		{ "a2> b", "[\"a2\"]", "> b" },
		{ "open `quote", NULL, NULL },
		{ "open $(quote", NULL, NULL },
		{ "", "[]", NULL },
		{ "open 'quote", NULL, NULL },
		{ "open \"quote", NULL, NULL },
		{ "end\\", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(json_t *, json_decrefp) words = NULL;
		AUTO(char *, freep) text = NULL;
		struct err e = ERR_INIT;
		const char *rest = "";
		int r = words_split(facts[i].line, &words, &rest, &e);

		CHECK_EQ(r, facts[i].words ? 0 : -ERR_INVALID);
		text = words ? json_dumps(words, JSON_COMPACT) : NULL;
		if (text)
			CHECK_STR(text, facts[i].words);
		CHECK_STR(rest, facts[i].rest ? facts[i].rest : "");
	}
}

static void define(struct variables *variables, struct arena *arena)
{
	*variables = (struct variables){ .arena = arena };
	variables_add(variables, "SET", "value");
	variables_add(variables, "EMPTY", "");
	variables_add(variables, "SET", "too late");
	variables_add(variables, "_x1", "under");
}

static void count_unset(void *cookie, const char *name)
{
	CHECK_STR(name, "UNSET");
	++*(int *)cookie;
}

TEST(variables_are_replaced_as_the_specification_has_it)
{
	static const struct {
		const char *text, *result; /* NULL: refused */
		int unset;
	} facts[] = {
		{ "plain", "plain", 0 },
		{ "$SET", "value", 0 },
		{ "${SET}", "value", 0 },
		{ "a$SET.b${SET}c", "avalue.bvaluec", 0 },
		{ "$_x1", "under", 0 },
		{ "[$UNSET]", "[]", 1 },
		{ "[${UNSET}]", "[]", 1 },
		{ "[$EMPTY]", "[]", 0 },
		{ "${UNSET:-d}", "d", 0 },
		{ "${UNSET-d}", "d", 0 },
		{ "${EMPTY:-d}", "d", 0 },
		{ "${EMPTY-d}", "", 0 },
		{ "${SET:-d}", "value", 0 },
		{ "${UNSET:-}", "", 0 },
		{ "${SET:+r}", "r", 0 },
		{ "${SET+r}", "r", 0 },
		{ "${EMPTY:+r}", "", 0 },
		{ "${EMPTY+r}", "r", 0 },
		{ "${UNSET:+r}", "", 0 },
		{ "${SET:?m}", "value", 0 },
		{ "${EMPTY?m}", "", 0 },
		{ "${EMPTY:?m}", NULL, 0 },
		{ "${UNSET?m}", NULL, 0 },
		{ "${UNSET:?}", NULL, 0 },
		{ "${UNSET:-${SET}}", "value", 0 },
		{ "${UNSET:-${EMPTY:-deep}}", "deep", 0 },
		{ "${UNSET:-a}b}", "ab}", 0 },
		{ "${UNSET:-$SET-$$}", "value-$", 0 },
		{ "${SET:+[${SET}]}", "[value]", 0 },
		{ "$$SET", "$SET", 0 },
		{ "$$$SET", "$value", 0 },
		{ "$$$$", "$$", 0 },
		{ "^http.*$", "^http.*$", 0 },
		{ "$2y$05$.abc", "$2y$05$.abc", 0 },
		{ "$2y$05$UNSET", "$2y$05", 1 },
		{ "100$ or $%", "100$ or $%", 0 },
		{ "${", NULL, 0 },
		{ "${}", NULL, 0 },
		{ "${SET", NULL, 0 },
		{ "${SET!x}", NULL, 0 },
		{ "${2}", NULL, 0 },
		{ "${SET:}", NULL, 0 },
	};
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct variables variables;

	define(&variables, arena);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct buf, buf_done) out = BUF_INIT;
		struct err e = ERR_INIT;
		int unset = 0;
		int r = interpolate(facts[i].text, &variables, &out, count_unset, &unset, &e);

		if (r != (facts[i].result ? 0 : -ERR_INVALID))
			fail_msg("%s gives %d: %s", facts[i].text, r, e.msg);
		if (facts[i].result)
			CHECK_STR(out.data, facts[i].result);
		CHECK_EQ(unset, facts[i].unset);
	}
}

TEST(a_required_variable_says_what_its_author_wrote)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct buf, buf_done) out = BUF_INIT;
	struct variables variables;
	struct err e = ERR_INIT;

	define(&variables, arena);
	CHECK_EQ(interpolate("${PORT:?set it to $SET}", &variables, &out, NULL, NULL, &e),
		 -ERR_INVALID);
	CHECK_STR(e.msg, "the variable 'PORT' is required: set it to value");
	CHECK_EQ(interpolate("${a b}", &variables, &out, NULL, NULL, &e), -ERR_INVALID);
	CHECK_STR(e.msg, "invalid interpolation '${a b}': write '$$' for a dollar sign");
}

TEST(nesting_has_a_bound)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct buf, buf_done) text = BUF_INIT;
	AUTO(struct buf, buf_done) out = BUF_INIT;
	struct variables variables;
	struct err e = ERR_INIT;

	define(&variables, arena);
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, "${U:-");
	for (int i = 0; i < 1000; i++)
		buf_putc(&text, '}');
	CHECK_EQ(interpolate(text.data, &variables, &out, NULL, NULL, &e), -ERR_INVALID);
	CHECK_STR(e.msg, "variables are nested too deeply");
}

TEST(an_env_file_is_read_as_compose_does)
{
	static const char text[] = "\xef\xbb\xbf# comment\r\n"
				   "PLAIN=some text\r\n"
				   "export EXPORTED=yes\n"
				   "  SPACED = around  \n"
				   "COMMENTED=value # not this\n"
				   "HASH=a#b\n"
				   "COLOUR= #fff # a comment\n"
				   "QUOTE='it\\'s \\\\'\n"
				   "SINGLE='$SET \\n # \"x\"'\n"
				   "DOUBLE=\"$SET\\n\\\"\\$SET # x\" # rest\n"
				   "LINES=\"one\n"
				   "two\"\n"
				   "COLON: yaml like\n"
				   "CHAIN=${PLAIN}-$SET\n"
				   "EMPTY=\n"
				   "SET=not from here for others\n"
				   "INHERITED\n"
				   "DOLLAR=pa$$word\n"
				   "LONE=a$\n"
				   "PLAIN=last wins";
	static const struct {
		const char *name, *value;
	} facts[] = {
		{ "EXPORTED", "yes" },
		{ "SPACED", "around" },
		{ "COMMENTED", "value" },
		{ "HASH", "a#b" },
		{ "COLOUR", "#fff" },
		{ "QUOTE", "it's \\\\" },
		{ "SINGLE", "$SET \\n # \"x\"" },
		{ "DOUBLE", "outer\n\"$SET # x" },
		{ "LINES", "one\ntwo" },
		{ "COLON", "yaml like" },
		{ "CHAIN", "some text-outer" },
		{ "EMPTY", "" },
		{ "SET", "not from here for others" },
		{ "INHERITED", "from outside" },
		{ "DOLLAR", "pa$word" },
		{ "LONE", "a$" },
		{ "PLAIN", "last wins" },
	};
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct variables outer = { .arena = arena }, read = { .arena = arena };
	struct env_fault fault = { 0 };
	struct err e = ERR_INIT;

	variables_add(&outer, "SET", "outer");
	variables_add(&outer, "INHERITED", "from outside");
	CHECK_EQ(env_parse(text, false, &outer, &read, &fault, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		CHECK_STR(variables_get(&read, facts[i].name), facts[i].value);
}

TEST(an_env_file_names_its_faulty_line)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *message;
	} facts[] = {
		{ "A=1\nB C=2\n", 2, "expected NAME=value" },
		{ "A=1\n\n=x\n", 3, "expected NAME=value" },
		{ "A='open\nB=1\n", 1, "a quote is not closed" },
		{ "A=1\nB=\"open\n\n", 2, "a quote is not closed" },
		{ "A=${x\n", 1, "invalid interpolation '${x': write '$$' for a dollar sign" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct arena *, arena_freep) arena = arena_new();
		struct variables read = { .arena = arena };
		struct env_fault fault = { 0 };
		struct err e = ERR_INIT;

		CHECK_EQ(env_parse(facts[i].text, false, NULL, &read, &fault, &e), -ERR_INVALID);
		CHECK_EQ(fault.line, facts[i].line);
		CHECK_STR(e.msg, facts[i].message);
	}
}

TEST(a_raw_env_file_is_taken_as_it_stands)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct variables read = { .arena = arena };
	struct env_fault fault;

	CHECK_EQ(env_parse("A=\"$x\" # y\r\n", true, NULL, &read, &fault, NULL), 0);
	CHECK_STR(variables_get(&read, "A"), "\"$x\" # y");
}

static const char *look_up(void *cookie, const char *name)
{
	(void)cookie;
	return strcmp(name, "flag") == 0    ? "f{\"<&'\\\n\x01}"
	       : strcmp(name, "empty") == 0 ? ""
					    : NULL;
}

static void check_template(const char *text, const char *expected)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const void *content = NULL;
	struct err e = ERR_INIT;
	size_t size = 0;

	if (template_render(arena, text, strlen(text), look_up, NULL, &content, &size, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	CHECK_STR(content, expected);
	CHECK_EQ(size, strlen(expected));
}

TEST(a_template_puts_values_in)
{
	check_template("no tags", "no tags");
	check_template("", "");
	check_template("[{{empty}}{{ empty }}]", "[]");
	check_template("{{flag}}", "f{\"<&'\\\n\x01}");
	check_template("{{{flag}}}", "f{\"<&'\\\n\x01}");
	check_template("{{ flag | json }}", "f{\\\"<&'\\\\\\n\\u0001}");
	check_template("{{flag|html}}", "f{&quot;&lt;&amp;&#39;\\\n\x01}");
	check_template("{{flag|shell}}", "'f{\"<&'\\''\\\n\x01}'");
	check_template("{{flag|url}}", "f%7B%22%3C%26%27%5C%0A%01%7D");
	check_template("{{flag|hex}}", "667b223c26275c0a017d");
	check_template("{{flag|base64}}", "ZnsiPCYnXAoBfQ==");
	check_template("a{{! a comment }}b", "ab");
	check_template("{{=<% %>=}}{{x}}<%empty%>", "{{x}}");
	check_template("a { b } c", "a { b } c");
}

static void check_bad_template(const char *text, const char *message)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const void *content;
	struct err e = ERR_INIT;
	size_t size;

	CHECK_EQ(template_render(arena, text, strlen(text), look_up, NULL, &content, &size, &e),
		 -ERR_INVALID);
	CHECK_STR(e.msg, message);
}

TEST(a_template_that_asks_for_what_is_not_there_is_refused)
{
	check_bad_template("\n\n{{nope}}", "line 3: there is no value named 'nope'");
	check_bad_template("{{flag|rot13}}", "line 1: there is no filter named 'rot13'");
	check_bad_template("\n{{flag", "line 2: a tag is not closed: '{{'");
	check_bad_template("{{=x=}}", "line 1: these delimiters can't be used: '=x='");
}

TEST(dockerignore_patterns_are_docker_s)
{
	static const struct {
		const char *rules, *path;
		bool ignored;
	} facts[] = {
		{ "*.md", "README.md", true },
		{ "*.md", "docs/README.md", false },
		{ "**/*.md", "docs/README.md", true },
		{ "**/*.md", "README.md", true },
		{ "docs", "docs/deep/file", true },
		{ "docs/", "docs", true },
		{ "/docs", "docs", true },
		{ "./docs", "docs", true },
		{ "docs", "src/docs", false },
		{ "**/docs", "src/docs/x", true },
		{ "temp?", "tempa", true },
		{ "temp?", "temp", false },
		{ "temp?", "temp/", false },
		{ "*/temp*", "dir/temporary", true },
		{ "*/temp*", "temporary", false },
		{ "[a-c].txt", "b.txt", true },
		{ "[^a-c].txt", "b.txt", false },
		{ "a\\*b", "a*b", true },
		{ "a\\*b", "axb", false },
		{ "*.md\n!README.md", "README.md", false },
		{ "*.md\n!README.md", "NEWS.md", true },
		{ "!README.md\n*.md", "README.md", true },
		{ "*\n!src", "src/main.c", false },
		{ "*\n!src", "other", true },
		{ "# comment\n\n  spaced  \r\n", "spaced", true },
		{ "**", "a/b/c", true },
		{ ".", "a", false },
		{ "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "a/x/y/c", false },
		{ "a//b/./c/", "a/b/c", true },
		{ "x/../a", "a", true },
		{ "../a", "a", false },
		{ "/", "a", false },
		{ "a/*\n!a/b\na/b/*\n!a/b/c", "a/b/c", false },
		{ "a/*\n!a/b\na/b/*\n!a/b/c", "a/b/d", true },
		{ "**/__pycache__/", "a/b/__pycache__/x", true },
		{ "**/.*", "a/.git/x", true },
		{ "*.py[co]", "a.pyc", true },
		{ "! a", "a", false },
		{ "[", "[", false },
		{ "", "a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct arena *, arena_freep) arena = arena_new();
		struct ignore *ignore = ignore_parse(arena, facts[i].rules);

		if (ignore_matches(ignore, facts[i].path) != facts[i].ignored)
			fail_msg("%s on %s", facts[i].rules, facts[i].path);
	}
}

TEST(a_pattern_of_many_stars_ends)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct ignore *ignore = ignore_parse(arena, "**a**a**a**a**a**a**a**a**a**a**b");

	CHECK(!ignore_matches(ignore, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static struct dockerfile read_dockerfile(struct arena *arena, const char *text)
{
	struct dockerfile file;

	CHECK(dockerfile_read(arena, text, &file));
	return file;
}

TEST(the_frontend_that_a_dockerfile_names_can_be_dropped)
{
	static const struct {
		const char *text, *frontend, *without;
	} facts[] = {
		{ "# syntax=docker/dockerfile:1\nFROM x\n", "docker/dockerfile:1", "FROM x\n" },
		{ "# escape=`\n#Syntax = a/b \r\nFROM x", "a/b", "# escape=`\nFROM x" },
		{ "\xef\xbb\xbf# syntax=a\n", "a", "\xef\xbb\xbf" },
		{ "FROM x\n# syntax=a\n", NULL, "FROM x\n# syntax=a\n" },
		{ "# syntaxes\nFROM x\n", NULL, "# syntaxes\nFROM x\n" },
		{ "", NULL, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct arena *, arena_freep) arena = arena_new();
		AUTO(char *, freep) without = dockerfile_drop_frontend(facts[i].text);
		struct dockerfile file;

		CHECK(dockerfile_read(arena, facts[i].text, &file));
		CHECK_STR(file.frontend ? file.frontend : "none",
			  facts[i].frontend ? facts[i].frontend : "none");
		CHECK_STR(without, facts[i].without);
	}
}

TEST(however_a_builder_reads_it_a_dockerfile_takes_no_challenge_s_image)
{
	static const char *const texts[] = {
		"FROM x\nCOPY --from=ctfy-challenge/a/b:1 / /\n",
		/* Blanks of builders'. */
		"FROM x\nCOPY\v--from=ctfy-challenge/a/b:1 / /\n",
		"FROM x\n\fCOPY \xc2\xa0--from=ctfy-challenge/a/b:1 / /\n",
		"FROM x\nCOPY \xe2\x80\x83--from=ctfy-challenge/a/b:1 / /\n",
		/* Directives that are none, and one that is. */
		"## escape=`\nFROM x\nRUN : #`\nCOPY --from=ctfy-chal\"\"lenge/a/b:1 / /\n",
		"# x\n# escape=`\nFROM x\nRUN : #`\nCOPY --from=ctfy-challenge/a/b:1 / /\n",
		" # escape=`\nFROM x\nRUN : #\\\nCOPY --from=ctfy-challenge/a/b:1 / /\n",
		/* Heredocs, which an older one does not know. */
		"ARG A=ctfy-chal\nARG B=lenge/a/b\nFROM x\nRUN cat <<EOF\nFROM $A${B}:1\n",
		/* Whoever reads the rest. */
		"# syntax=a/b\nFROM x\n",
		"#!/bin/x\n// syntax = a/b\nFROM x\n",
		" \n # x\n #syntax=docker/dockerfile.evil\nFROM x\n",
		"{\"syntax\": \"a/b\"}",
	};
	static const char *const fine[] = {
		"# syntax=docker/dockerfile:1.4\n# escape=`\nFROM x\nRUN a `\n b\n",
		"# syntax=docker.io/docker/dockerfile-upstream:master\nFROM x\n",
		"FROM x\n# syntax=a/b\nRUN <<EOF\nfrom a import b\nFROM $(x)\nEOF\n",
	};
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct dockerfile file = read_dockerfile(arena, texts[i]);

		if (!dockerfile_image_fault(arena, &file, NULL, &name))
			fail_msg("nothing is wrong with '%s'", texts[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		struct dockerfile file = read_dockerfile(arena, fine[i]);
		const char *fault = dockerfile_image_fault(arena, &file, NULL, &name);

		if (fault)
			fail_msg("'%s': '%s' %s", fine[i], name, fault);
	}
}

TEST(what_needs_buildkit_is_seen)
{
	static const struct {
		const char *text;
		unsigned line; /* 0: nothing does */
	} facts[] = {
		{ "FROM x\nCOPY a b\n", 0 },
		{ "FROM x\nCOPY --chown=1:1 a b\n", 0 },
		{ "FROM x\nCOPY --chmod=755 a b\n", 2 },
		{ "FROM x\nADD --link a b\n", 2 },
		{ "from x\nrun --mount=type=cache,target=/c true\n", 2 },
		{ "FROM x\nRUN a \\\n  # comment\n  b\nCOPY --chown=1 --chmod=1 a b\n", 5 },
		{ "FROM x\nRUN <<EOF\nCOPY --chmod=1 a b\nEOF\nRUN x\n", 2 },
		{ "FROM x\nRUN cat <<'EOF' > /f\nx\nEOF\n", 2 },
		{ "FROM x\nRUN echo $((1<<3))\n", 0 },
		{ "FROM x\nRUN cat <<<word\n", 0 },
		{ "# escape=`\nFROM x\nRUN a `\n b\nCOPY --chmod=1 a b\n", 5 },
		{ "FROM x\nRUN echo $((x<<n))\n", 0 },
		{ "FROM x\nRUN echo 'a <<EOF'\n", 0 },
		{ "FROM x\nRUN python -c \"a <<b\"\n", 0 },
		{ "FROM x\nRUN cat 3<<-\"EOF\"\nx\n\tEOF\n", 2 },
		{ "FROM x\nCOPY <<EOF /f\nx\nEOF\n", 2 },
		{ "FROM --platform=$BUILDPLATFORM x\n", 1 },
		{ "FROM --platform=linux/amd64 x\n", 0 },
		{ "FROM x\nARG TARGETARCH\n", 2 },
		{ "FROM x\nARG TARGET\nARG BUILD\nARG BUILDER\nARG TARGETS=OS\n", 0 },
		{ "FROM x\nADD https://a.b/c.git#main /c\n", 2 },
		{ "FROM x\nADD git@a.b:c /c\n", 2 },
		{ "FROM x\nADD https://a.b/c.github.tar /c\n", 0 },
		{ "FROM x\nADD --checksum=sha256:1 http://a/b /c\n", 2 },
		{ "# syntax=docker/dockerfile:1\nFROM x\n", 0 },
		{ "FROM x\nRUN echo '--mount=x'\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct arena *, arena_freep) arena = arena_new();
		struct dockerfile file = read_dockerfile(arena, facts[i].text);

		if (file.needs_buildkit != (facts[i].line > 0) ||
		    file.buildkit_line != facts[i].line)
			fail_msg("%s: line %u", facts[i].text, file.buildkit_line);
	}
}

TEST(a_dockerfile_tells_its_ports_and_arguments)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct dockerfile file = read_dockerfile(arena, "ARG BASE=debian\nFROM $BASE AS a\n"
							"EXPOSE 1\nFROM b\nARG FLAG\n"
							"ARG PORT=22\nENV A=1 WEB=\"81\"\n"
							"EXPOSE 80 53/udp $PORT ${WEB}-82/tcp\n"
							"EXPOSE $UNKNOWN 9-8\n"
							"HEALTHCHECK CMD true\n");

	CHECK_EQ(file.port_count, 5);
	CHECK_EQ(file.ports[0].port, 80);
	CHECK_STR(file.ports[0].protocol, "tcp");
	CHECK_EQ(file.ports[1].port, 53);
	CHECK_STR(file.ports[1].protocol, "udp");
	CHECK_EQ(file.ports[2].port, 22);
	CHECK_EQ(file.ports[3].port, 81);
	CHECK_EQ(file.ports[4].port, 82);
	CHECK(dockerfile_has_arg(&file, "FLAG"));
	CHECK(dockerfile_has_arg(&file, "BASE"));
	CHECK(!dockerfile_has_arg(&file, "flag"));
	CHECK(file.has_healthcheck);
}

TEST(capabilities_go_by_any_spelling)
{
	capability_set set, other;

	CHECK(capability_parse("SYS_ADMIN", &set));
	CHECK(capability_parse("cap_sys_admin", &other));
	CHECK(set == other);
	CHECK((set & capability_for_the_asking) == 0);
	CHECK(capability_parse("all", &set));
	CHECK((set & other) == other);
	CHECK(!capability_parse("SYS_ADMIRAL", &set));
	CHECK((capability_default & ~capability_for_the_asking) == 0);
	CHECK_STR(capability_name(0), "CHOWN");
	CHECK_STR(capability_name(40), "CHECKPOINT_RESTORE");
	CHECK(!capability_name(41));
}

TEST(paths_are_joined_by_name)
{
	static const struct {
		const char *dir, *path, *joined;
	} facts[] = {
		{ "/a/b", "c", "/a/b/c" },
		{ "/a/b", "./c/", "/a/b/c" },
		{ "/a/b", "../c", "/a/c" },
		{ "/a/b", "../../../c", "/c" },
		{ "/a/b", "/c/../d", "/d" },
		{ "/a", "..", "/" },
		{ "/a/b", ".", "/a/b" },
		{ "/a/b", "", "/a/b" },
		{ "/a/b", "c//d/./e", "/a/b/c/d/e" },
		{ "/", "x", "/x" },
		{ "/a", "..b/...", "/a/..b/..." },
	};
	AUTO(struct arena *, arena_freep) arena = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		CHECK_STR(path_join(arena, facts[i].dir, facts[i].path), facts[i].joined);
	CHECK(path_is_below("/a/b", "/a"));
	CHECK(path_is_below("/a", "/a"));
	CHECK(path_is_below("/a", "/"));
	CHECK(!path_is_below("/ab", "/a"));
	CHECK_STR(path_relative("/a/b/c", "/a"), "b/c");
	CHECK_STR(path_relative("/a", "/a"), ".");
	CHECK_STR(path_relative("/x", "/a"), "/x");
}

RUN_TESTS(T(sizes_are_powers_of_1024), T(durations_carry_their_units), T(other_amounts),
	  T(a_command_line_is_split_without_a_shell),
	  T(variables_are_replaced_as_the_specification_has_it),
	  T(a_required_variable_says_what_its_author_wrote), T(nesting_has_a_bound),
	  T(an_env_file_is_read_as_compose_does), T(an_env_file_names_its_faulty_line),
	  T(a_raw_env_file_is_taken_as_it_stands), T(a_template_puts_values_in),
	  T(a_template_that_asks_for_what_is_not_there_is_refused),
	  T(dockerignore_patterns_are_docker_s), T(a_pattern_of_many_stars_ends),
	  T(the_frontend_that_a_dockerfile_names_can_be_dropped),
	  T(however_a_builder_reads_it_a_dockerfile_takes_no_challenge_s_image),
	  T(what_needs_buildkit_is_seen), T(a_dockerfile_tells_its_ports_and_arguments),
	  T(capabilities_go_by_any_spelling), T(paths_are_joined_by_name))
