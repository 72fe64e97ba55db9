/* SPDX-License-Identifier: Apache-2.0 */
/* Specs of every dialect become one struct challenge; its answers reach where they should. */
#include "folder.h"

#include "challenge/dialect.h"
#include "challenge/import.h"
#include "challenge/lint.h"

#include <unistd.h>

static struct folder f;

static void load_spec(const char *name, const char *text)
{
	folder_write(&f, name, text);
	if (folder_load(&f) < 0) {
		folder_print_problems(&f);
		fail_msg("%s", f.e.msg);
	}
}

static void plan_it(void)
{
	if (folder_plan(&f) < 0) {
		folder_print_problems(&f);
		fail_msg("%s", f.e.msg);
	}
}

static const char *answer(const char *question)
{
	return json_string_value(json_object_get(f.answers, question));
}

static const char bare[] = "services: {web: {image: i, ports: ['80']}}\n";

/* --- answers that stand in the folder's files ---------------------------------------------- */

static void expect_found(const char *answer_or_null, const char *problem)
{
	if (folder_load(&f) < 0)
		fail_msg("%s", f.e.msg);
	CHECK_EQ(f.challenge->question_count, answer_or_null ? 1 : 0);
	if (answer_or_null) {
		CHECK_EQ(f.challenge->questions[0].kind, ANSWER_STATIC);
		CHECK_STR(f.challenge->questions[0].answer, answer_or_null);
	}
	folder_check_problem(&f, problem);
	folder_close(&f);
}

static void link_out(const char *name)
{
	AUTO(char *, freep) path = strf("%s/%s", f.dir, name);

	CHECK_EQ(symlink("/etc/hostname", path), 0);
}

TEST(a_flag_file_has_the_answer_of_a_spec_without_one)
{
	folder_open(&f);
	folder_write(&f, "challenge.yml", "name: x\n");
	folder_write(&f, "src/flag.txt", "any words at all\n");
	folder_write(&f, "dist/flag.txt", "ctf{handed_out}\n");
	folder_write(&f, "README.md", "It was ctf{in_the_readme}.\n");
	expect_found("any words at all", "flags: the answer is the one that 'src/flag.txt' holds");
}

TEST(a_compose_file_and_a_dockerfile_alone_have_theirs_found_too)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	folder_write(&f, "flag", "ctf{by_compose}");
	expect_found("ctf{by_compose}", "compose.yml: warning: flags: the answer is the one");
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\nEXPOSE 80\nENV FLAG ctf{by_env}\n");
	expect_found("ctf{by_env}", "'Dockerfile' holds");
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\nEXPOSE 80\n");
	folder_write(&f, ".env", "PORT=80\nFLAG='ctf{by_dotenv}'\n");
	expect_found("ctf{by_dotenv}", "'.env' holds");
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\nEXPOSE 80\n");
	folder_write(&f, "README.md", "# Flag\n\n`ctf{by_readme}`\n");
	expect_found("ctf{by_readme}", "'README.md' holds");
}

TEST(a_dummy_or_one_of_two_flags_is_no_answer)
{
	folder_open(&f);
	folder_write(&f, "challenge.yml", "name: x\n");
	folder_write(&f, "flag.txt", "ctf{REDACTED}\n");
	expect_found(NULL, "nothing to answer: add 'flags:'");
	folder_open(&f);
	folder_write(&f, "challenge.yml", "name: x\n");
	folder_write(&f, "a/flag.txt", "ctf{first_one}");
	folder_write(&f, "b/flag.txt", "ctf{other_one}");
	expect_found(NULL, "'a/flag.txt' and 'b/flag.txt' hold different flags");
	folder_open(&f);
	folder_write(&f, "challenge.yml", "name: x\n");
	link_out("flag.txt");
	expect_found(NULL, "nothing to answer");
}

/* --- what other platforms' deployers mean ---------------------------------------------------- */

TEST(a_value_may_fall_or_be_dynamic)
{
	folder_open(&f);
	load_spec("challenge.yaml", "name: x\nflag: a\nvalue: {min: 100, max: 250}\n");
	CHECK_EQ(f.challenge->value, 250);
	CHECK_EQ(f.challenge->minimum, 100);
	CHECK_STR(f.challenge->type, "dynamic");
	load_spec("challenge.yaml", "name: x\nflag: a\npoints: dynamic\n");
	CHECK_STR(f.challenge->type, "dynamic");
	CHECK_EQ(f.problems.count, 0);
	folder_write(&f, "challenge.yaml", "name: x\nflag: a\npoints: [1]\n");
	CHECK_EQ(folder_load(&f), -ERR_INVALID);
	folder_check_problem(&f, "challenge.yaml:3:9: error: points: must be a whole number");
	folder_close(&f);
}

TEST(rcds_containers_may_be_one_level_deeper)
{
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\n");
	folder_write(&f, "challenge.yaml",
		     "name: x\nflag: a\ndescription: 'go: {{ link }} or {{kept}}'\n"
		     "containers:\n  main:\n    challenge: {build: ., ports: [80]}\n"
		     "    healthcheck: {build: ./h}\nexpose: {main: [{target: 80, http: x}]}\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->category, "tmp");
	CHECK_STR(f.challenge->description, "go:  or {{kept}}");
	CHECK_STR(f.challenge->connection_info, "{{url}}");
	folder_check_problem(&f, "'healthcheck' is not run: only 'challenge' is of these");
	plan_it();
	folder_check(f.json, "services/0/name", "\"main\"");
	folder_close(&f);
}

TEST(labels_and_known_base_images_name_the_port)
{
	folder_open(&f);
	folder_write(&f, "compose.yml",
		     "services: {a: {image: i, labels: "
		     "[traefik.tcp.services.a.loadbalancer.server.port=9103]},\n"
		     " b: {image: i, labels: {caddy.reverse_proxy: '{{upstreams 8000}}'}},\n"
		     " c: {image: i, ports: ['127.0.0.1:0:5432']}}\n");
	plan_it();
	folder_check(f.json, "services/0/ports/0/container_port", "9103");
	folder_check(f.json, "services/1/ports/0/container_port", "8000");
	folder_check(f.json, "services/1/ports/0/app_protocol", "\"http\"");
	folder_check(f.json, "services/2/ports/0/container_port", "5432");
	folder_check_problem(&f, "port 8000 is published, to which 'caddy.reverse_proxy' leads");
	folder_close(&f);
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x AS app\nFROM pwn.red/jail:0.4\n");
	plan_it();
	folder_check(f.json, "services/0/ports/0/container_port", "5000");
	folder_write(&f, "Dockerfile", "FROM php:8-cli\n");
	plan_it();
	folder_check_problem(&f, "what 'php:8-cli' exposes is not known here");
	folder_close(&f);
}

TEST(an_rctf_2_spec_brings_flags_scoring_and_a_compose_model)
{
	const struct challenge *c;

	folder_open(&f);
	load_spec("challenge.yaml",
		  "name: x\nreleaseTime: 2026-06-28T20:00:00Z\n"
		  "flags:\n  - {provider: flags/static, config: {flag: 'f{a}'}}\n"
		  "  - {provider: flags/regex, config: {pattern: '^b$', flags: i}}\n"
		  "scoring: {initialValue: 500, minimumValue: 50}\n"
		  "instancerConfig:\n  timeoutMilliseconds: 600000\n"
		  "  config: {services: {app: {image: i, expose: ['8080']}}}\n"
		  "  expose: [{kind: https, containerName: app, containerPort: 8080}]\n");
	c = f.challenge;
	CHECK_STR(c->dialect, "rctf");
	CHECK_EQ(c->value, 500);
	CHECK_EQ(c->minimum, 50);
	CHECK_EQ(c->ttl, 600);
	CHECK(c->opens_at > 0);
	CHECK_STR(c->questions[0].answer, "f{a}");
	CHECK(c->questions[0].also[0].is_pattern && c->questions[0].also[0].case_insensitive);
	CHECK_EQ(f.problems.count, 0);
	plan_it();
	folder_check(f.json, "services/0/ports/0/app_protocol", "\"http\"");
	folder_write(&f, "challenge.yaml", "name: x\nflags: [{provider: flags/other}]\n");
	CHECK_EQ(folder_load(&f), -ERR_INVALID);
	folder_check_problem(&f, "challenge.yaml:2:9: error: flags: needs the provider");
	folder_close(&f);
}

TEST(benchmarks_of_solvers_are_read)
{
	folder_open(&f);
	folder_write(&f, "env/docker-compose.yml", bare);
	load_spec("metadata.json",
		  "{\"categories\": [\"misc\"], \"hard_prompt\": \"go\","
		  " \"subtasks\": [{\"answer\": \"no\"}, {\"answer\": \"f{x}\"}]}");
	CHECK_STR(f.challenge->dialect, "cybench");
	CHECK_STR(f.challenge->category, "misc");
	CHECK_STR(f.challenge->questions[0].answer, "f{x}");
	CHECK(challenge_has_instance(f.challenge));
	folder_close(&f);
	folder_open(&f);
	folder_write(&f, "box.yaml", bare);
	load_spec("eval.yaml", "name: e\nsandbox: {type: docker, config: box.yaml}\nflag: f{y}\n"
			       "variants: {a: {prompt: first}, b: {prompt: second}}\n");
	CHECK_STR(f.challenge->dialect, "inspect");
	CHECK_STR(f.challenge->description, "first");
	CHECK_STR(f.challenge->questions[0].answer, "f{y}");
	CHECK(challenge_has_instance(f.challenge));
	folder_check_problem(&f, "'b' is not shown");
	folder_close(&f);
}

TEST(a_file_of_a_common_name_is_a_spec_by_what_it_says)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	load_spec("info.yaml", "name: Mine\nflag: f{z}\n");
	CHECK_STR(f.challenge->name, "Mine");
	CHECK(dialect_has_spec(f.dir));
	load_spec("info.yaml", "a: [\n");
	CHECK_STR(f.challenge->dialect, "compose");
	CHECK(!dialect_has_spec(f.dir));
	folder_check_problem(&f, "info.yaml: warning: is not read");
	load_spec("challenge.yaml", "apiVersion: berg.example/v1\nkind: Challenge\n");
	CHECK_STR(f.challenge->dialect, "compose");
	folder_check_problem(&f, "challenge.yaml: warning: is not read");
	load_spec("problem.md", "# Title\n");
	folder_check_problem(&f, "problem.md: warning: is not read");
	folder_close(&f);
}

