/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image-steps.h"

#include "base/own.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

/* --- output ------------------------------------------------------------------------------- */

static void keep_output(struct image_output *output, const char *text, size_t len)
{
	enum { MOST = IMAGE_OUTPUT_SIZE - 1 };

	if (len > MOST) {
		text += len - MOST;
		len = MOST;
	}
	if (output->len + len > MOST) {
		size_t drop = output->len + len - MOST;

		memmove(output->text, output->text + drop, output->len - drop);
		output->len -= drop;
	}
	memcpy(output->text + output->len, text, len);
	output->len += len;
	output->text[output->len] = '\0';
}

const char *image_output_end(const struct image_output *output, size_t size)
{
	size_t cut = output->len < size ? 0 : output->len + 1 - size;
	const char *end = output->text + cut, *line;

	/* What begins in the middle of a line, or may have lost its beginning, is left out. */
	if (cut == 0 && output->len < IMAGE_OUTPUT_SIZE - 1)
		return end;
	line = strchr(end, '\n');
	return line && line[1] ? line + 1 : end;
}

/* --- steps -------------------------------------------------------------------------------- */

static bool is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

static const char *next_word(const char *s, size_t *ret_len)
{
	s += strspn(s, blanks);
	*ret_len = strcspn(s, blanks);
	return s;
}

static struct build_stage *current_stage(struct build_steps *steps)
{
	return steps->stage_count ? &steps->stages[steps->stage_count - 1] : NULL;
}

/* A stage by its name or number; NULL: it is an image. */
static const struct build_stage *find_stage(const struct build_steps *steps, const char *word,
					    size_t len)
{
	char number[24];

	for (size_t i = 0; i < steps->stage_count; i++) {
		snprintf(number, sizeof(number), "%zu", i);
		if (is_word(word, len, number) ||
		    (steps->stages[i].name[0] && is_word(word, len, steps->stages[i].name)))
			return &steps->stages[i];
	}
	return NULL;
}

/* "FROM [--flags] base [AS name]" */
static void begin_stage(struct build_steps *steps, const char *rest)
{
	const struct build_stage *base;
	struct build_stage stage = { .own = false };
	const char *word;
	size_t len;

	if (steps->stage_count == STAGES_MAX)
		return;
	for (word = next_word(rest, &len); strncmp(word, "--", 2) == 0;
	     word = next_word(word + len, &len))
		;
	base = find_stage(steps, word, len);
	stage.own = base && base->own;
	word = next_word(word + len, &len);
	if (is_word(word, len, "AS")) {
		word = next_word(word + len, &len);
		snprintf(stage.name, sizeof(stage.name), "%.*s", (int)len, word);
	}
	steps->stages[steps->stage_count++] = stage;
	steps->named_base = false;
}

static bool declares_own(const struct build_steps *steps, const char *rest)
{
	char name[256];
	size_t len;

	for (const char *word = next_word(rest, &len); len; word = next_word(word + len, &len)) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "= \t"), word);
		if (json_object_get(steps->own_args, name))
			return true;
	}
	return false;
}

static bool copies_own(const struct build_steps *steps, const char *rest)
{
	size_t len;

	for (const char *word = next_word(rest, &len); strncmp(word, "--", 2) == 0;
	     word = next_word(word + len, &len)) {
		const struct build_stage *from = strncasecmp(word, "--from=", 7) == 0
							 ? find_stage(steps, word + 7, len - 7)
							 : NULL;

		if (from && from->own)
			return true;
	}
	return false;
}

static void take_instruction(struct build_steps *steps, const char *text)
{
	struct build_stage *stage = current_stage(steps);
	size_t len;
	const char *word = next_word(text, &len);

	if (is_word(word, len, "FROM"))
		begin_stage(steps, word + len);
	else if (stage && is_word(word, len, "ARG"))
		stage->own = stage->own || declares_own(steps, word + len);
	else if (stage && is_word(word, len, "COPY"))
		stage->own = stage->own || copies_own(steps, word + len);
}

static void set_step(struct build_steps *steps, int64_t step, int64_t count, const char *words)
{
	steps->step = step;
	steps->steps = count;
	steps->stepped = true;
	snprintf(steps->words, sizeof(steps->words), "%s", words);
}

static void take_layer(struct build_steps *steps, const char *id)
{
	struct build_stage *stage = current_stage(steps);
	size_t len = strspn(id, "0123456789abcdef");

	if (!stage || len < 12 || id[len] || len >= LAYER_ID_SIZE)
		return;
	if (!steps->named_base) {
		steps->named_base = true;
		return;
	}
	memcpy(stage->last, id, len + 1);
	if (!stage->own)
		memcpy(stage->shared, id, len + 1);
}

/* "[2/4] RUN make" and "[build 2/4] RUN make" */
static bool take_buildkit(struct build_steps *steps, const char *line)
{
	const char *end = strchr(line, ']');
	const char *at = line + 1;
	long long step, count;
	int len = 0;

	if (line[0] != '[' || !end)
		return false;
	for (const char *c = at; c < end; c++)
		if (*c == ' ')
			at = c + 1;
	if (sscanf(at, "%lld/%lld%n", &step, &count, &len) != 2 || at + len != end)
		return false;
	set_step(steps, step, count, end + 1 + strspn(end + 1, blanks));
	return true;
}

static void take_line(struct build_steps *steps)
{
	const char *line = steps->line;
	long long step, count;
	int len = 0;

	if (sscanf(line, "Step %lld/%lld : %n", &step, &count, &len) == 2 && len) {
		set_step(steps, step, count, line + len);
		take_instruction(steps, line + len);
	} else if (sscanf(line, "STEP %lld/%lld: %n", &step, &count, &len) == 2 && len) {
		set_step(steps, step, count, line + len);
	} else if (strncmp(line, " ---> ", 6) == 0) {
		take_layer(steps, line + 6);
	} else {
		take_buildkit(steps, line);
	}
}

void build_steps_take(struct build_steps *steps, const char *text)
{
	keep_output(&steps->output, text, strlen(text));
	for (; *text; text++) {
		if (*text != '\n') {
			if (steps->len < sizeof(steps->line) - 1)
				steps->line[steps->len++] = *text;
			continue;
		}
		while (steps->len && isspace((unsigned char)steps->line[steps->len - 1]))
			steps->len--;
		steps->line[steps->len] = '\0';
		take_line(steps);
		steps->len = 0;
	}
}
