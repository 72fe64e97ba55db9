/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor {
	struct anchor *next;
	const char *name;
	struct yaml_node *node;
	bool complete; /* false inside the anchored node itself: an alias to it would be a loop */
};

struct builder {
	struct arena *arena;
	const struct yaml_file *file;
	yaml_parser_t parser;
	struct anchor *anchors;
	unsigned depth;
	unsigned *second; /* for the line of a second document; NULL: there must be none */
	struct yaml_fault *fault;
	struct err *e;
};

__attribute__((format(printf, 4, 5))) static int fail(struct builder *b, size_t line, size_t column,
						      const char *fmt, ...)
{
	va_list ap;

	b->fault->line = (unsigned)line;
	b->fault->column = (unsigned)column;
	va_start(ap, fmt);
	vsnprintf(b->fault->reason, sizeof(b->fault->reason), fmt, ap);
	va_end(ap);
	return err_set(b->e, ERR_INVALID, "%s:%u:%u: %s", b->file->path, b->fault->line,
		       b->fault->column, b->fault->reason);
}

static int fail_at(struct builder *b, const yaml_mark_t *mark, const char *reason)
{
	return fail(b, mark->line + 1, mark->column + 1, "%s", reason);
}

/* The parser's own mark lags behind what it couldn't even read. */
static int fail_read(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const unsigned char *c = p->input.string.start;
	const unsigned char *end = c + p->problem_offset;
	size_t line = 1, column = 1;

	for (; c < end && c < p->input.string.end; c++) {
		column = *c == '\n' ? 1 : column + ((*c & 0xc0) != 0x80);
		line += *c == '\n';
	}
	return fail(b, line, column, "%s%s", p->problem,
		    strstr(p->problem, "UTF-8") ? ": the file has to be in UTF-8" : "");
}

static int fail_parse(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return err_memory(b->e);
	if (p->error == YAML_READER_ERROR)
		return fail_read(b);
	if (p->context)
		return fail(b, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s (%s)",
			    p->problem, p->context);
	return fail_at(b, &p->problem_mark, p->problem);
}

static struct yaml_node *node_new(struct builder *b, enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node = arena_alloc(b->arena, sizeof(*node));

	if (!node)
		return NULL;
	*node = (struct yaml_node){
		.kind = kind,
		.line = (unsigned)event->start_mark.line + 1,
		.column = (unsigned)event->start_mark.column + 1,
		.file = b->file,
		.weight = 1,
	};
	return node;
}

/* --- scalars ------------------------------------------------------------------------------- */

static bool is_one_of(const char *s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static bool is_null(const char *s)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	return is_one_of(s, words, ARRAY_SIZE(words));
}

static bool read_bool(const char *s, bool *ret_value)
{
	static const char *const yes[] = { "true", "True", "TRUE" };
	static const char *const no[] = { "false", "False", "FALSE" };

	*ret_value = is_one_of(s, yes, ARRAY_SIZE(yes));
	return *ret_value || is_one_of(s, no, ARRAY_SIZE(no));
}

/* Digits without the underscores that may group them; false where s can't be a number. */
static bool number_text(const char *s, char *digits, size_t size)
{
	size_t len = 0;

	if (!isdigit((unsigned char)*s) && !strchr("+-.", *s))
		return false;
	for (; *s; s++) {
		if (*s == '_')
			continue;
		if (len + 1 == size)
			return false;
		digits[len++] = *s;
	}
	digits[len] = '\0';
	return len > 0;
}

static bool read_int(const char *s, int64_t *ret_value)
{
	const char *digits = s + (*s == '-' || *s == '+');
	int base = 10;
	char number[72];
	char *end;

	if (digits[0] == '0' && digits[1]) {
		base = tolower((unsigned char)digits[1]) == 'x'   ? 16
		       : tolower((unsigned char)digits[1]) == 'b' ? 2
								  : 8;
		digits += base != 8 || tolower((unsigned char)digits[1]) == 'o' ? 2 : 1;
	}
	if (!isalnum((unsigned char)*digits))
		return false;
	snprintf(number, sizeof(number), "%s%s", *s == '-' ? "-" : "", digits);
	errno = 0;
	*ret_value = strtoll(number, &end, base);
	return *end == '\0' && errno == 0;
}