TEST(of_a_directory_that_is_handed_out_every_file_is_offered)
{
	folder_open(&f);
	folder_write(&f, "dist/a.txt", "1");
	folder_write(&f, "dist/src/b.txt", "2");
	folder_write(&f, "dist/.hidden", "3");
	load_spec("challenge.yml",
		  "name: x\ntype: StaticAttachment\nprovide: ./dist\nflags: [a]\n");
	CHECK_EQ(f.challenge->attachment_count, 2);
	CHECK_STR(f.challenge->attachments[0].source, "dist/a.txt");
	CHECK_STR(f.challenge->attachments[1].filename, "b.txt");
	folder_check_problem(&f, "'./dist' is a directory: what is in it is offered file by file");
	for (int i = 0; i < 40; i++) {
		AUTO(char *, freep) name = strf("dist/more-%d", i);

		folder_write(&f, name, "x");
	}
	CHECK_EQ(folder_load(&f), 0);
	CHECK_EQ(f.challenge->attachment_count, 0);
	folder_check_problem(&f, "it is a directory of more than 32 files");
	load_spec("challenge.yml", "name: x\nfiles: [.]\nflags: [a]\n");
	CHECK_EQ(f.challenge->attachment_count, 0);
	folder_check_problem(&f, "it is the whole folder");
	folder_close(&f);
}

TEST(the_port_that_an_nyu_spec_names_is_published)
{
	folder_open(&f);
	folder_write(&f, "docker-compose.yml", "services: {a: {image: i}}\n");
	folder_write(&f, "challenge.json",
		     "{\"name\": \"x\", \"flag\": \"a\", \"box\": \"b\", \"port\": 8027}");
	plan_it();
	folder_check(f.json, "services/0/ports/0/container_port", "8027");
	CHECK_EQ(f.problems.count, 0);
	folder_write(&f, "challenge.json",
		     "{\"name\": \"x\", \"flag\": \"a\", \"port\": 80, \"internal_port\": 90}");
	plan_it();
	folder_check(f.json, "services/0/ports/0/container_port", "90");
	folder_write(&f, "docker-compose.yml", "services: {a: {image: i, ports: [1]}}\n");
	plan_it();
	folder_check(f.json, "services/0/ports/0/container_port", "1");
	folder_check(f.json, "services/0/ports/1", "");
	folder_close(&f);
}

/* --- ctfcli ------------------------------------------------------------------------------- */

TEST(a_ctfcli_spec_is_read_whole)
{
	const struct challenge *c;

	folder_open(&f);
	folder_write(&f, "dist/a.zip", "x");
	load_spec(
		"challenge.yml",
		"name: The name\nauthor: somebody\ncategory: web\ndescription: |\n  Two\n  lines\n"
		"value: 500\ntype: dynamic\nextra: {initial: 400, decay: 25, minimum: 50}\n"
		"connection_info: nc ${host} ${port}\nstate: hidden\nattempts: 5\nversion: '0.1'\n"
		"tags: [a, b]\ntopics: [x]\nrequirements: [Other]\n"
		"flags: ['flag{one}', {type: static, content: 'flag{two}', data: "
		"case_insensitive}]\n"
		"files: [dist/a.zip, dist/missing.zip, ../outside]\n"
		"hints: [free, {content: paid, cost: 10}]\n"
		"hosting: x\n");
	c = f.challenge;
	CHECK_STR(c->dialect, "ctfcli");
	CHECK_STR(c->name, "The name");
	CHECK_STR(c->author, "somebody");
	CHECK_STR(c->category, "web");
	CHECK_STR(c->description, "Two\nlines\n");
	CHECK_STR(c->type, "dynamic");
	CHECK_EQ(c->value, 400);
	CHECK_EQ(c->minimum, 50);
	CHECK_EQ(c->decay, 25);
	CHECK_STR(c->decay_function, "logarithmic");
	CHECK_STR(c->connection_info, "nc ${host} ${port}");
	CHECK(c->hidden);
	CHECK_EQ(c->attempts, 5);
	CHECK_EQ(c->tag_count, 2);
	CHECK_STR(c->requires_[0], "Other");
	CHECK_EQ(c->question_count, 1);
	CHECK_STR(c->questions[0].id, "flag");
	CHECK_STR(c->questions[0].answer, "flag{one}");
	CHECK_EQ(c->questions[0].kind, ANSWER_STATIC);
	CHECK(!c->questions[0].case_insensitive);
	CHECK_EQ(c->questions[0].also_count, 1);
	CHECK_STR(c->questions[0].also[0].text, "flag{two}");
	CHECK(c->questions[0].also[0].case_insensitive);
	CHECK_EQ(c->attachment_count, 1);
	CHECK_STR(c->attachments[0].filename, "a.zip");
	CHECK_STR(c->attachments[0].source, "dist/a.zip");
	CHECK_EQ(c->hint_count, 2);
	CHECK_STR(c->hints[1].text, "paid");
	CHECK_EQ(c->hints[1].cost, 10);
	CHECK(!challenge_has_instance(c));
	folder_check_problem(&f, "'dist/missing.zip' is not offered: there is no such file");
	folder_check_problem(&f, "'../outside' is not offered: it is outside the folder");
	folder_check_problem(&f,
			     "challenge.yml:20:1: warning: hosting: unknown, and has no effect");
	folder_check_problem(&f, "topics: is for authors: players are not shown it");
	CHECK_EQ(f.problems.count, 4);
	folder_close(&f);
}

TEST(files_of_one_name_are_all_offered)
{
	folder_open(&f);
	folder_write(&f, "a/same.txt", "1");
	folder_write(&f, "b/same.txt", "2");
	folder_write(&f, "c/b/same.txt", "3");
	folder_write(&f, "c/d/same.txt", "4");
	load_spec("challenge.yml", "name: x\nflags: a\n"
				   "files: [a/same.txt, b/same.txt, c/d/same.txt, c/b/same.txt]\n");
	CHECK_STR(f.challenge->attachments[0].filename, "same.txt");
	CHECK_STR(f.challenge->attachments[1].filename, "b-same.txt");
	CHECK_STR(f.challenge->attachments[2].filename, "d-same.txt");
	CHECK_STR(f.challenge->attachments[3].filename, "c-b-same.txt");
	folder_check_problem(&f, "'c/b/same.txt' is offered as 'c-b-same.txt'");
	folder_close(&f);
}

TEST(two_files_of_one_chosen_name_are_a_fault)
{
	folder_open(&f);
	folder_write(&f, "a", "1");
	folder_write(&f, "b", "2");
	folder_write(&f, "challenge.yml",
		     "name: x\nflags: a\nattachments:\n"
		     "  - {source: a, filename: c}\n"
		     "  - {source: b, filename: c}\n");
	CHECK_EQ(folder_load(&f), -ERR_INVALID);
	folder_check_problem(&f, "challenge.yml:5:5: error: files: two files would be called 'c'");
	folder_close(&f);
}

TEST(what_ctfcli_can_say_of_order_and_time_is_heard)
{
	folder_open(&f);
	load_spec(
		"challenge.yml",
		"name: x\nflags: a\nposition: 7\nscheduled_at: 2030-01-01T00:00:00Z\n"
		"requirements: {prerequisites: [Other], anonymize: true}\n"
		"hints: [{title: First, content: a, cost: 5}, {content: b, requirements: [First]},"
		" {content: c, requirements: [1, 2]}]\n");
	CHECK_EQ(f.challenge->position, 7);
	CHECK_EQ(f.challenge->opens_at, 1893456000000);
	CHECK(f.challenge->anonymous);
	CHECK_STR(f.challenge->hints[0].title, "First");
	CHECK_EQ(f.challenge->hints[1].require_count, 1);
	CHECK_EQ(f.challenge->hints[1].requires_[0], 0);
	CHECK_EQ(f.challenge->hints[2].require_count, 2);
	CHECK_EQ(f.challenge->hints[2].requires_[1], 1);
	CHECK_EQ(f.problems.count, 0);
	folder_close(&f);
}

TEST(what_ctfcli_says_and_cannot_be_had_is_a_fault)
{
	static const struct {
		const char *key, *told;
	} rows[] = {
		{ "logic: team", "logic: 'team' can't be had here" },
		{ "scheduled_at: 2026-02-30T00:00:00Z", "is no instant" },
		{ "hints: [{content: a, requirements: [1]}]", "requires hints before it" },
		{ "hints: [{content: a, requirements: [x]}]", "requires hints before it" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(char *, freep) text = strf("name: x\nflags: a\n%s\n", rows[i].key);

		folder_open(&f);
		folder_write(&f, "challenge.yml", text);
		CHECK_EQ(folder_load(&f), -ERR_INVALID);
		folder_check_problem(&f, rows[i].told);
		folder_close(&f);
	}
}

TEST(where_all_flags_are_wanted_each_is_a_question)
{
	folder_open(&f);
	load_spec("challenge.yml",
		  "name: x\nlogic: all\nflags: [one, {type: regex, content: t+}]\n");
	CHECK_EQ(f.challenge->question_count, 2);
	CHECK_STR(f.challenge->questions[0].id, "flag-1");
	CHECK_EQ(f.challenge->questions[0].also_count, 0);
	CHECK_STR(f.challenge->questions[1].id, "flag-2");
	CHECK_EQ(f.challenge->questions[1].kind, ANSWER_REGEX);
	folder_check_problem(&f, "each flag is a question of its own");
	folder_close(&f);
}

TEST(every_key_of_every_dialect_is_read_or_says_why_not)
{
	for (size_t i = 0; i < dialect_count; i++)
		for (const struct spec_keys *keys = dialects[i].keys; keys->map; keys++)
			for (size_t j = 0; j < keys->count; j++)
				if (!keys->rows[j].read == !keys->rows[j].ignored)
					CHECK_STR(keys->rows[j].name, "read, or told why not");
}

TEST(an_unknown_key_warns_wherever_it_stands)
{
	folder_open(&f);
	load_spec("challenge.yml", "name: x\nquestions: [{id: q, answer: {static: a, b: 1}, c: 2, "
				   "place: {file: /f, d: 3}}]\nhints: [{content: h, e: 4}]\n"
				   "endpoints: [{port: 1, f: 5}]\n");
	CHECK_EQ(f.problems.by_kind[PROBLEM_WARNING], 5);
	folder_check_problem(&f, "warning: questions: 'b' is unknown");
	folder_close(&f);
}

TEST(null_and_lone_values_are_taken_as_meant)
{
	folder_open(&f);
	load_spec("challenge.yml",
		  "name: x\ntags:\nfiles:\nimage:\nhost:\nrequirements:\nhints: one\n"
		  "flags: just{one}\nattribution: me\nvalue: '100'\n");
	CHECK_EQ(f.challenge->hint_count, 1);
	CHECK_STR(f.challenge->questions[0].answer, "just{one}");
	CHECK_STR(f.challenge->author, "me");
	CHECK_EQ(f.challenge->value, 100);
	folder_close(&f);
}

TEST(flags_of_several_kinds_are_each_judged_by_their_own)
{
	folder_open(&f);
	load_spec("challenge.yml",
		  "name: x\nflags: ['a.b', {type: regex, content: '^c+$'}, 'd|e']\n");
	CHECK_EQ(f.challenge->questions[0].kind, ANSWER_STATIC);
	CHECK_STR(f.challenge->questions[0].answer, "a.b");
	CHECK_EQ(f.challenge->questions[0].also_count, 2);
	CHECK(f.challenge->questions[0].also[0].is_pattern);
	CHECK_STR(f.challenge->questions[0].also[0].text, "^c+$");
	CHECK_STR(f.challenge->questions[0].also[1].text, "d|e");
	folder_close(&f);
}

TEST(what_the_author_wrote_is_what_counts)
{
	static const char *const written[] = { "0x1337", "0755", "00042", "1e3",        "1.10",
					       "1_000",  "True", "yes",   "2026-01-01", "12:30:45",
					       "0b11",   "+1",   ".5",    "-0",         "1E400" };

	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
		AUTO(char *, freep)
		text = strf("name: %s\ntags: [%s]\nhints: [%s]\nquestions: [{id: q, answer: %s,"
			    " also: [%s]}, {id: r, answer: {static: %s}}]\n",
			    written[i], written[i], written[i], written[i], written[i], written[i]);

		folder_open(&f);
		load_spec("challenge.yml", text);
		CHECK_STR(f.challenge->name, written[i]);
		CHECK_STR(f.challenge->tags[0], written[i]);
		CHECK_STR(f.challenge->hints[0].text, written[i]);
		CHECK_STR(f.challenge->questions[0].answer, written[i]);
		CHECK_STR(f.challenge->questions[0].also[0].text, written[i]);
		CHECK_STR(f.challenge->questions[1].answer, written[i]);
		folder_close(&f);
	}
}

TEST(what_is_counted_is_still_a_number)
{
	folder_open(&f);
	load_spec("challenge.yml", "name: x\nflags: a\nvalue: 0x64\nminimum: 1_0\nstate: hidden\n"
				   "attempts: '5'\nrecord_http: True\n");
	CHECK_EQ(f.challenge->value, 100);
	CHECK_EQ(f.challenge->minimum, 10);
	CHECK_EQ(f.challenge->attempts, 5);
	CHECK(f.challenge->record_http);
	folder_close(&f);
}

TEST(an_answer_that_nobody_can_give_is_a_fault)
{
	static const char *const specs[] = {
		"name: x\nflags: [' ']\n",
		"name: x\nflags: [\"\\uFEFF\\u200B\"]\n",
		"name: x\nquestions: [{id: q, answer: ''}]\n",
		"name: x\nquestions: [{id: q, answer: a, also: [' ']}]\n",
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		folder_open(&f);
		folder_write(&f, "challenge.yml", specs[i]);
		CHECK_EQ(folder_load(&f), -ERR_INVALID);
		folder_check_problem(&f, "nobody can give an answer");
		folder_close(&f);
	}
}

TEST(a_faulty_pattern_is_a_fault_of_the_file)
{
	folder_open(&f);
	folder_write(&f, "challenge.yml", "name: x\nflags: [{type: regex, content: '(a'}]\n");
	CHECK_EQ(folder_load(&f), -ERR_INVALID);
	folder_check_problem(&f, "challenge.yml:2:9: error: flag: '(a' is no regular expression");
	folder_close(&f);
}

TEST(questions_have_templates_fixed_answers_and_patterns)
{
	folder_open(&f);
	load_spec("challenge.yml",
		  "name: x\nquestions:\n"
		  "  - {id: user, text: Who?, answer: 'flag{user_...}', value: 10}\n"
		  "  - {id: fixed, answer: {static: 'flag{...}'}}\n"
		  "  - {id: plain, answer: 'no dots', also: [other]}\n"
		  "  - {id: pat, answer: {regex: '^x$', case_insensitive: true}}\n");
	CHECK_EQ(f.challenge->question_count, 4);
	CHECK_EQ(f.challenge->questions[0].kind, ANSWER_GENERATED);
	CHECK_EQ(f.challenge->questions[0].value, 10);
	CHECK_EQ(f.challenge->questions[2].kind, ANSWER_STATIC);
	CHECK_EQ(f.challenge->questions[3].kind, ANSWER_REGEX);
	CHECK(f.challenge->questions[3].case_insensitive);
	CHECK_EQ(strlen(answer("user")), strlen("flag{user_}") + 32);
	CHECK_EQ(strncmp(answer("user"), "flag{user_", 10), 0);
	CHECK_STR(answer("fixed"), "flag{...}");
	CHECK_STR(answer("plain"), "no dots");
	CHECK(!answer("pat"));
	folder_close(&f);
}

TEST(answers_differ_from_instance_to_instance)
{
	AUTO(char *, freep) first = NULL;
	AUTO(json_t *, json_decrefp) again = NULL;

	folder_open(&f);
	load_spec("challenge.yml", "name: x\nquestions: [{id: q, answer: 'f{...}'}]\n");
	first = strdup(answer("q"));
	CHECK_EQ(challenge_answers(f.challenge, &again, &f.e), 0);
	CHECK(strcmp(first, json_string_value(json_object_get(again, "q"))) != 0);
	CHECK_EQ(strspn(first + 2, "abcdefghijklmnopqrstuvwxyz234567"), 32);
	folder_close(&f);
}