static bool is_decimal_float(const char *s)
{
	size_t whole, fraction = 0;

	s += *s == '-' || *s == '+';
	whole = strspn(s, "0123456789");
	s += whole;
	if (*s == '.') {
		fraction = strspn(++s, "0123456789");
		s += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

static bool read_float(const char *s, double *ret_value)
{
	static const char *const infinite[] = { ".inf", ".Inf", ".INF" };
	static const char *const nan_words[] = { ".nan", ".NaN", ".NAN" };

	if (is_decimal_float(s)) {
		*ret_value = strtod(s, NULL);
		return true;
	}
	if (is_one_of(s, nan_words, ARRAY_SIZE(nan_words))) {
		*ret_value = NAN;
		return true;
	}
	*ret_value = *s == '-' ? -INFINITY : INFINITY;
	return is_one_of(s + (*s == '-' || *s == '+'), infinite, ARRAY_SIZE(infinite));
}

static void resolve_plain(struct yaml_node *node)
{
	char number[72];

	node->kind = YAML_STRING;
	if (is_null(node->text))
		node->kind = YAML_NULL;
	else if (read_bool(node->text, &node->boolean))
		node->kind = YAML_BOOL;
	else if (!number_text(node->text, number, sizeof(number)))
		return;
	else if (read_int(number, &node->integer))
		node->kind = YAML_INT;
	else if (read_float(number, &node->real))
		node->kind = YAML_FLOAT;
}

static bool is_yaml_tag(const char *tag, const char *word)
{
	static const char prefix[] = "tag:yaml.org,2002:";

	return strncmp(tag, prefix, sizeof(prefix) - 1) == 0 &&
	       strcmp(tag + sizeof(prefix) - 1, word) == 0;
}

static int apply_scalar_tag(struct builder *b, struct yaml_node *node, const char *tag)
{
	static const struct {
		const char *word;
		enum yaml_kind kind;
	} kinds[] = { { "null", YAML_NULL },
		      { "bool", YAML_BOOL },
		      { "int", YAML_INT },
		      { "float", YAML_FLOAT } };

	if (strcmp(tag, "!") == 0 || is_yaml_tag(tag, "str"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!is_yaml_tag(tag, kinds[i].word))
			continue;
		resolve_plain(node);
		if (node->kind == YAML_INT && kinds[i].kind == YAML_FLOAT) {
			node->real = (double)node->integer;
			node->kind = YAML_FLOAT;
		}
		if (node->kind == kinds[i].kind)
			return 0;
		return fail(b, node->line, node->column, "'%s' is not of type !!%s", node->text,
			    kinds[i].word);
	}
	if (tag[0] != '!')
		return fail(b, node->line, node->column, "the tag '%s' is not supported", tag);
	node->tag = arena_strdup(b->arena, tag);
	return 0;
}

static int build_scalar(struct builder *b, const yaml_event_t *event, struct yaml_node **ret_node)
{
	const char *value = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	size_t len = event->data.scalar.length;
	struct yaml_node *node = node_new(b, YAML_STRING, event);

	if (!node)
		return err_memory(b->e);
	if (memchr(value, '\0', len))
		return fail_at(b, &event->start_mark, "a NUL character");
	node->text = arena_strndup(b->arena, value, len);
	if (!node->text)
		return err_memory(b->e);
	*ret_node = node;
	if (tag)
		return apply_scalar_tag(b, node, tag);
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		resolve_plain(node);
	return 0;
}

/* --- collections --------------------------------------------------------------------------- */

static int build(struct builder *b, const yaml_event_t *event, struct yaml_node **ret_node);

static int next_event(struct builder *b, yaml_event_t *event)
{
	return yaml_parser_parse(&b->parser, event) ? 0 : fail_parse(b);
}

static int add_weight(struct builder *b, struct yaml_node *node, const struct yaml_node *child)
{
	node->weight += child->weight;
	if (node->weight > YAML_MAX_NODES)
		return fail(b, node->line, node->column,
			    "expands to more than %d nodes: too many aliases", YAML_MAX_NODES);
	return 0;
}

static int append_item(struct builder *b, struct yaml_node *list, struct yaml_node *item)
{
	if (list->count == list->capacity) {
		size_t capacity = list->count ? 2 * list->count : 4;
		struct yaml_node **items =
			arena_array(b->arena, capacity, sizeof(struct yaml_node *));

		if (!items)
			return err_memory(b->e);
		if (list->count)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = item;
	return add_weight(b, list, item);
}

static int append_entry(struct builder *b, struct yaml_node *map, const struct yaml_entry *entry)
{
	if (map->count == map->capacity) {
		size_t capacity = map->count ? 2 * map->count : 4;
		struct yaml_entry *entries = arena_array(b->arena, capacity, sizeof(*entries));

		if (!entries)
			return err_memory(b->e);
		if (map->count)
			memcpy(entries, map->entries, map->count * sizeof(*entries));
		map->entries = entries;
		map->capacity = capacity;
	}
	map->entries[map->count++] = *entry;
	return add_weight(b, map, entry->value);
}

static int build_list(struct builder *b, struct yaml_node *list)
{
	for (;;) {
		struct yaml_node *item = NULL;
		yaml_event_t event;
		int r = next_event(b, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		r = build(b, &event, &item);
		yaml_event_delete(&event);
		if (r == 0)
			r = append_item(b, list, item);
		if (r < 0)
			return r;
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct yaml_entry *x = *(const struct yaml_entry *const *)a;
	const struct yaml_entry *y = *(const struct yaml_entry *const *)b;
	int order = strcmp(x->key, y->key);

	return order ? order : x < y ? -1 : x > y;
}

/* By key; of equal ones the earlier first. The caller's to free(). NULL: out of memory. */
static struct yaml_entry **sort_entries(const struct yaml_node *map)
{
	struct yaml_entry **sorted = malloc((map->count + 1) * sizeof(struct yaml_entry *));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		sorted[i] = &map->entries[i];
	qsort(sorted, map->count, sizeof(struct yaml_entry *), compare_entries);
	return sorted;
}

static int refuse_duplicates(struct builder *b, const struct yaml_node *map)
{
	AUTO(struct yaml_entry **, freep) sorted = sort_entries(map);

	if (!sorted)
		return err_memory(b->e);
	for (size_t i = 1; i < map->count; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			return fail(b, sorted[i]->line, sorted[i]->column,
				    "the key '%s' is already defined at line %u", sorted[i]->key,
				    sorted[i - 1]->line);
	return 0;
}

static int keep_first_of_equal_keys(struct builder *b, struct yaml_node *map)
{
	AUTO(struct yaml_entry **, freep) sorted = sort_entries(map);
	size_t kept = 0;

	if (!sorted)
		return err_memory(b->e);
	for (size_t i = map->count; i-- > 1;)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			sorted[i]->value = NULL;
	for (size_t i = 0; i < map->count; i++)
		if (map->entries[i].value)
			map->entries[kept++] = map->entries[i];
	map->count = kept;
	return 0;
}

static int append_map(struct builder *b, struct yaml_node *map, const struct yaml_node *merged)
{
	int r = 0;

	if (merged->kind != YAML_MAP)
		return fail(b, merged->line, merged->column, "'<<' merges maps, not %s",
			    yaml_kind_name(merged->kind));
	for (size_t i = 0; i < merged->count && r == 0; i++)
		r = append_entry(b, map, &merged->entries[i]);
	return r;
}

/* A map's own entries win over merged ones, and of merged maps the earlier. */
static int merge(struct builder *b, struct yaml_node *map, const struct yaml_node *value)
{
	int r = 0;

	if (value->kind != YAML_LIST)
		r = append_map(b, map, value);
	else
		for (size_t i = 0; i < value->count && r == 0; i++)
			r = append_map(b, map, value->items[i]);
	return r < 0 ? r : keep_first_of_equal_keys(b, map);
}

static int read_key(struct builder *b, struct yaml_entry *entry, bool *ret_is_merge, bool *ret_end)
{
	struct yaml_node *key = NULL;
	yaml_event_t event;
	int r = next_event(b, &event);

	if (r < 0)
		return r;
	*ret_end = event.type == YAML_MAPPING_END_EVENT;
	*ret_is_merge = event.type == YAML_SCALAR_EVENT &&
			event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			strcmp((const char *)event.data.scalar.value, "<<") == 0;
	if (!*ret_end)
		r = build(b, &event, &key);
	if (!*ret_end && r == 0 && !yaml_is_scalar(key))
		r = fail_at(b, &event.start_mark, "a key must be a scalar");
	if (!*ret_end && r == 0)
		*entry = (struct yaml_entry){ .key = key->text,
					      .line = (unsigned)event.start_mark.line + 1,
					      .column = (unsigned)event.start_mark.column + 1 };
	yaml_event_delete(&event);
	return r;
}

static int build_map(struct builder *b, struct yaml_node *map)
{
	const struct yaml_node *merged = NULL;
	bool is_merge, end;
	int r;

	for (;;) {
		struct yaml_entry entry;
		yaml_event_t event;

		r = read_key(b, &entry, &is_merge, &end);

		if (r < 0)
			return r;
		if (end)
			break;
		r = next_event(b, &event);
		if (r < 0)
			return r;
		r = build(b, &event, &entry.value);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
		if (is_merge && merged)
			return fail(b, entry.line, entry.column, "a second '<<' in one map");
		if (is_merge)
			merged = entry.value;
		else if ((r = append_entry(b, map, &entry)) < 0)
			return r;
	}
	r = refuse_duplicates(b, map);
	return r == 0 && merged ? merge(b, map, merged) : r;
}

static int build_collection(struct builder *b, const yaml_event_t *event, struct yaml_node *node)
{
	const yaml_char_t *tag = event->type == YAML_SEQUENCE_START_EVENT
					 ? event->data.sequence_start.tag
					 : event->data.mapping_start.tag;
	int r;

	if (tag && tag[0] == '!' && tag[1])
		node->tag = arena_strdup(b->arena, (const char *)tag);
	if (++b->depth > YAML_MAX_DEPTH)
		return fail_at(b, &event->start_mark, "nested too deeply");
	r = node->kind == YAML_LIST ? build_list(b, node) : build_map(b, node);
	b->depth--;
	return r;
}

/* --- anchors ------------------------------------------------------------------------------- */

static const char *event_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.anchor;
	default: return NULL;
	}
}

static struct anchor *anchor_new(struct builder *b, const char *name)
{
	struct anchor *anchor = arena_alloc(b->arena, sizeof(*anchor));

	if (!anchor)
		return NULL;
	anchor->name = arena_strdup(b->arena, name);
	anchor->next = b->anchors;
	b->anchors = anchor;
	return anchor;
}

static int build_alias(struct builder *b, const yaml_event_t *event, struct yaml_node **ret_node)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (const struct anchor *a = b->anchors; a; a = a->next) {
		if (!a->name || strcmp(a->name, name) != 0)
			continue;
		if (!a->complete)
			return fail(b, event->start_mark.line + 1, event->start_mark.column + 1,
				    "the alias '*%s' contains itself", name);
		*ret_node = a->node;
		return 0;
	}
	return fail(b, event->start_mark.line + 1, event->start_mark.column + 1,
		    "the alias '*%s' has no anchor", name);
}

static int build(struct builder *b, const yaml_event_t *event, struct yaml_node **ret_node)
{
	const char *name = event_anchor(event);
	struct anchor *anchor = NULL;
	int r;

	if (event->type == YAML_ALIAS_EVENT)
		return build_alias(b, event, ret_node);
	if (name && !(anchor = anchor_new(b, name)))
		return err_memory(b->e);
	if (event->type == YAML_SCALAR_EVENT) {
		r = build_scalar(b, event, ret_node);
	} else {
		*ret_node =
			node_new(b, event->type == YAML_SEQUENCE_START_EVENT ? YAML_LIST : YAML_MAP,
				 event);
		r = *ret_node ? build_collection(b, event, *ret_node) : err_memory(b->e);
	}
	if (r == 0 && anchor) {
		anchor->node = *ret_node;
		anchor->complete = true;
	}
	return r;
}

/* --- a whole text -------------------------------------------------------------------------- */

static int expect(struct builder *b, yaml_event_type_t type)
{
	yaml_event_t event;
	int r = next_event(b, &event);

	if (r < 0)
		return r;
	if (event.type != type)
		r = fail_at(b, &event.start_mark, "a second document");
	yaml_event_delete(&event);
	return r;
}

static int expect_no_more(struct builder *b)
{
	yaml_event_t event;
	int r = next_event(b, &event);

	if (r < 0)
		return r;
	if (event.type != YAML_STREAM_END_EVENT && b->second)
		*b->second = (unsigned)event.start_mark.line + 1;
	else if (event.type != YAML_STREAM_END_EVENT)
		r = fail_at(b, &event.start_mark, "a second document");
	yaml_event_delete(&event);
	return r;
}

static int build_document(struct builder *b, struct yaml_node **ret_root)
{
	struct yaml_node *root = NULL;
	yaml_event_t event;
	int r = expect(b, YAML_STREAM_START_EVENT);

	if (r < 0)
		return r;
	r = next_event(b, &event);
	if (r < 0)
		return r;
	if (event.type == YAML_STREAM_END_EVENT) {
		root = node_new(b, YAML_NULL, &event);
		yaml_event_delete(&event);
		*ret_root = root;
		return root ? 0 : err_memory(b->e);
	}
	yaml_event_delete(&event);
	r = next_event(b, &event);
	if (r < 0)
		return r;
	r = build(b, &event, &root);
	yaml_event_delete(&event);
	if (r == 0)
		r = expect(b, YAML_DOCUMENT_END_EVENT);
	if (r == 0)
		r = expect_no_more(b);
	if (r == 0)
		*ret_root = root;
	return r;
}

static bool read_surrogate(const char *s, unsigned low, unsigned *ret_unit)
{
	char digits[5] = "";
	char *end;

	if (s[0] != '\\' || s[1] != 'u')
		return false;
	memcpy(digits, s + 2, strnlen(s + 2, 4));
	*ret_unit = (unsigned)strtoul(digits, &end, 16);
	return end == digits + 4 && *ret_unit >= low && *ret_unit < low + 0x400;
}

/*
 * JSON spells what lies beyond the basic plane as two escapes, YAML as one. Rewrites "\ud83d\ude00"
 * to "\U0001F600", which is shorter. Returns the new length.
 */
static size_t join_surrogates(char *text, size_t len)
{
	char *out = text;
	const char *in = text;

	while (in < text + len) {
		unsigned high, low;
		char joined[16];

		if (in[0] == '\\' && in[1] == '\\') {
			*out++ = *in++;
		} else if (text + len - in >= 12 && read_surrogate(in, 0xd800, &high) &&
			   read_surrogate(in + 6, 0xdc00, &low)) {
			snprintf(joined, sizeof(joined), "\\U%08X",
				 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
			memcpy(out, joined, 10);
			out += 10;
			in += 12;
			continue;
		}
		*out++ = *in++;
	}
	*out = '\0';
	return (size_t)(out - text);
}

int yaml_parse_first(struct arena *arena, const struct yaml_file *file, const char *text,
		     size_t len, struct yaml_node **ret_root, unsigned *ret_second,
		     struct yaml_fault *ret_fault, struct err *e)
{
	struct yaml_fault fault = { 0 };
	struct builder b = { .arena = arena, .file = file, .second = ret_second, .e = e };
	AUTO(char *, freep) joined = NULL;
	int r;

	b.fault = ret_fault ? ret_fault : &fault;
	if (strstr(text, "\\ud") || strstr(text, "\\uD")) {
		joined = malloc(len + 1);
		if (!joined)
			return err_memory(e);
		memcpy(joined, text, len);
		joined[len] = '\0';
		len = join_surrogates(joined, len);
	}
	if (!yaml_parser_initialize(&b.parser))
		return err_memory(e);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)(joined ? joined : text),
				     len);
	r = build_document(&b, ret_root);
	yaml_parser_delete(&b.parser);
	return r;
}

int yaml_parse(struct arena *arena, const struct yaml_file *file, const char *text, size_t len,
	       struct yaml_node **ret_root, struct yaml_fault *ret_fault, struct err *e)
{
	return yaml_parse_first(arena, file, text, len, ret_root, NULL, ret_fault, e);
}

/* --- readers ------------------------------------------------------------------------------- */

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->entries[i].key, key) == 0)
			return map->entries[i].value;
	return NULL;
}