TEST(a_faulty_spec_is_refused_with_its_place)
{
	static const struct {
		const char *text, *message;
	} facts[] = {
		{ "name: [a]", "challenge.yml:1:7: error: name: must be a string, not a list" },
		{ "name: x\nvalue: lots", "value: 'lots' is not a whole number" },
		{ "name: x\nflags: [{type: static}]", "flags: a flag needs its 'content'" },
		{ "name: x\nquestions: [{answer: a}]", "a question needs an 'id'" },
		{ "name: x\nquestions: [{id: '../x', answer: a}]", "a question needs an 'id'" },
		{ "name: x\nquestions: [{id: a}]", "the question 'a' needs an 'answer'" },
		{ "name: x\nquestions: [{id: a, answer: b}, {id: a, answer: c}]",
		  "there are two questions 'a'" },
		{ "name: x\nquestions: [{id: a, answer: {magic: b}}]", "an answer is a template" },
		{ "name: x\nquestions: [{id: a, answer: b, place: {service: s}}]",
		  "needs one of file, environment or build_arg" },
		{ "name: x\nquestions: [{id: a, answer: b, place: {file: rel}}]",
		  "'rel' is not an absolute path" },
		{ "name: x\nattachments: [{filename: a/b, source: c}]", "needs a 'filename'" },
		{ "name: x\nattachments: [{filename: .., source: c}]", "needs a 'filename'" },
		{ "name: x\nattachments: [{filename: a, service: s}]", "needs a 'source'" },
		{ "name: x\nendpoints: [{port: 0}]", "needs a 'port' from 1 to 65535" },
		{ "name: x\nendpoints: [{port: 1, protocol: gopher}]", "'gopher' is not tcp" },
		{ "name: x\nttl: soon", "'soon' is not a duration" },
		{ "name: x\nmax_instances: -1", "'-1' is not a whole number" },
		{ "name: x\ntemplates: [gone]", "templates: 'gone' does not exist" },
		{ "name: x\ncompose: {version: 3}", "compose: needs its 'services'" },
		{ "name: x\nname: y", "the key 'name' is already defined at line 1" },
		{ "name: 'x", "challenge.yml:" },
	};

	folder_open(&f);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		folder_write(&f, "challenge.yml", facts[i].text);
		if (folder_load(&f) != -ERR_INVALID)
			fail_msg("not refused: %s", facts[i].text);
		folder_check_problem(&f, facts[i].message);
	}
	folder_close(&f);
}

TEST(what_is_for_people_may_be_of_many_forms)
{
	folder_open(&f);
	folder_write(&f, "challenge.yml",
		     "name: x\nauthor: [ann, bob]\ncategory: [web, pwn]\ndescription: {a: b}\n"
		     "flags: [f]\ntags: [one, {two: 2}, 3]\n"
		     "hints: [a, {text: b}, {content: [c, d]}]\n"
		     "files: [{path: a.txt}, {file: a.txt, name: n}, {url: u}, null]\n");
	folder_write(&f, "a.txt", "");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->author, "ann, bob");
	CHECK_STR(f.challenge->category, "web, pwn");
	CHECK_EQ(f.challenge->tag_count, 2);
	CHECK_EQ(f.challenge->hint_count, 2);
	CHECK_STR(f.challenge->hints[1].text, "c, d");
	CHECK_EQ(f.challenge->attachment_count, 2);
	folder_check_problem(&f, "description: is not kept: it is a map");
	folder_check_problem(&f, "files: is not offered: it names no file");
	folder_close(&f);
}

/* --- where answers go --------------------------------------------------------------------- */

TEST(an_answer_reaches_every_place_that_asks_for_it)
{
	const char *flag;

	folder_open(&f);
	folder_write(&f, "challenge.yml",
		     "name: x\nquestions:\n"
		     "  - id: my.flag\n    answer: flag{...}\n    place:\n"
		     "      - {environment: PLACED, service: web}\n"
		     "      - {file: /flag.txt, service: web, mode: '0400', uid: 7}\n"
		     "      - {file: /etc/app.json, service: web, template: '{\"f\": "
		     "\"{{answer|json}}\"}'}\n"
		     "      - {build_arg: SEED, service: web}\n"
		     "templates: [conf/site.conf]\n"
		     "attachments: [{filename: note.txt, source: note.tmpl, template: true}]\n");
	folder_write(&f, "conf/site.conf", "x {{my.flag}} y");
	folder_write(&f, "note.tmpl", "{{my.flag}} at {{host}} in {{instance_id}}");
	folder_write(&f, "Dockerfile", "FROM x\nARG SEED\n");
	folder_write(&f, "compose.yml",
		     "services:\n"
		     "  web:\n"
		     "    build: .\n"
		     "    environment: [MY_FLAG, 'COPY=${MY_FLAG}', NOT=x]\n"
		     "    command: [serve, '$MY_FLAG']\n"
		     "    volumes: ['./conf:/conf:ro']\n"
		     "  other: {image: i}\n");
	plan_it();
	flag = answer("my.flag");
	folder_check(f.json, "answers/0",
		     "{\"question\":\"my.flag\",\"service\":\"web\",\"way\":\"environment\","
		     "\"where\":\"MY_FLAG\"}");
	folder_check(f.json, "answers/1/where", "\"COPY\"");
	folder_check(f.json, "answers/2/where", "\"PLACED\"");
	folder_check(f.json, "answers/3/way", "\"build-arg\"");
	folder_check(f.json, "answers/3/where", "\"SEED\"");
	folder_check(f.json, "answers/4",
		     "{\"question\":\"my.flag\",\"service\":\"web\",\"way\":\"interpolation\","
		     "\"where\":\"Cmd\"}");
	folder_check(f.json, "answers/5/where", "\"/flag.txt\"");
	folder_check(f.json, "answers/6/where", "\"/etc/app.json\"");
	folder_check(f.json, "answers/7/way", "\"template\"");
	folder_check(f.json, "answers/7/where", "\"/conf/site.conf\"");
	folder_check(f.json, "answers/8",
		     "{\"question\":\"my.flag\",\"way\":\"template\",\"where\":\"note.txt\"}");
	folder_check(f.json, "answers/9", "");

	CHECK(f.plan->services[0].build->per_instance);
	CHECK_STR(f.plan->services[0].files[0].content, flag);
	CHECK_EQ(f.plan->services[0].files[0].mode, 0400);
	CHECK_EQ(f.plan->services[0].files[0].uid, 7);
	CHECK_HAS(f.plan->services[0].files[1].content, "{\"f\": \"flag{");
	CHECK_HAS(f.plan->services[0].binds[1].content, flag);
	CHECK_HAS(f.plan->attachments[0].content, " at ctf.example in i1");
	CHECK_EQ(f.plan->services[1].file_count, 0);
	folder_close(&f);
}

TEST(answers_win_over_the_env_file)
{
	folder_open(&f);
	folder_write(&f, ".env", "FLAG=from-env\n");
	folder_write(&f, "challenge.yml", "name: x\nflags: ['flag{static}']\n");
	folder_write(&f, "compose.yml",
		     "services: {s: {image: i, environment: ['F=${FLAG:?}']}}\n");
	plan_it();
	folder_check(f.json, "services/0/container/Env", "[\"F=flag{static}\"]");
	folder_close(&f);
}

TEST(a_static_answer_does_not_make_a_build_the_instance_s_own)
{
	folder_open(&f);
	folder_write(&f, "challenge.yml", "name: x\nflags: ['flag{static}']\n");
	folder_write(&f, "Dockerfile", "FROM x\n");
	folder_write(&f, "compose.yml", "services: {s: {build: {context: ., args: [FLAG]}}}\n");
	plan_it();
	folder_check(f.json, "services/0/build/args", "{\"FLAG\":\"flag{static}\"}");
	CHECK(!f.plan->services[0].build->per_instance);
	folder_close(&f);
}

TEST(a_placement_names_a_service_that_is_there)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	folder_write(&f, "challenge.yml",
		     "name: x\nquestions: [{id: q, answer: a, place: "
		     "[{environment: A, service: nope}]}]\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "place: there is no service 'nope'");
	folder_write(&f, "challenge.yml",
		     "name: x\nquestions: [{id: q, answer: a, place: "
		     "[{build_arg: A, service: web}]}]\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "place: the service 'web' is not built");
	folder_close(&f);
}

/* --- what the spec says of instances ------------------------------------------------------ */

TEST(a_capture_may_be_of_headers_alone)
{
	static const struct {
		const char *line;
		enum capture_mode mode;
	} cases[] = { { "capture: headers", CAPTURE_HEADERS },
		      { "capture: true", CAPTURE_ALL },
		      { "capture: on", CAPTURE_ALL },
		      { "capture: off", CAPTURE_OFF },
		      { "category: x", CAPTURE_OFF } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128];

		folder_open(&f);
		folder_write(&f, "compose.yml", "services: {web: {image: i}}\n");
		snprintf(text, sizeof(text), "name: x\nflags: [f]\n%s\n", cases[i].line);
		load_spec("challenge.yml", text);
		CHECK_EQ(f.challenge->capture, cases[i].mode);
		plan_it();
		CHECK_EQ(json_is_string(json_object_get(f.json, "capture")),
			 cases[i].mode == CAPTURE_HEADERS);
		folder_close(&f);
	}
}

TEST(a_spec_tells_what_its_instances_need)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", "services: {web: {image: i}, db: {image: i}}\n");
	load_spec("challenge.yml", "name: x\nflags: [f]\nttl: 90m\nmax_instances: "
				   "7\nhealth_deadline: 30\ncapture: true\n"
				   "record_http: true\nvpn: true\n"
				   "endpoints: [{service: web, port: 8080, protocol: http}]\n");
	CHECK_EQ(f.challenge->ttl, 5400);
	CHECK_EQ(f.challenge->max_instances, 7);
	CHECK_EQ(f.challenge->health_deadline_ms, 30000);
	CHECK_EQ(f.challenge->capture, CAPTURE_ALL);
	CHECK(f.challenge->record_http);
	CHECK(f.challenge->vpn);
	plan_it();
	folder_check(f.json, "services/0/ports",
		     "[{\"container_port\":8080,\"protocol\":\"tcp\",\"app_protocol\":\"http\","
		     "\"published\":true}]");
	folder_check(f.json, "services/0/container/ExposedPorts", "{\"8080/tcp\":{}}");
	folder_check(f.json, "services/1/ports", "");
	folder_check(f.json, "health_deadline_ms", "30000");
	folder_close(&f);
}

TEST(one_port_and_one_url_are_meant_for_each_other)
{
	static const struct {
		const char *line, *app_protocol;
	} facts[] = {
		{ "connection_info: http://${host}:${port}", "\"http\"" },
		{ "connection_info: https://${host}", "\"https\"" },
		{ "connection_info: ${url}", "\"http\"" },
		{ "protocol: http", "\"http\"" },
		{ "connection_info: nc ${host} ${port}", "" },
		{ "protocol: tcp\nconnection_info: http://x", "" },
		{ "tags: []", "" },
	};

	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(char *, freep) text = strf("name: x\nflags: [f]\n%s\n", facts[i].line);

		folder_write(&f, "challenge.yml", text);
		plan_it();
		folder_check(f.json, "services/0/ports/0/app_protocol", facts[i].app_protocol);
	}
	folder_close(&f);
}

TEST(a_built_attachment_names_its_service)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	folder_write(&f, "challenge.yml",
		     "name: x\nflags: [f]\nattachments: "
		     "[{filename: prog, service: web, path: /srv/prog}]\n");
	plan_it();
	folder_check(
		f.json, "attachments",
		"[{\"filename\":\"prog\",\"service\":\"web\",\"container_path\":\"/srv/prog\"}]");
	folder_write(&f, "challenge.yml",
		     "name: x\nflags: [f]\nattachments: "
		     "[{filename: prog, service: gone, path: /srv/prog}]\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "attachments: there is no service 'gone'");
	folder_close(&f);
}

TEST(an_attachment_may_be_a_hidden_file)
{
	folder_open(&f);
	folder_write(&f, "conf/.htaccess", "x");
	folder_write(&f, "challenge.yml",
		     "name: x\nflags: [f]\nattachments: [{source: conf/.htaccess}]\n");
	plan_it();
	folder_check(f.json, "attachments/0/filename", "\".htaccess\"");
	folder_close(&f);
}

TEST(an_attachment_may_come_from_a_stage_or_a_script)
{
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x AS handout\nFROM y\n");
	folder_write(&f, "compose.yml",
		     "services: {web: {build: {context: ., args: [A=1]}}, "
		     "db: {image: i}}\n");
	folder_write(&f, "challenge.yml",
		     "name: x\nflags: [f]\nattachments:\n"
		     "  - {filename: a, service: web, stage: handout, path: /a}\n"
		     "  - {filename: b, service: db, command: dump 'all of it', path: /b}\n");
	plan_it();
	folder_check(f.json, "attachments/0/build/target", "\"handout\"");
	folder_check(f.json, "attachments/0/build/args", "{\"A\":\"1\"}");
	CHECK(strcmp(f.plan->attachments[0].image, f.plan->services[0].image) != 0);
	folder_check(f.json, "attachments/0/command", "");
	folder_check(f.json, "attachments/1/image", "\"i\"");
	folder_check(f.json, "attachments/1/command", "[\"dump\",\"all of it\"]");
	folder_check(f.json, "attachments/1/build", "");
	folder_write(&f, "challenge.yml",
		     "name: x\nflags: [f]\nattachments: "
		     "[{filename: a, service: db, stage: s, path: /a}]\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "the service 'db' is not built: it has no stages");
	folder_close(&f);
}

/* --- other dialects ----------------------------------------------------------------------- */

TEST(an_rcds_spec_brings_its_own_containers)
{
	folder_open(&f);
	folder_write(&f, "flag.txt", "dice{f}\n");
	folder_write(&f, "app/Dockerfile", "FROM x\n");
	folder_write(&f, "server.py", "");
	folder_write(&f, "challenge.yaml",
		     "name: r\nauthor: a\ndescription: |\n  `{{ nc }}`\nflag: {file: flag.txt}\n"
		     "provide: [server.py, {file: server.py, as: other.py}, {kind: zip}]\n"
		     "containers:\n"
		     "  main:\n"
		     "    build: {context: app, args: {A: 1}}\n"
		     "    ports: [5000]\n"
		     "    environment: {X: y}\n"
		     "    replicas: 2\n"
		     "    resources: {limits: {cpu: 500m, memory: 100Mi}}\n"
		     "    securityContext: {readOnlyRootFilesystem: true, runAsUser: 1000}\n"
		     "  redis: {image: redis, resources: {requests: {memory: 64M}}}\n"
		     "expose: {main: [{target: 5000, tcp: 31337, healthContent: hi}, "
		     "{target: 8080, http: web}]}\n"
		     "sortWeight: 1\n");
	plan_it();
	folder_check(f.json, "services/0/name", "\"main\"");
	folder_check(f.json, "services/0/build/args", "{\"A\":\"1\"}");
	folder_check(f.json, "services/0/container/Env", "[\"X=y\"]");
	folder_check(f.json, "services/0/nano_cpus", "500000000");
	folder_check(f.json, "services/0/memory", "104857600");
	folder_check(f.json, "services/0/container/User", "\"1000\"");
	folder_check(f.json, "services/0/ports/0",
		     "{\"container_port\":5000,\"protocol\":\"tcp\",\"published\":true}");
	folder_check(f.json, "services/0/ports/1/app_protocol", "\"http\"");
	folder_check(f.json, "services/1/memory", "64000000");
	folder_check(f.json, "services/1/networks/0/aliases", "[\"redis\"]");
	folder_check(f.json, "attachments/1/filename", "\"other.py\"");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->dialect, "rcds");
	CHECK_STR(f.challenge->questions[0].answer, "dice{f}");
	CHECK_STR(f.challenge->connection_info, "nc {{host}} {{port}}");
	CHECK_STR(f.challenge->type, "dynamic");
	folder_close(&f);
}

TEST(a_kctf_resource_is_a_service)
{
	folder_open(&f);
	folder_write(&f, "challenge/Dockerfile", "FROM x\n");
	folder_write(&f, "metadata.yaml", "name: Nice name\nflag: CTF{k}\ncategory: pwn\n");
	folder_write(
		&f, "challenge.yaml",
		"apiVersion: kctf.dev/v1\nkind: Challenge\nmetadata: {name: k}\n"
		"spec:\n  deployed: true\n  image: reg/k:1\n"
		"  network: {public: true, ports: [{protocol: HTTPS, targetPort: 1337}]}\n"
		"  podTemplate: {template: {spec: {containers: [{name: challenge, "
		"resources: {limits: {memory: 1Gi, cpu: '2'}}, env: [{name: A, value: b}]}]}}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	CHECK_STR(f.problems.rows[0].opt_in, "capability:SYS_ADMIN");
	f.policy = policy_new_open();
	plan_it();
	folder_check(f.json, "services/0/ports/0",
		     "{\"container_port\":1337,\"protocol\":\"tcp\",\"app_protocol\":\"http\","
		     "\"published\":true}");
	folder_check(f.json, "services/0/memory", "1073741824");
	folder_check(f.json, "services/0/container/Env", "[\"A=b\"]");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->dialect, "kctf");
	CHECK_STR(f.challenge->name, "Nice name");
	CHECK_STR(f.challenge->questions[0].answer, "CTF{k}");
	folder_close(&f);
}

TEST(a_kctf_resource_without_ports_is_at_1337)
{
	folder_open(&f);
	f.policy = policy_new_open();
	folder_write(&f, "challenge.yaml",
		     "apiVersion: kctf.dev/v1\nmetadata: {name: k}\n"
		     "spec: {image: reg/k:1, network: {public: true}}\n");
	plan_it();
	folder_check(f.json, "services/0/image", "\"reg/k:1\"");
	folder_check(f.json, "services/0/ports/0/container_port", "1337");
	folder_close(&f);
}