const char *yaml_string(const struct yaml_node *node)
{
	return node && node->kind == YAML_STRING ? node->text : NULL;
}

const char *yaml_text(const struct yaml_node *node)
{
	return node && node->kind != YAML_NULL && yaml_is_scalar(node) ? node->text : NULL;
}

/* The fewest digits that read back as the same number, without an exponent where Go has none. */
static const char *float_text(struct arena *arena, double value)
{
	char digits[32], *exponent;
	int precision = 0, power;

	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value < 0 ? "-Inf" : "+Inf";
	do
		snprintf(digits, sizeof(digits), "%.*e", precision, value);
	while (strtod(digits, NULL) != value && ++precision < 17);
	exponent = strchr(digits, 'e');
	power = exponent ? atoi(exponent + 1) : 0;
	if (power < -4 || power >= 21)
		return arena_strdup(arena, digits);
	return arena_printf(arena, "%.*f", precision > power ? precision - power : 0, value);
}

const char *yaml_scalar_text(struct arena *arena, const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_NULL: return "";
	case YAML_BOOL: return node->boolean ? "true" : "false";
	case YAML_INT: return arena_printf(arena, "%lld", (long long)node->integer);
	case YAML_FLOAT: return float_text(arena, node->real);
	case YAML_STRING: return node->text;
	default: return NULL;
	}
}

const char *yaml_kind_name(enum yaml_kind kind)
{
	static const char *const names[] = {
		[YAML_NULL] = "nothing",   [YAML_BOOL] = "a boolean",  [YAML_INT] = "a number",
		[YAML_FLOAT] = "a number", [YAML_STRING] = "a string", [YAML_LIST] = "a list",
		[YAML_MAP] = "a map",
	};

	return names[kind];
}