TEST(a_kctf_resource_may_stand_before_others)
{
	folder_open(&f);
	folder_write(&f, "challenge/Dockerfile", "FROM x\n");
	folder_write(&f, "challenge.yaml",
		     "apiVersion: kctf.dev/v1\nmetadata: {name: k}\n---\nkind: Secret\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->dialect, "kctf");
	folder_check_problem(&f, "challenge.yaml:3:1: warning: has no effect");
	folder_write(&f, "challenge.yaml", "name: x\nflags: [f]\n---\nname: y\n");
	CHECK_EQ(folder_load(&f), -ERR_INVALID);
	folder_check_problem(&f, "challenge.yaml:3:1: error: a second document");
	folder_close(&f);
}

TEST(a_kctf_resource_without_an_image_is_only_a_question)
{
	folder_open(&f);
	folder_write(&f, "challenge.yaml", "apiVersion: kctf.dev/v1\nmetadata: {name: k}\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK(!f.challenge->compose);
	folder_close(&f);
}

TEST(an_nyu_flag_without_a_place_is_what_it_is)
{
	folder_open(&f);
	folder_write(&f, "challenge.json",
		     "{\"name\": \"n\", \"flag\": {\"type\": \"static\", \"content\": "
		     "\"csaw{x}\", \"path\": \"\"}}");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_EQ(f.challenge->questions[0].kind, ANSWER_STATIC);
	CHECK_STR(f.challenge->questions[0].answer, "csaw{x}");
	CHECK_EQ(f.challenge->placement_count, 0);
	folder_close(&f);
}

TEST(an_nyu_spec_may_have_a_dynamic_flag)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	folder_write(
		&f, "challenge.json",
		"{\"name\": \"n\", \"category\": \"pwn\", \"description\": \"`nc {box} {port}`\",\n"
		"\"flag\": {\"type\": \"dynamic\", \"content\": \"csaw{old}\", \"path\": "
		"\"/home/flag\"},\n\"box\": \"pwn.chal\", \"internal_port\": 80, \"compose\": "
		"true,\n"
		"\"points\": 100, \"files\": []}");
	plan_it();
	folder_check(f.json, "services/0/files/0/path", "\"/home/flag\"");
	CHECK_EQ(strncmp(answer("flag"), "csaw{", 5), 0);
	CHECK_EQ(strlen(answer("flag")), 38);
	CHECK_STR(f.plan->services[0].files[0].content, answer("flag"));
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->dialect, "nyu");
	CHECK_EQ(f.challenge->value, 100);
	CHECK_STR(f.challenge->connection_info, "nc ${host} ${port}");
	folder_close(&f);
}

TEST(an_ecsc_spec_has_patterns)
{
	folder_open(&f);
	load_spec("challenge.json",
		  "{\"title\": \"t\", \"authors\": [\"a\"], \"tags\": [\"misc\"], \"flags\": "
		  "[\"^f\\\\{.+\\\\}$\"], \"scoring\": {\"type\": \"dynamic\", \"start\": 500, "
		  "\"stop\": 50, \"decay\": \"50%\"}, \"files\": [], \"hints\": [], "
		  "\"endpoint\": {\"type\": \"http\", \"url\": \"http://x\"}}");
	CHECK_STR(f.challenge->dialect, "ecsc");
	CHECK_EQ(f.challenge->questions[0].kind, ANSWER_REGEX);
	CHECK_STR(f.challenge->questions[0].answer, "^f\\{.+\\}$");
	CHECK_EQ(f.challenge->minimum, 50);
	CHECK_STR(f.challenge->protocol, "http");
	CHECK_STR(f.challenge->category, "misc");
	folder_close(&f);
}

TEST(xbow_builds_get_the_flag_by_both_names)
{
	folder_open(&f);
	folder_write(&f, ".env", "FLAG=\"FLAG{8b9df79e}\"\n");
	folder_write(&f, "a/Dockerfile", "FROM x\nARG FLAG\n");
	folder_write(&f, "b/Dockerfile", "FROM x\n");
	folder_write(&f, "docker-compose.yml",
		     "services: {a: {build: {context: a, args: [FLAG]}}, b: {build: b}}\n");
	folder_write(&f, "benchmark.json",
		     "{\"name\": \"XBEN\", \"description\": \"d\", \"level\": \"2\", "
		     "\"win_condition\": \"flag\", \"tags\": [\"idor\"], \"canaries\": []}");
	plan_it();
	CHECK_EQ(strncmp(answer("flag"), "FLAG{", 5), 0);
	CHECK_STR(json_string_value(folder_at(f.json, "services/0/build/args/FLAG")),
		  answer("flag"));
	CHECK_STR(json_string_value(folder_at(f.json, "services/1/build/args/flag")),
		  answer("flag"));
	CHECK(f.plan->services[0].build->per_instance);
	CHECK_EQ(f.problems.count, 3); /* canaries, level, win_condition */
	folder_close(&f);
}

TEST(a_gzctf_container_gets_its_flag_by_environment)
{
	folder_open(&f);
	folder_write(&f, "challenge.yml",
		     "name: g\nauthor: a\ndescription: d\nvalue: 1000\ntype: DynamicContainer\n"
		     "container: {containerImage: 'reg/g:1', memoryLimit: 128, cpuCount: 5, "
		     "containerExposePort: 70, enableTrafficCapture: true, "
		     "flagTemplate: 'ctf{hello_[TEAM_HASH]}'}\nscripts: {start: x}\n");
	plan_it();
	folder_check(f.json, "services/0/image", "\"reg/g:1\"");
	folder_check(f.json, "services/0/memory", "134217728");
	folder_check(f.json, "services/0/nano_cpus", "500000000");
	folder_check(f.json, "services/0/ports/0/container_port", "70");
	folder_check(f.json, "answers/0/where", "\"GZCTF_FLAG\"");
	CHECK_EQ(strncmp(answer("flag"), "ctf{hello_", 10), 0);
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->dialect, "gzctf");
	CHECK(f.challenge->capture);
	folder_close(&f);
}

TEST(a_bare_compose_file_s_flags_are_its_questions)
{
	folder_open(&f);
	folder_write(&f, ".env", "ADMIN_FLAG=known\n");
	folder_write(&f, "Dockerfile", "FROM x\n");
	folder_write(&f, "compose.yml",
		     "services: {s: {build: {context: ., args: [FLAG_2]}, "
		     "environment: ['A=${FLAG:?must be set}', 'B=$ADMIN_FLAG', "
		     "'C=$FLAGPOLE', 'E=$FLAG_PATH', 'D=$$FLAG_9', FLAG_PATH=/flag]}}\n");
	plan_it();
	CHECK_EQ(json_object_size(f.answers), 3);
	CHECK_EQ(strlen(answer("flag")), 38);
	CHECK_STR(answer("admin_flag"), "known");
	CHECK_STR(json_string_value(folder_at(f.json, "services/0/build/args/FLAG_2")),
		  answer("flag_2"));
	folder_close(&f);
}

TEST(a_flag_that_a_bare_compose_file_spells_out_is_fixed)
{
	folder_open(&f);
	folder_write(&f, "compose.yml",
		     "services: {s: {image: i, environment: ['FLAG=flag{x}']}}\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_EQ(f.challenge->questions[0].kind, ANSWER_STATIC);
	CHECK_STR(answer("flag"), "flag{x}");
	folder_write(&f, "compose.yml", "services: {s: {image: i, environment: {FLAG: 'y'}}}\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(answer("flag"), "y");
	folder_close(&f);
}

TEST(a_plugin_s_keys_do_not_make_another_dialect)
{
	folder_open(&f);
	load_spec("challenge.yml", "name: x\nflags: [f]\ncontainers: 3\nexpose: y\n"
				   "type: container\nimage: 'reg/x:1'\nport: 8080\ncontainer: z\n");
	CHECK_STR(f.challenge->dialect, "ctfcli");
	plan_it();
	folder_check(f.json, "services/0/ports/0/container_port", "8080");
	folder_close(&f);
}

TEST(a_dockerfile_alone_is_a_challenge)
{
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\nEXPOSE 9000 9001/udp\n");
	plan_it();
	folder_check(f.json, "services/0/build/dockerfile", "\"Dockerfile\"");
	folder_check(f.json, "services/0/ports/0/container_port", "9000");
	folder_check(f.json, "services/0/ports/1/protocol", "\"udp\"");
	folder_write(&f, "Dockerfile", "FROM x\n");
	plan_it();
	folder_check_problem(&f, "Dockerfile: warning: exposes no port");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->dialect, "dockerfile");
	folder_close(&f);
}

TEST(a_dockerfile_beside_a_spec_that_runs_nothing_is_not_run)
{
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\n");
	load_spec("challenge.yml", "name: x\nflags: [f]\n");
	CHECK(!challenge_has_instance(f.challenge));
	load_spec("challenge.yml", "name: x\nflags: [f]\nimage: .\n");
	CHECK(challenge_has_instance(f.challenge));
	load_spec("challenge.yml", "name: x\nflags: [f]\nconnection_info: nc x\n");
	CHECK(challenge_has_instance(f.challenge));
	folder_close(&f);
}

TEST(a_compose_file_below_is_found)
{
	folder_open(&f);
	folder_write(&f, "src/docker-compose.yml", "services: {s: {build: ..}}\n");
	folder_write(&f, "Dockerfile", "FROM x\n");
	folder_write(&f, "challenge.yml", "name: x\nflags: [f]\n");
	plan_it();
	CHECK_STR(f.plan->services[0].name, "s");
	folder_close(&f);
}

TEST(a_folder_without_anything_is_no_challenge)
{
	folder_open(&f);
	folder_write(&f, "notes.txt", "x");
	CHECK_EQ(folder_load(&f), -ERR_NOT_FOUND);
	CHECK_EQ(challenge_load("/nowhere/at/all", &f.challenge, &f.problems, &f.e),
		 -ERR_NOT_FOUND);
	folder_close(&f);
}

/* --- import ------------------------------------------------------------------------------- */

static char *plan_text(void)
{
	json_t *services = json_object_get(f.json, "services");

	return json_dumps(services, JSON_COMPACT | JSON_SORT_KEYS);
}

/* Loads what was imported from where the original stood. */
static void check_import(const char *spec)
{
	AUTO(char *, freep) text = NULL;
	AUTO(char *, freep) before = NULL;
	AUTO(char *, freep) after = NULL;
	AUTO(char *, freep) path = strf("%s/%s", f.dir, spec);
	char *flag;

	f.policy = policy_new_open();
	plan_it();
	before = plan_text();
	flag = strdup(answer("flag"));
	CHECK_EQ(folder_load(&f), 0);
	text = challenge_yaml(f.challenge);
	CHECK_EQ(unlink(path), 0);
	folder_write(&f, "challenge.yml", text);
	plan_it();
	CHECK_EQ(strlen(answer("flag")), strlen(flag));
	after = plan_text();
	/* A generated flag is another each time: what is compared is all the rest. */
	for (char *at; (at = strstr(before, flag));)
		memset(at, 'f', strlen(flag));
	for (char *at; (at = strstr(after, answer("flag")));)
		memset(at, 'f', strlen(flag));
	free(flag);
	if (!strstr(before, "content_hash"))
		CHECK_STR(before, after);
	CHECK_EQ(f.problems.count, 0);
}

TEST(what_is_imported_makes_the_same_instance)
{
	folder_open(&f);
	folder_write(&f, "flag.txt", "dice{f}\n");
	folder_write(&f, "challenge.yaml",
		     "name: 'r: \"quoted\"'\nauthor: \"a\\tb\"\ndescription: |\n  Line\n    "
		     "more\n\n  end\n"
		     "flag: {file: flag.txt}\nvalue: 5\n"
		     "containers: {main: {image: i, environment: {X: \"true\", Y: 'a: b'}, "
		     "resources: {limits: {cpu: 500m}}}}\n"
		     "expose: {main: [{target: 5000, http: x}]}\n");
	check_import("challenge.yaml");
	folder_close(&f);
}

TEST(a_gzctf_flag_of_several_marks_is_random_from_first_to_last)
{
	folder_open(&f);
	folder_write(&f, "challenge.yaml",
		     "name: g\ntype: DynamicContainer\ncontainer: {containerImage: i, "
		     "flagTemplate: 'ctf{a_[GUID]_[TEAM_HASH]_[GUID]!}'}\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(f.challenge->questions[0].answer, "ctf{a_...!}");
	folder_close(&f);
}

TEST(an_imported_gzctf_challenge_keeps_its_placements)
{
	folder_open(&f);
	folder_write(&f, "challenge.yaml",
		     "name: g\ntype: DynamicContainer\ncontainer: {containerImage: 'reg/g:1', "
		     "containerExposePort: 70, flagTemplate: 'ctf{[GUID]}'}\n");
	check_import("challenge.yaml");
	folder_close(&f);
}

TEST(an_imported_nyu_challenge_keeps_its_file)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", bare);
	folder_write(&f, "challenge.json",
		     "{\"name\": \"n\", \"flag\": {\"content\": \"csaw{old}\", \"path\": \"/f\"}}");
	check_import("challenge.json");
	folder_close(&f);
}

/* --- trees -------------------------------------------------------------------------------- */

struct found {
	struct buf names;
	int stop_after;
};

static int collect(void *cookie, const char *dir)
{
	struct found *found = cookie;

	buf_printf(&found->names, "%s ", dir + strlen(f.dir) + 1);
	return --found->stop_after == 0 ? 7 : 0;
}

TEST(a_tree_is_walked_in_order_and_not_into_what_was_found)
{
	struct found found = { BUF_INIT, 0 };

	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM tools\n");
	folder_write(&f, "b/challenge.yml", "name: b\n");
	folder_write(&f, "b/src/compose.yml", bare);
	folder_write(&f, "a/x/docker-compose.yml", bare);
	folder_write(&f, "c/only/Dockerfile", "FROM x\n");
	folder_write(&f, ".git/compose.yml", bare);
	folder_write(&f, "d/benchmark.json", "{}");
	CHECK_EQ(challenge_walk(f.dir, collect, &found, &f.e), 0);
	CHECK_STR(found.names.data, "a/x b c/only d ");
	buf_clear(&found.names);
	found.stop_after = 2;
	CHECK_EQ(challenge_walk(f.dir, collect, &found, &f.e), 7);
	CHECK_STR(found.names.data, "a/x b ");
	buf_done(&found.names);
	folder_close(&f);
}

TEST(a_folder_whose_parts_need_each_other_is_one_challenge)
{
	static const char above[] = "services: {s: {build: {context: .., dockerfile: x}}}\n";
	struct found found = { BUF_INIT, 0 };

	folder_open(&f);
	folder_write(&f, "a/deploy/compose.yml", above);
	folder_write(&f, "a/src/Dockerfile", "FROM x\n");
	folder_write(&f, "b/deploy/compose.yml", "# ../up\nservices: {s: {image: i}}\n");
	folder_write(&f, "c/app/compose.yml", above);
	folder_write(&f, "c/other/compose.yml", bare);
	folder_write(&f, "d/infra/compose.yml", above);
	CHECK_EQ(challenge_walk(f.dir, collect, &found, &f.e), 0);
	CHECK_STR(found.names.data, "a b/deploy c/app c/other d/infra ");
	buf_done(&found.names);
	folder_close(&f);
}

TEST(a_folder_is_known_by_its_name_or_without_spec_by_one_that_says_more)
{
	static const struct {
		const char *file, *text, *id;
	} facts[] = {
		{ "team/app/challenge.yml", "name: x\nflags: [f]\n", "app" },
		{ "team/my app!/challenge.yml", "name: x\nflags: [f]\n", "my-app" },
		{ "team/src/challenge.yml", "name: x\nid: told\nflags: [f]\n", "told" },
		{ "team/deploy/compose.yml", bare, "team-deploy" },
		{ "team/first/compose.yml", bare, "first" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(char *, freep) dir = NULL;
		AUTO(struct challenge *, challenge_freep) challenge = NULL;
		struct problems problems = PROBLEMS_INIT;

		folder_open(&f);
		folder_write(&f, facts[i].file, facts[i].text);
		dir = strf("%s/%.*s", f.dir, (int)(strrchr(facts[i].file, '/') - facts[i].file),
			   facts[i].file);
		CHECK_EQ(challenge_load(dir, &challenge, &problems, &f.e), 0);
		CHECK_STR(challenge->id, facts[i].id);
		problems_done(&problems);
		folder_close(&f);
	}
}

static void count_result(void *cookie, const struct lint_result *result)
{
	struct buf *out = cookie;

	buf_printf(out, "%s:%d ", result->challenge ? result->challenge->id : "-", result->outcome);
	for (size_t i = 0; i < result->problems.count; i++) {
		AUTO(char *, freep) text = problem_text(&result->problems.rows[i]);

		CHECK_EQ(strncmp(text, f.dir, strlen(f.dir)), 0);
		buf_printf(out, "[%s] ", text + strlen(f.dir) + 1);
	}
}

TEST(lint_judges_every_challenge_of_a_tree)
{
	AUTO(struct buf, buf_done) out = BUF_INIT;
	struct lint_totals totals = { 0 };

	folder_open(&f);
	folder_write(&f, "fine/compose.yml", bare);
	folder_write(&f, "bad/compose.yml", "services: {s: {imagine: i}}\n");
	folder_write(&f, "risky/compose.yml",
		     "services: {s: {image: i, ports: [80], "
		     "privileged: true}}\n");
	folder_write(&f, "idle/compose.yml", "services: {s: {image: i}}\n");
	folder_write(&f, "idle/challenge.yml", "name: x\nquestions: [{id: q, answer: '...'}]\n");
	folder_write(&f, "broken/challenge.yml", "name: [\n");
	CHECK_EQ(lint_path(f.dir, NULL, &totals, count_result, &out, &f.e), 0);
	CHECK_EQ(totals.challenges, 5);
	CHECK_EQ(totals.by_outcome[LINT_FINE], 2);
	CHECK_EQ(totals.by_outcome[LINT_POLICY], 1);
	CHECK_EQ(totals.by_outcome[LINT_FAULTY], 2);
	CHECK_HAS(out.data, "fine:0 ");
	CHECK_HAS(out.data, "[bad/compose.yml:1:16: error: services.s.imagine: unknown key]");
	CHECK_HAS(out.data, "[risky/compose.yml:1:51: policy: services.s.privileged: ");
	CHECK_HAS(out.data, "-:2 [broken/challenge.yml:2:1: error: ");
	CHECK_HAS(out.data,
		  "[idle/challenge.yml: warning: questions: the answer to 'q' is made for "
		  "each instance but gets into none]");
	CHECK_HAS(out.data, "no service publishes a port");
	folder_close(&f);
}

TEST(lint_tells_of_a_server_that_only_its_container_reaches)
{
	static const struct {
		const char *keys, *dockerfile;
		bool told;
	} facts[] = {
		{ "image: i, command: python3 -m http.server --bind 127.0.0.1 80", NULL, true },
		{ "image: i, command: [gunicorn, -b, '127.0.0.1:80', app]", NULL, true },
		{ "image: i, command: [php, -S, 'localhost:80']", NULL, true },
		{ "image: i, command: ['socat', 'TCP-LISTEN:80,bind=127.0.0.1,fork', 'EXEC:x']",
		  NULL, true },
		{ "image: i, environment: {FLASK_RUN_HOST: 127.0.0.1}", NULL, true },
		{ "build: .", "FROM x\nCMD [\"flask\", \"run\", \"--host=127.0.0.1\"]\n", true },
		{ "build: .", "FROM x\nCMD gunicorn \\\n  --bind 127.0.0.1:80 app\n", true },
		{ "build: .", "FROM x AS a\nCMD run --host 127.0.0.1\nFROM y\nCMD run\n", false },
		{ "build: ., command: run --host 0.0.0.0", "FROM x\nCMD run --host 127.0.0.1\n",
		  false },
		{ "image: i, command: python3 -m http.server --bind 0.0.0.0 80", NULL, false },
		{ "image: i, command: [proxy, --upstream, '127.0.0.1:9000']", NULL, false },
		{ "image: i, command: [sh, -c, 'serve & curl -s 127.0.0.1:80']", NULL, false },
		{ "image: i, environment: {DB_HOST: 127.0.0.1}", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(struct lint_result, lint_result_done) result = { .path = NULL };
		AUTO(char *, freep)
		text = strf("services: {s: {%s, ports: ['80:80']}}\n", facts[i].keys);
		bool told = false;

		folder_open(&f);
		folder_write(&f, "compose.yml", text);
		if (facts[i].dockerfile)
			folder_write(&f, "Dockerfile", facts[i].dockerfile);
		CHECK_EQ(lint_challenge(f.dir, "c", NULL, &result, &f.e), 0);
		for (size_t j = 0; j < result.problems.count; j++)
			told = told || strstr(result.problems.rows[j].message, "127.0.0.1");
		if (told != facts[i].told)
			fail_msg("%s: %s", told ? "told" : "not told", facts[i].keys);
		folder_close(&f);
	}
}

TEST(lint_takes_a_compose_file_by_itself)
{
	AUTO(struct buf, buf_done) out = BUF_INIT;
	AUTO(char *, freep) path = NULL;
	AUTO(char *, freep) empty = NULL;
	struct lint_totals totals = { 0 };

	folder_open(&f);
	folder_write(&f, "chal/challenge.yml", "name: x\nflags: [f]\n");
	folder_write(&f, "chal/Dockerfile", "FROM x\n");
	folder_write(&f, "chal/deploy/odd-name.yml", "services: {s: {build: .., ports: [80]}}\n");
	path = strf("%s/chal/deploy/odd-name.yml", f.dir);
	CHECK_EQ(lint_path(path, NULL, &totals, count_result, &out, &f.e), 0);
	CHECK_EQ(totals.by_outcome[LINT_FINE], 1);
	CHECK_EQ(lint_path("/nowhere", NULL, &totals, count_result, &out, &f.e), -ERR_NOT_FOUND);
	folder_write(&f, "empty/x", "");
	empty = strf("%s/empty", f.dir);
	CHECK_EQ(lint_path(empty, NULL, &totals, count_result, &out, &f.e), -ERR_NOT_FOUND);
	folder_close(&f);
}

RUN_TESTS(T(a_ctfcli_spec_is_read_whole), T(the_port_that_an_nyu_spec_names_is_published),
	  T(of_a_directory_that_is_handed_out_every_file_is_offered),
	  T(an_rctf_2_spec_brings_flags_scoring_and_a_compose_model),
	  T(benchmarks_of_solvers_are_read), T(a_file_of_a_common_name_is_a_spec_by_what_it_says),
	  T(a_value_may_fall_or_be_dynamic), T(rcds_containers_may_be_one_level_deeper),
	  T(labels_and_known_base_images_name_the_port),
	  T(a_flag_file_has_the_answer_of_a_spec_without_one),
	  T(a_compose_file_and_a_dockerfile_alone_have_theirs_found_too),
	  T(a_dummy_or_one_of_two_flags_is_no_answer), T(an_unknown_key_warns_wherever_it_stands),
	  T(null_and_lone_values_are_taken_as_meant), T(files_of_one_name_are_all_offered),
	  T(two_files_of_one_chosen_name_are_a_fault),
	  T(what_ctfcli_can_say_of_order_and_time_is_heard),
	  T(what_ctfcli_says_and_cannot_be_had_is_a_fault),
	  T(where_all_flags_are_wanted_each_is_a_question),
	  T(every_key_of_every_dialect_is_read_or_says_why_not),
	  T(flags_of_several_kinds_are_each_judged_by_their_own),
	  T(what_the_author_wrote_is_what_counts), T(what_is_counted_is_still_a_number),
	  T(an_answer_that_nobody_can_give_is_a_fault), T(a_faulty_pattern_is_a_fault_of_the_file),
	  T(questions_have_templates_fixed_answers_and_patterns),
	  T(answers_differ_from_instance_to_instance), T(a_faulty_spec_is_refused_with_its_place),
	  T(what_is_for_people_may_be_of_many_forms),
	  T(an_answer_reaches_every_place_that_asks_for_it), T(answers_win_over_the_env_file),
	  T(a_static_answer_does_not_make_a_build_the_instance_s_own),
	  T(a_placement_names_a_service_that_is_there), T(a_spec_tells_what_its_instances_need),
	  T(a_capture_may_be_of_headers_alone), T(one_port_and_one_url_are_meant_for_each_other),
	  T(a_built_attachment_names_its_service), T(an_attachment_may_be_a_hidden_file),
	  T(an_attachment_may_come_from_a_stage_or_a_script),
	  T(an_rcds_spec_brings_its_own_containers), T(a_kctf_resource_is_a_service),
	  T(a_kctf_resource_without_ports_is_at_1337), T(a_kctf_resource_may_stand_before_others),
	  T(a_kctf_resource_without_an_image_is_only_a_question),
	  T(an_nyu_flag_without_a_place_is_what_it_is), T(an_nyu_spec_may_have_a_dynamic_flag),
	  T(an_ecsc_spec_has_patterns), T(xbow_builds_get_the_flag_by_both_names),
	  T(a_gzctf_container_gets_its_flag_by_environment),
	  T(a_bare_compose_file_s_flags_are_its_questions),
	  T(a_flag_that_a_bare_compose_file_spells_out_is_fixed),
	  T(a_plugin_s_keys_do_not_make_another_dialect), T(a_dockerfile_alone_is_a_challenge),
	  T(a_dockerfile_beside_a_spec_that_runs_nothing_is_not_run),
	  T(a_compose_file_below_is_found), T(a_folder_without_anything_is_no_challenge),
	  T(what_is_imported_makes_the_same_instance),
	  T(a_gzctf_flag_of_several_marks_is_random_from_first_to_last),
	  T(an_imported_gzctf_challenge_keeps_its_placements),
	  T(an_imported_nyu_challenge_keeps_its_file),
	  T(a_tree_is_walked_in_order_and_not_into_what_was_found),
	  T(a_folder_whose_parts_need_each_other_is_one_challenge),
	  T(a_folder_is_known_by_its_name_or_without_spec_by_one_that_says_more),
	  T(lint_judges_every_challenge_of_a_tree),
	  T(lint_tells_of_a_server_that_only_its_container_reaches),
	  T(lint_takes_a_compose_file_by_itself))
